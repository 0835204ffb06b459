/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The observers inside the ktstr binary, for observe_names.c, blob.c and
 * blob.S: name, object, and what it is. bpf/build.mk builds the objects.
 */
#ifndef KTSTR_RUNNER_OBSERVER_LIST_H
#define KTSTR_RUNNER_OBSERVER_LIST_H

#define OBSERVERS(X) \
	X(wake_latency, "bpf/observers/wake_latency.bpf.o", \
	  "from wake-up to run, by workload")

#endif
