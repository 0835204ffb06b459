/* SPDX-License-Identifier: GPL-2.0-only */
/* What the samples of one wait add up to; for blame.c. */
#ifndef KTSTR_RUNNER_BLAME_GAP_H
#define KTSTR_RUNNER_BLAME_GAP_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

/* Samples of a worker's longest time without progress, by what they saw. */
struct blame_gap {
	double ns;		/* of it, without frozen time */
	double host_ns;		/* its vCPU waited for a host CPU; < 0: n/a */
	int cpu;		/* that vCPU; -1: it was on several */
	/* another worker's wait, for at least half of this one */
	double peer_ns;		/* its vCPU waited so long for a host CPU; 0: none */
	int peer_cpu;
	unsigned int nr;	/* samples; 0: none, and nothing else counts */
	unsigned int runs, runnable, blocked, sleeps, stopped;
	/* of the runnable ones */
	unsigned int kept;	/* sched_ext has it, on no dispatch queue */
	unsigned int bypass;	/* it has, and its scheduler is bypassed */
	unsigned int cpu_idle;	/* its CPU ran nothing */
	const char *dsq;	/* the queue that it was on most; NULL: none */
	unsigned int on_dsq;	/* so often */
	double dsq_nr_max;
	double stay_ns;		/* at a stretch, without running, at least; 0:
				 * not known */
	const char *holder;	/* who had its CPU most; NULL: nobody */
	json_int_t holder_pid;
	unsigned int held;	/* so often */
	/* of the blocked ones */
	unsigned int disk_idle;	/* its disk had nothing to do */
	unsigned int disk_works;
};

/**
 * blame_gap_of() - of the longest that @pid had
 * @facts: with gaps[]
 * @phase: its name; NULL: any measured one
 *
 * Names are borrowed from @facts. Without samples @gap is all zeroes.
 */
void blame_gap_of(const json_t *facts, const char *phase, json_int_t pid,
		  struct blame_gap *gap);

/** blame_gap_most() - is @n half of the samples or more, and no accident? */
bool blame_gap_most(const struct blame_gap *gap, unsigned int n);

/**
 * blame_gap_mostly() - "asleep", "on a CPU", ...: as it was seen most often
 * @n: in so many samples
 *
 * Return: NULL: no sample says.
 */
const char *blame_gap_mostly(const struct blame_gap *gap, unsigned int *n);

/** blame_gap_say() - where it was, in a sentence; nothing without samples */
void blame_gap_say(const struct blame_gap *gap, FILE *to);

#endif
