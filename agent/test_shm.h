/* SPDX-License-Identifier: GPL-2.0-only */
/* A shared region without BPF, for the unit tests of this folder. */
#ifndef KTSTR_AGENT_TEST_SHM_H
#define KTSTR_AGENT_TEST_SHM_H

#include <check.h>
#include <sys/mman.h>

#include "agent/shm.h"
#include "lib/clock.h"

static inline struct shm test_shm_new(unsigned int nr_workers,
				      unsigned int nr_phases)
{
	struct ktstr_shm_hdr hdr = { 0 };
	struct shm shm = SHM_INIT;

	ck_assert_int_eq(0, shm_layout(&hdr, nr_workers, nr_phases));
	hdr.phase = KTSTR_SHM_NO_PHASE;
	shm.bytes = hdr.total_bytes;
	shm.hdr = mmap(NULL, shm.bytes, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(MAP_FAILED, shm.hdr);
	*shm.hdr = hdr;
	return shm;
}

static inline void test_shm_free(struct shm *shm)
{
	munmap(shm->hdr, shm->bytes);
}

/* As the agent does it: the time first, then the phase. */
static inline void test_shm_phase(struct shm *shm, uint32_t phase,
				  uint64_t start_ns)
{
	shm->hdr->phase_start_ns[phase] = start_ns;
	__atomic_store_n(&shm->hdr->phase, phase, __ATOMIC_RELEASE);
}

static inline void test_shm_no_phase(struct shm *shm)
{
	__atomic_store_n(&shm->hdr->phase, KTSTR_SHM_NO_PHASE,
			 __ATOMIC_RELEASE);
}

#endif
