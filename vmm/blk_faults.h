/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A disk's planted faults (L8): which requests fail, when the disk hangs, how
 * much of a write is left when the power goes. Decided by settings, seed and
 * the number of the request; time comes in as an argument. Used by the drain of
 * the disk's worker.
 */
#ifndef KTSTR_VMM_BLK_FAULTS_H
#define KTSTR_VMM_BLK_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/vmm.h"

struct blk_req;

#define BLK_PPB 1000000000ULL

enum blk_fault {
	BLK_FAULT_NONE,
	BLK_FAULT_RATE,		/* drawn: the request fails */
	BLK_FAULT_RANGE,	/* it touches a bad sector */
};

/* Belongs to one thread. All zeroes: no faults. */
struct blk_faults {
	struct vm_disk_faults set;
	bool on;		/* any of them */
	uint64_t seed;
	uint64_t nr;		/* requests admitted since they are in force */
	uint64_t begin_ns, end_ns; /* the stall that is, was, or will be */
	bool told;		/* of that one, by blk_faults_stall_seen() */
};

/** blk_faults_set() - @set is in force from @now_ns on; all counts anew */
void blk_faults_set(struct blk_faults *f, uint64_t now_ns,
		    const struct vm_disk_faults *set);

/**
 * blk_faults_admit() - a request was admitted: what becomes of it?
 * @req: parsed, and good
 *
 * The one whose turn it is begins a stall, unless the disk stalls already.
 */
enum blk_fault blk_faults_admit(struct blk_faults *f, uint64_t now_ns,
				const struct blk_req *req);

/**
 * blk_faults_hold() - when a request may be completed that is due at @at_ns
 *
 * Return: @at_ns, or the end of the stall that it lies in.
 */
uint64_t blk_faults_hold(const struct blk_faults *f, uint64_t at_ns);

/** blk_faults_stall_seen() - a stall held something: true once for each */
bool blk_faults_stall_seen(struct blk_faults *f);

/** blk_faults_shift() - @frozen_ns went by that do not count (S69) */
void blk_faults_shift(struct blk_faults *f, uint64_t frozen_ns);

/**
 * blk_torn_sectors() - what a write in flight leaves when the power goes
 * @n: the how many'th it is of those in flight
 * @sectors: how long it is
 *
 * Return: how many of its first sectors are written: 1 to @sectors - 1, and
 * none of a write of one, since no sector is ever torn.
 */
uint64_t blk_torn_sectors(uint64_t seed, uint64_t n, uint64_t sectors);

#endif
