/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why a stall, a gap or a latency came about: one paragraph for each check
 * that failed so, from what the host has seen. A function of plan, facts and
 * checks; called by result.c.
 */
#ifndef KTSTR_RUNNER_BLAME_H
#define KTSTR_RUNNER_BLAME_H

#include <jansson.h>

/**
 * blame_new() - [{metric, phase, cause, text}], in the order of the checks
 * @checks: as judged; those that failed on progress, a gap, a latency of a
 *	workload, or a stall of the scheduler are looked at
 *
 * cause is "stopped" (the victim was, by a signal or a tracer), "host" (vCPUs
 * got no host CPU), "bypass" (the scheduler was not in charge), "kept" (the
 * victim was runnable and on no dispatch queue), "wakeup" (the disk was done,
 * the worker did not run), "completion" (it was blocked and its disk had
 * nothing to do), "disk", "sleep" (nobody woke it), "idle" (CPUs idled
 * meanwhile), "others" (they ran other tasks), or "unknown": nothing that was
 * seen speaks for any of them.
 *
 * Return: new reference; NULL: nothing to explain, or out of memory.
 */
json_t *blame_new(const json_t *plan, const json_t *facts,
		  const json_t *checks);

#endif
