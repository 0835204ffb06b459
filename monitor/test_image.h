/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest made by hand for the tests of monitor/: RAM, page tables, a kernel
 * image, kernel structures whose layout is drawn from a seed, and the BTF
 * that describes it. Nothing in it comes from a real kernel's offsets.
 */
#ifndef KTSTR_MONITOR_TEST_IMAGE_H
#define KTSTR_MONITOR_TEST_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/monitor.h"

struct btf;

#define TI_RAM_BYTES (16u << 20)	/* more with many CPUs: ram_bytes */
#define TI_RAM_GPA 0x100000ull	/* RAM does not start at 0 here */
#define TI_IMAGE_BYTES (2u << 20)	/* from root_gpa on; image_bytes */
#define TI_MAX_FIELDS 480
#define TI_MAX_VPAGES 1024

struct ti_config {
	unsigned int seed;	/* of offsets and member order */
	unsigned int levels;	/* default 4 */
	unsigned int cpus;	/* default 2; up to MON_MAX_CPUS */
	unsigned int slots;	/* of an xarray node; default 64 */
	const char *drop[4];	/* "struct.member" that the kernel lacks */
	bool scx_6_16;		/* event counters as 6.16 had them */
	bool no_scx;		/* no sched_ext in this kernel */
};

struct ti_field {
	char path[64];		/* "struct.member" */
	uint32_t off, size;
};

struct test_image {
	struct ti_config cfg;
	uint8_t *ram;
	uint64_t ram_bytes, image_bytes;
	struct guest_mem mem;
	struct mon_guest_info info;
	struct btf *btf;		/* of the kernel */
	uint64_t phys_base;

	/* of the builder */
	uint64_t next_gpa, next_image, next_vmalloc, root_gpa;
	struct ti_field fields[TI_MAX_FIELDS];
	unsigned int nr_fields;
	uint64_t vpages[TI_MAX_VPAGES];	/* gpa of each vmalloc page */
	unsigned int nr_vpages;
	uint64_t percpu_off[MON_MAX_CPUS];
};

/** ti_new() - build a guest; ends the test on failure. */
struct test_image *ti_new(const struct ti_config *cfg);
void ti_free(struct test_image *ti);

/** ti_open() - mon_open() on it; ends the test on failure. */
struct monitor *ti_open(struct test_image *ti);

/* Zeroed guest memory of three kinds; the address is what a kernel sees. */
uint64_t ti_direct(struct test_image *ti, size_t len);
uint64_t ti_vmalloc(struct test_image *ti, size_t len);
uint64_t ti_image(struct test_image *ti, size_t len);

/** ti_percpu() - memory per CPU; the kernel's per-CPU pointer. */
uint64_t ti_percpu(struct test_image *ti, size_t len);

/** ti_hva() - the byte at @kva, by the builder's own books. */
void *ti_hva(struct test_image *ti, uint64_t kva);

/** ti_write() - copy in, across pages. */
void ti_write(struct test_image *ti, uint64_t kva, const void *buf, size_t len);
void ti_write_u64(struct test_image *ti, uint64_t kva, uint64_t v);
void ti_write_u32(struct test_image *ti, uint64_t kva, uint32_t v);

/** ti_off() - offset of "struct.member"; ti_size() - a struct's size. */
uint32_t ti_off(const struct test_image *ti, const char *path);
uint32_t ti_size(const struct test_image *ti, const char *name);

/** ti_set() - write member "struct.member" of the object at @kva. */
void ti_set(struct test_image *ti, uint64_t kva, const char *path, uint64_t v);

/** ti_rq() - CPU @cpu's run queue. */
uint64_t ti_rq(const struct test_image *ti, unsigned int cpu);

/** ti_idr_set() - put @ptr under @id into the map table. */
void ti_idr_set(struct test_image *ti, uint32_t id, uint64_t ptr);

struct ti_map {
	uint32_t id, type, key_size, value_size, max_entries;
	const char *name;
	uint64_t btf_kva;	/* struct btf; 0: none */
	uint32_t key_type, value_type;
};

/** ti_map() - an array or per-CPU array map with zeroed values. */
uint64_t ti_map(struct test_image *ti, const struct ti_map *m);

/** ti_value() - where its entry @index keeps its value. */
uint64_t ti_value(struct test_image *ti, uint64_t map, uint32_t value_size,
		  uint32_t index);
uint64_t ti_percpu_value(struct test_image *ti, uint64_t map, uint32_t index,
			 unsigned int cpu);

/**
 * ti_object_map() - a map that is a @strct with member "map"
 * @extra: bytes of room behind it
 *
 * Return: the address of the @strct.
 */
uint64_t ti_object_map(struct test_image *ti, const struct ti_map *m,
		       const char *strct, size_t extra);

/** ti_hash() - a hash map without elements. */
uint64_t ti_hash(struct test_image *ti, const struct ti_map *m,
		 uint32_t nr_buckets);

/** ti_hash_add() - put an element in front of a bucket; its value's place. */
uint64_t ti_hash_add(struct test_image *ti, uint64_t map, uint32_t bucket,
		     const void *key, uint32_t key_size);

/**
 * ti_struct_ops() - a struct_ops map with room for max_entries callbacks
 * @link_slots: where its pointers to links are
 */
uint64_t ti_struct_ops(struct test_image *ti, const struct ti_map *m,
		       uint64_t *link_slots);

/** ti_set_op() - user space gave this program as callback @op of test_ops. */
void ti_set_op(struct test_image *ti, uint64_t map, const char *op,
	       uint32_t prog_id);

/** ti_link() - a struct bpf_link with a program of 31 instructions. */
uint64_t ti_link(struct test_image *ti, uint32_t prog_id, const char *name,
		 uint64_t runs_per_cpu);

/** ti_btf() - a kernel's struct btf with a program's BTF. */
uint64_t ti_btf(struct test_image *ti, const struct btf *btf, uint32_t id);

/** ti_scheduler() - a struct scx_sched, made the root; its address. */
uint64_t ti_scheduler(struct test_image *ti, const char *name);

/** ti_event() - add to event number @event of @cpu. */
void ti_event(struct test_image *ti, uint64_t sched, unsigned int cpu,
	      unsigned int event, int64_t count);

#endif
