/* SPDX-License-Identifier: GPL-2.0-only */
/* Guests of a few instructions, for tests on the real /dev/kvm. */
#ifndef KTSTR_VMM_TEST_GUEST_H
#define KTSTR_VMM_TEST_GUEST_H

#include <check.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "vmm/layout.h"
#include "vmm/vmm.h"

/* A guest's code: 64-bit, position independent, entered as a kernel is. */
#define GUEST(label, text)                                           \
	extern const uint8_t guest_##label[], guest_##label##_end[]; \
	__asm__(".pushsection .rodata\n"                             \
		"guest_" #label ":\n" text                           \
		"guest_" #label "_end:\n"                            \
		".popsection\n")

#define CODE(label) .code = guest_##label, .code_end = guest_##label##_end

#define GUEST_ENTRY 0x200000ULL

/* One run, from the code to the end. */
struct guest_run {
	const uint8_t *code, *code_end;
	struct vm_topology topology;	/* nodes 0: one CPU */
	uint64_t memory_bytes;		/* 0: 128 MiB */
	const char *cmdline;		/* NULL: empty */
	uint64_t deadline_ns;		/* 0: 10 s */
	struct vm_disk_config *disk;	/* NULL: none */
	enum vm_transport transport;
	const cpu_set_t *vcpu_cpus;	/* NULL: any */
	void (*started)(void *ctx);

	struct vm *vm;
	struct vm_end end;
	char console[64 << 10];
	size_t console_len;
	unsigned int ticks;
	int timer_fd;
};

static void guest_on_console(void *ctx, const char *data, size_t len)
{
	struct guest_run *g = ctx;

	ck_assert_uint_le(len, sizeof(g->console) - 1 - g->console_len);
	memcpy(g->console + g->console_len, data, len);
	g->console_len += len;
}

static void guest_on_started(void *ctx)
{
	struct guest_run *g = ctx;

	if (g->started)
		g->started(g);
}

static const struct vm_ops guest_ops = {
	.console = guest_on_console,
	.started = guest_on_started,
};

/* An ELF kernel with the code as its only segment. */
static inline void guest_write_kernel(const struct guest_run *g, char *path)
{
	size_t len = g->code_end - g->code;
	Elf64_Ehdr h = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64 },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_entry = GUEST_ENTRY,
		.e_phoff = sizeof(h),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
	};
	Elf64_Phdr p = {
		.p_type = PT_LOAD,
		.p_offset = sizeof(h) + sizeof(p),
		.p_paddr = GUEST_ENTRY,
		.p_filesz = len,
		.p_memsz = len,
	};
	int fd;

	strcpy(path, "/tmp/vmm_guest.XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(sizeof(h), write(fd, &h, sizeof(h)));
	ck_assert_int_eq(sizeof(p), write(fd, &p, sizeof(p)));
	ck_assert_int_eq(len, write(fd, g->code, len));
	close(fd);
}

static inline void guest_new(struct guest_run *g)
{
	char path[32], why[256] = "";
	struct vm_config cfg = {
		.topology = g->topology,
		.memory_bytes = g->memory_bytes ? g->memory_bytes : 128 * MIB,
		.kernel_path = path,
		.cmdline = g->cmdline ? g->cmdline : "",
		.deadline_ns = g->deadline_ns ? g->deadline_ns :
						10 * NSEC_PER_SEC,
		.disks = g->disk,
		.nr_disks = g->disk ? 1 : 0,
		.transport = g->transport,
		.vcpu_cpus = g->vcpu_cpus,
	};

	if (!cfg.topology.nodes)
		cfg.topology = (struct vm_topology){ 0, 1, 1, 1, 1 };
	guest_write_kernel(g, path);
	ck_assert_msg(vm_new(&cfg, &guest_ops, g, &g->vm, why, sizeof(why)) ==
			      0,
		      "%s", why);
	unlink(path);
}

static inline void guest_go(struct guest_run *g, enum vm_end_kind want)
{
	ck_assert_int_eq(0, vm_run(g->vm, &g->end));
	ck_assert_msg(g->end.kind == want, "ended by %s, %s",
		      vm_end_name(g->end.kind), g->end.detail);
}

/* False, with the reason said, where there is no /dev/kvm for us. */
static inline bool guest_can_run(const char *test)
{
	struct vm_kvm_probe probe;

	vm_kvm_probe(&probe);
	if (probe.state == VM_KVM_MISSING ||
	    probe.state == VM_KVM_FORBIDDEN) {
		printf("%s: skipped: %s\n", test, probe.why);
		return false;
	}
	return true;
}

#endif
