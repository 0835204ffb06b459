/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The schedulers inside the ktstr binary, for builtin.c, blob.c and blob.S:
 * name, object, whether it is a planted fault, and what it is, good ones first.
 * bpf/build.mk builds the objects.
 */
#ifndef KTSTR_RUNNER_BUILTIN_LIST_H
#define KTSTR_RUNNER_BUILTIN_LIST_H

#define BUILTINS(X) \
	X(simple, "bpf/simple.bpf.o", false, \
	  "weighted virtual time on one shared queue") \
	X(fifo, "bpf/fifo.bpf.o", false, \
	  "one queue, first come first served") \
	X(per_llc, "bpf/per_llc.bpf.o", false, \
	  "weighted virtual time, a queue for each LLC, stealing") \
	X(starve_one, "bpf/faults/starve_one.bpf.o", true, \
	  "never dispatches one task") \
	X(stall, "bpf/faults/stall.bpf.o", true, \
	  "stops dispatching user tasks after a while") \
	X(map_lies, "bpf/faults/map_lies.bpf.o", true, \
	  "schedules well, but its stats map is wrong") \
	X(delay_io, "bpf/faults/delay_io.bpf.o", true, \
	  "holds tasks that wake from disk IO") \
	X(unfair, "bpf/faults/unfair.bpf.o", true, \
	  "gives every second task longer slices for free") \
	X(idle_leak, "bpf/faults/idle_leak.bpf.o", true, \
	  "leaves CPUs idle with work queued") \
	X(late_kworker, "bpf/faults/late_kworker.bpf.o", true, \
	  "holds the kernel's per-CPU threads") \
	X(slow_exit, "bpf/faults/slow_exit.bpf.o", true, \
	  "leaves after a while, and takes its time")

#endif
