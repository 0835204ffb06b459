/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Making the shared region of include/ktstr/shm.h, and finding one's way in
 * it. PID 1 creates it before it forks; workers inherit the mapping.
 */
#ifndef KTSTR_AGENT_SHM_H
#define KTSTR_AGENT_SHM_H

#include <stddef.h>
#include <stdint.h>

#include "include/ktstr/shm.h"

struct plan;

struct shm {
	struct ktstr_shm_hdr *hdr;	/* owned mapping, NULL: none */
	size_t bytes;
	int map_fd;			/* owned */
	uint32_t map_id;
};

#define SHM_INIT { .map_fd = -1 }

/**
 * shm_layout() - sizes and offsets of a region, pure
 * @hdr: all members but the clocks are filled
 *
 * Return: 0; -E2BIG more workers or phases than the region can hold.
 */
int shm_layout(struct ktstr_shm_hdr *hdr, unsigned int nr_workers,
	       unsigned int nr_phases);

/**
 * shm_create() - make the map, map it, write header and worker identities
 *
 * Needs CAP_BPF. Worker w is NEW, with its workload and index; the phase is
 * none and go is 0.
 *
 * Return: 0 or -errno.
 */
int shm_create(struct shm *shm, const struct plan *plan);
void shm_destroy(struct shm *shm);

static inline struct ktstr_worker *shm_worker(const struct shm *shm,
					      unsigned int worker)
{
	return (struct ktstr_worker *)((char *)shm->hdr +
				       shm->hdr->workers_off) + worker;
}

static inline struct ktstr_cell *shm_cell(const struct shm *shm,
					  unsigned int worker,
					  unsigned int phase)
{
	return (struct ktstr_cell *)((char *)shm->hdr + shm->hdr->cells_off) +
	       worker * shm->hdr->nr_phases + phase;
}

#endif
