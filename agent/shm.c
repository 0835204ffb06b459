// SPDX-License-Identifier: GPL-2.0-only
#include "agent/shm.h"

#include "agent/plan.h"

#include <bpf/bpf.h>

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int shm_layout(struct ktstr_shm_hdr *hdr, unsigned int nr_workers,
	       unsigned int nr_phases)
{
	uint64_t workers, cells, rings;

	if (nr_workers > KTSTR_SHM_MAX_WORKERS ||
	    nr_phases > KTSTR_SHM_MAX_PHASES)
		return -E2BIG;
	workers = (uint64_t)nr_workers * sizeof(struct ktstr_worker);
	cells = (uint64_t)nr_workers * nr_phases * sizeof(struct ktstr_cell);
	rings = (uint64_t)nr_workers * sizeof(struct ktstr_io_ring);
	*hdr = (struct ktstr_shm_hdr){
		.magic = KTSTR_SHM_MAGIC,
		.version = KTSTR_SHM_VERSION,
		.nr_workers = nr_workers,
		.nr_phases = nr_phases,
		.workers_off = sizeof(*hdr),
		.cells_off = sizeof(*hdr) + workers,
		.cell_bytes = sizeof(struct ktstr_cell),
		.rings_off = sizeof(*hdr) + workers + cells,
		.ring_bytes = sizeof(struct ktstr_io_ring),
		.total_bytes = sizeof(*hdr) + workers + cells + rings,
		.phase = KTSTR_SHM_NO_PHASE,
	};
	return 0;
}

static int map_region(struct shm *shm, uint32_t bytes)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	struct bpf_map_info info = { 0 };
	uint32_t info_len = sizeof(info);
	size_t page = sysconf(_SC_PAGESIZE);
	void *mem;
	int err;

	shm->map_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, KTSTR_SHM_MAP_NAME,
				     sizeof(uint32_t), bytes, 1, &opts);
	if (shm->map_fd < 0)
		return shm->map_fd;
	err = bpf_map_get_info_by_fd(shm->map_fd, &info, &info_len);
	if (err)
		return err;
	shm->map_id = info.id;
	shm->bytes = (bytes + page - 1) / page * page;
	mem = mmap(NULL, shm->bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		   shm->map_fd, 0);
	if (mem == MAP_FAILED)
		return -errno;
	shm->hdr = mem;
	return 0;
}

static void name_workers(const struct shm *shm, const struct plan *plan)
{
	unsigned int w, i;

	for (w = 0; w < plan->nr_workloads; w++) {
		for (i = 0; i < plan->workloads[w].workers; i++) {
			struct ktstr_worker *worker =
				shm_worker(shm,
					   plan->workloads[w].first_worker + i);

			worker->workload = w;
			worker->index = i;
			worker->state = KTSTR_WORKER_NEW;
		}
	}
}

int shm_create(struct shm *shm, const struct plan *plan)
{
	struct ktstr_shm_hdr hdr;
	int err = shm_layout(&hdr, plan->nr_workers, plan->nr_phases);

	*shm = (struct shm)SHM_INIT;
	if (!err)
		err = map_region(shm, hdr.total_bytes);
	if (err) {
		shm_destroy(shm);
		return err;
	}
	/* The magic last: what the host finds with it is laid out. */
	hdr.magic = 0;
	*shm->hdr = hdr;
	name_workers(shm, plan);
	__atomic_store_n(&shm->hdr->magic, KTSTR_SHM_MAGIC, __ATOMIC_RELEASE);
	return 0;
}

void shm_destroy(struct shm *shm)
{
	if (shm->hdr)
		munmap(shm->hdr, shm->bytes);
	if (shm->map_fd >= 0)
		close(shm->map_fd);
	*shm = (struct shm)SHM_INIT;
}
