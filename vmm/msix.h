/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The MSI-X vectors of one PCI function: table, masks and pending bits (PCI
 * Local Bus 3.0, 6.8.2). What delivers a message comes through an ops struct.
 *
 * Tables are written by vCPU threads and vectors fired by any thread; a lock
 * of its own orders them, so that no interrupt is lost or sent while masked.
 */
#ifndef KTSTR_VMM_MSIX_H
#define KTSTR_VMM_MSIX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define MSIX_MAX_VECTORS 16
#define MSIX_ENTRY_BYTES 16
#define MSIX_PBA_BYTES 8

/* Called with the lock held. */
struct msix_ops {
	/* what fire() sends for @vector from now on. Return: 0 or -errno. */
	int (*route)(void *ctx, unsigned int vector, uint64_t address,
		     uint32_t data);
	int (*fire)(void *ctx, unsigned int vector);
};

struct msix_entry {
	uint32_t words[4];	/* address low, high, data, control */
	uint64_t routed_address;
	uint32_t routed_data;
	bool routed;
};

struct msix {
	const struct msix_ops *ops; /* borrowed */
	void *ctx;
	unsigned int nr;

	/* all below: under the lock */
	pthread_mutex_t lock;
	uint16_t control;	/* of the capability */
	uint64_t pending;	/* bit by vector */
	bool failed;		/* logged */
	struct msix_entry entries[MSIX_MAX_VECTORS];
};

/** msix_init() - @nr vectors, all masked, MSI-X off. Return: 0 or -errno. */
int msix_init(struct msix *m, unsigned int nr, const struct msix_ops *ops,
	      void *ctx);
void msix_fini(struct msix *m);

/** msix_set_control() - the capability's control word was written */
void msix_set_control(struct msix *m, uint16_t control);

/*
 * The table and the pending bits, at @off within them. Return: false and
 * nothing done, or zeroes read: not an aligned word or two, or beyond the end.
 */
bool msix_table_read(struct msix *m, uint64_t off, void *data, uint32_t len);
bool msix_table_write(struct msix *m, uint64_t off, const void *data,
		      uint32_t len);
bool msix_pba_read(struct msix *m, uint64_t off, void *data, uint32_t len);

/**
 * msix_fire() - interrupt by @vector; any thread
 *
 * Is kept as pending while the vector or the function is masked; is nothing
 * when MSI-X is off, or there is no such vector.
 */
void msix_fire(struct msix *m, unsigned int vector);

#endif
