/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The load of kind exec: a worker that holds a program instead of working
 * itself. Called by worker_main.c; what it leaves is read by worker.c.
 */
#ifndef KTSTR_AGENT_LOAD_EXEC_H
#define KTSTR_AGENT_LOAD_EXEC_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "agent/program.h"

struct plan_workload;

#define LOAD_EXEC_JSON_MAX (256u << 10)
/* How long a program has to end after SIGTERM. */
#define LOAD_EXEC_GRACE_NS (3000000000ULL)

enum load_exec_end {
	LOAD_EXEC_WAITING,	/* at the barrier */
	LOAD_EXEC_RUNNING,
	LOAD_EXEC_EXITED,	/* by itself, with .code */
	LOAD_EXEC_SIGNALED,	/* likewise, by the signal .code */
	LOAD_EXEC_STOPPED,	/* after our SIGTERM, however */
	LOAD_EXEC_KILLED,	/* it did not end after SIGTERM */
	LOAD_EXEC_NOT_STARTED,	/* execve(2) failed: -errno in .code */
};

/* What one run of a program left. */
struct load_exec_yield {
	struct program_output output;
	int32_t json_err;	/* -errno of its JSON file; 0: read, or none */
	uint32_t json_len;
	char json[LOAD_EXEC_JSON_MAX];
};

/*
 * What is known of one program, in memory shared with PID 1. A repeated one is
 * stopped within a run: what counts is what the run before left.
 */
struct load_exec {
	uint32_t end;		/* enum load_exec_end */
	int32_t code;
	uint32_t runs;		/* that ended by themselves with status 0 */
	uint64_t begun_ns, ended_ns; /* CLOCK_MONOTONIC; 0: not (yet) */
	uint32_t cut;		/* the last run was stopped, by us */
	uint32_t pad;
	struct load_exec_yield last;	/* of the last run */
	struct load_exec_yield whole;	/* of the last of .runs */
};

/** load_exec_yield() - what to tell the host of */
const struct load_exec_yield *load_exec_yield(const struct load_exec *x);

struct load_exec *load_exec_new(void);
void load_exec_free(struct load_exec *x);

/**
 * load_exec_leaf() - the cgroup of one program, below its workload's
 *
 * Everything that it starts is there: it ends together, and is accounted
 * together.
 */
void load_exec_leaf(const struct plan_workload *w, unsigned int index,
		    char *name, size_t len);

/** load_exec_report() - as the body of LOAD_END. New reference. */
json_t *load_exec_report(const struct load_exec *x,
			 const struct plan_workload *w, unsigned int index);

#endif
