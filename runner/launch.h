/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a plan to facts: prepares kernel, initrd and scheduler object, picks
 * the accelerator, runs the VM process, and leaves the facts in the run
 * directory. Called by cmd_run; docs/internals/session.md has the formats.
 */
#ifndef KTSTR_RUNNER_LAUNCH_H
#define KTSTR_RUNNER_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

struct replay;
struct status;

enum launch_accel { LAUNCH_ACCEL_AUTO, LAUNCH_ACCEL_KVM, LAUNCH_ACCEL_EMULATED };

struct launch_opts {
	enum launch_accel accel;
	const char *kernel;	/* path of an image or kernel directory; NULL: the fetched one */
	const char *out_dir;	/* exists, new, empty */
	bool quiet;		/* no progress on stderr */
	const struct replay *replay; /* borrowed; NULL: nothing need be the same */
	struct status *status;	/* borrowed; NULL: no live line on stderr */
	bool exec;		/* stdin, stdout, stderr are the guest program's */
};

/* Why there are no facts. */
enum launch_status {
	LAUNCH_OK,		/* facts.json was written */
	LAUNCH_USAGE,		/* a file of the scenario is missing or does not compile */
	LAUNCH_SKIP,		/* no KVM and no emulated host, kernel without sched_ext */
	LAUNCH_ERROR,		/* host or VMM failed */
	LAUNCH_MACHINE_FAULT,	/* the emulating machine failed (PLATFORM) */
	LAUNCH_INTERRUPTED,	/* SIGINT or SIGTERM; facts may be partial or absent */
};

struct launch_result {
	enum launch_status status;
	int signal;		/* when interrupted */
	bool host_unfit;	/* skip, error: no other run could do better here */
	bool no_compile;	/* usage: the scheduler's source is at fault */
	char accel[16];		/* "kvm" or "emulated"; "" if not reached */
	char reason[512];	/* one line, "" when OK */
};

/**
 * launch_prepare() - what can be wrong before a VM starts
 * @plan: completed in place: kernel{}, scheduler{hash, object}; cpus of the
 *	accelerator's limits are checked
 *
 * Blocks for compiling a scheduler source, unpacking the kernel (cached).
 */
void launch_prepare(const struct launch_opts *opts, json_t *plan,
		    struct launch_result *res);

/**
 * launch_run() - run one prepared plan in one VM
 * @facts: on LAUNCH_OK, and when interrupted if there are any: new reference
 *
 * Writes samples.jsonl, console.log, agent.log and facts.json to out_dir. No
 * process or temporary file is left behind, whatever ends it.
 */
void launch_run(const struct launch_opts *opts, json_t *plan,
		struct launch_result *res, json_t **facts);

#endif
