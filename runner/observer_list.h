/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The observers inside the ktstr binary, for observe_names.c, blob.c and
 * blob.S: name, object, and what it is. bpf/build.mk builds the objects.
 */
#ifndef KTSTR_RUNNER_OBSERVER_LIST_H
#define KTSTR_RUNNER_OBSERVER_LIST_H

#define OBSERVERS(X) \
	X(wake_latency, "bpf/observers/wake_latency.bpf.o", \
	  "from wake-up to run, by workload") \
	X(io_completion, "bpf/observers/io_completion.bpf.o", \
	  "from a disk's completion to the worker's run, by stage") \
	X(who_ran, "bpf/observers/who_ran.bpf.o", \
	  "what ran while a workload's task waited longest") \
	X(work_conservation, "bpf/observers/work_conservation.bpf.o", \
	  "CPUs idle while a task that may run there waits")

#endif
