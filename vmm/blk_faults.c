// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_faults.h"

#include <endian.h>

#include "lib/clock.h"
#include "vmm/blk_draw.h"
#include "vmm/blk_req.h"

static void plan_stall(struct blk_faults *f, uint64_t begin_ns)
{
	f->begin_ns = begin_ns;
	f->end_ns = clock_add_ns(begin_ns, f->set.stall_ns);
	f->told = false;
}

void blk_faults_set(struct blk_faults *f, uint64_t now_ns,
		    const struct vm_disk_faults *set)
{
	*f = (struct blk_faults){
		.set = *set,
		.seed = f->seed,
		.on = set->error_ppb || set->error_bytes || set->stall_ns,
	};
	if (set->stall_ns && !set->stall_every)
		plan_stall(f, clock_add_ns(now_ns, set->stall_at_ns));
}

/* Do @sectors from @sector on and the bad ones meet? Both checked before. */
static bool is_bad(const struct vm_disk_faults *set, uint64_t sector,
		   uint64_t sectors)
{
	uint64_t bad = set->error_from >> BLK_SECTOR_SHIFT;
	uint64_t nr_bad = set->error_bytes >> BLK_SECTOR_SHIFT;

	return sectors && nr_bad &&
	       (sector < bad ? bad - sector < sectors : sector - bad < nr_bad);
}

static bool touches_bad(const struct vm_disk_faults *set,
			const struct blk_req *req)
{
	unsigned int i;
	bool write;

	if (blk_req_moves_data(req, &write))
		return is_bad(set, req->sector,
			      req->data_bytes >> BLK_SECTOR_SHIFT);
	for (i = 0; i < req->nr_ranges; i++)
		if (is_bad(set, le64toh(req->ranges[i].sector),
			   le32toh(req->ranges[i].num_sectors)))
			return true;
	return false;
}

enum blk_fault blk_faults_admit(struct blk_faults *f, uint64_t now_ns,
				const struct blk_req *req)
{
	const struct vm_disk_faults *set = &f->set;
	uint64_t n = f->nr++;

	if (set->stall_ns && set->stall_every &&
	    f->nr % set->stall_every == 0 &&
	    blk_faults_hold(f, now_ns) == now_ns)
		plan_stall(f, now_ns);
	if (touches_bad(set, req))
		return BLK_FAULT_RANGE;
	if (set->error_ppb &&
	    blk_draw_upto(f->seed, BLK_DRAW_ERROR, n, BLK_PPB - 1) <
		    set->error_ppb)
		return BLK_FAULT_RATE;
	return BLK_FAULT_NONE;
}

uint64_t blk_faults_hold(const struct blk_faults *f, uint64_t at_ns)
{
	return f->begin_ns <= at_ns && at_ns < f->end_ns ? f->end_ns : at_ns;
}

bool blk_faults_stall_seen(struct blk_faults *f)
{
	bool first = !f->told;

	f->told = true;
	return first;
}

void blk_faults_shift(struct blk_faults *f, uint64_t frozen_ns)
{
	f->begin_ns = clock_add_ns(f->begin_ns, frozen_ns);
	f->end_ns = clock_add_ns(f->end_ns, frozen_ns);
}

uint64_t blk_torn_sectors(uint64_t seed, uint64_t n, uint64_t sectors)
{
	if (sectors < 2)
		return 0;
	return 1 + blk_draw_upto(seed, BLK_DRAW_TEAR, n, sectors - 2);
}
