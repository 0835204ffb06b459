/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The observers that the plan asks for: BPF programs of ours that watch the
 * guest's scheduler. Loaded and attached by PID 1 between the workers' forking
 * and the scheduler's, and detached before DONE. One that can't be loaded is
 * missing, and nothing else is wrong.
 */
#ifndef KTSTR_AGENT_OBSERVER_H
#define KTSTR_AGENT_OBSERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "lib/observe.h"

#define OBSERVER_MAX_LINKS 12

struct bpf_link;
struct bpf_object;
struct plan;
struct shm;
struct worker_set;

/* What the kernel has counted of its programs since they were loaded. */
struct observer_cost {
	uint64_t run_count, run_ns;
	uint64_t missed;	/* events while a program of it ran already */
};

struct observer {
	const char *name;		/* borrowed from the plan */
	struct bpf_object *obj;		/* owned; NULL: not loaded */
	struct bpf_link *links[OBSERVER_MAX_LINKS]; /* owned */
	unsigned int nr_links;
	struct observer_cost base;	/* at the start of the phase */
};

struct observers {
	struct observer v[OBS_NR];
	unsigned int nr;
};

/* What they need to know of the run; all borrowed for the call. */
struct observer_env {
	const char *dir;		/* where the objects are */
	const struct plan *plan;
	const struct shm *shm;
	const struct worker_set *workers; /* all ready */
};

/**
 * observer_start() - load one, tell it whose the workers are, attach it
 * @o: zeroes; for observer_stop() in any case
 * @name: borrowed for as long as @o lives
 *
 * Blocks for as long as the verifier takes.
 *
 * Return: the body of KTSTR_MSG_OBSERVER, new reference: {name, state:
 * "attached", programs, map_id, bytes, load_ns}, or {name, state: "failed",
 * stage, errno, message, log}. NULL out of memory. Where it had to do without
 * its optional programs (KTSTR_OBS_OPTIONAL), "without" says why.
 */
json_t *observer_start(struct observer *o, const char *name,
		       const struct observer_env *env);

/** observer_stop() - detach and unload */
void observer_stop(struct observer *o);

/** observers_phase_start() - remember what the programs have cost so far */
void observers_phase_start(struct observers *all);

/**
 * observers_phase_end() - {NAME: {run_count, run_ns, missed}} since the start
 *
 * And has them look who still waits. After the phase's end is published.
 *
 * Return: new reference; NULL when none is attached.
 */
json_t *observers_phase_end(const struct observers *all);

void observers_stop(struct observers *all);

/**
 * observer_count_tracing() - tracing programs in the kernel, anybody's
 *
 * Return: how many, or -errno.
 */
int observer_count_tracing(void);

/**
 * observer_verifier_says() - the line of a verifier's log that gives the reason
 * @log: ends with a count of instructions, which is none
 */
void observer_verifier_says(const char *log, char *line, size_t len);

#endif
