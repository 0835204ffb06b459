/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What this machine has and lacks for runs: findings in, lines out. Called by
 * cmd_doctor.c, which looks; nothing here does.
 */
#ifndef KTSTR_RUNNER_DOCTOR_H
#define KTSTR_RUNNER_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "vmm/vmm.h"

#define DOCTOR_QEMU_LEAST 10		/* older ones' SVM can't run a host */
#define DOCTOR_MAX_LINES 16

/* What was seen. Zero: not there, or not known. */
struct doctor_findings {
	bool x86_64;
	bool is_guest;			/* CPUID says: a hypervisor is below */
	bool intel;			/* else AMD, for a module's name */
	struct vm_kvm_probe kvm;
	unsigned int qemu_major;	/* 0: no QEMU */
	char qemu[128];			/* its path */
	int kernel_err;			/* of kernel_open() */
	char kernel_why[256];
	char kernel_release[128];
	bool kernel_btf, kernel_sched_ext;
	char clang[64];			/* "": none */
	uint64_t memory_bytes;		/* that a VM could have, now */
	char cache_dir[256];
	int cache_err;			/* of writing a file there */
	uint64_t cache_free_bytes;
	unsigned int cpus;
	double load1;			/* of the last minute */
	double steal_ratio;		/* of CPU time since boot; < 0: unknown */
};

enum doctor_state {
	DOCTOR_OK,
	DOCTOR_WARN,	/* runs are possible, with the limit said */
	DOCTOR_BAD,	/* no run is possible until this is mended */
};

struct doctor_line {
	const char *name;
	enum doctor_state state;
	char text[400];
	char mend[200];	/* a command, or ""; on its own it mends the finding */
};

struct doctor_report {
	struct doctor_line lines[DOCTOR_MAX_LINES];
	unsigned int nr;
	bool can_run;
	const char *accel;	/* that `--accel auto` takes; NULL: none */
};

/** doctor_judge() - a function of @f alone */
void doctor_judge(const struct doctor_findings *f, struct doctor_report *r);

const char *doctor_state_name(enum doctor_state state);

/** doctor_json() - schema ktstr.doctor/1. New reference or NULL. */
json_t *doctor_json(const struct doctor_report *r);

#endif
