/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The emulated host: a machine with AMD SVM in QEMU's TCG, for hosts whose
 * KVM can't run a kernel (DESIGN 13). The launcher and the test runner send
 * jobs into it: a program, its files, and a directory that comes back.
 *
 * A handle holds one slot, which runs one job at a time. No global state;
 * one handle belongs to one thread.
 */
#ifndef KTSTR_RUNNER_EMU_H
#define KTSTR_RUNNER_EMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct emu_host;

/* Set to a directory of `ktstr __emu-serve`: jobs go to that host. */
#define KTSTR_EMU_HOST_ENV "KTSTR_EMU_HOST"

struct emu_opts {
	const char *kernel_dir;	/* NULL: $KTSTR_CACHE/kernels/default */
	const char *serve_dir;	/* NULL: $KTSTR_EMU_HOST if set, else own */
	uint64_t open_ns;	/* limit of emu_host_open(); 0: 60 s */
	uint64_t hang_ns;	/* silence that means a hang; 0: 30 s */

	/* Called at least every 100 ms while opening; true: -ECANCELED. */
	bool (*abort)(void *ctx);
	void *ctx;
};

/**
 * emu_host_open() - a slot of a running batch host, or a host of our own
 * @opts: NULL: all defaults
 * @host: on success; ended with emu_host_close()
 * @err_msg: on failure one line
 *
 * A host of our own dies with the thread that called this, whatever ends it,
 * and has no files. Blocks until the host serves jobs, or for a free slot.
 *
 * Return: 0; -ENOENT no QEMU or no fetched kernel; -ENOMEM too little free
 * memory; -ETIMEDOUT, -EIO the host did not come up; -ECANCELED.
 */
int emu_host_open(const struct emu_opts *opts, struct emu_host **host,
		  char *err_msg, size_t err_len);

/** emu_host_close() - kill a host of our own, give back a slot. NULL is fine. */
void emu_host_close(struct emu_host *host);

/*
 * A file for a job. Files of the same content are sent to one host once and
 * hard-linked after that: a job must not write to its input files, but for its
 * own. Holes are not sent. One below @out comes back like what the job put there.
 */
struct emu_file {
	const char *host_path;	/* a regular file; symlinks are followed */
	const char *path;	/* inside: relative to the job's directory */
	bool exec;
	bool own;		/* sent anew: the job may write to it */
};

struct emu_job {
	/*
	 * argv[0] is looked up like execve(2) does from the job's directory
	 * ("./ktstr"), without $PATH. Relative paths are the job's.
	 */
	const char *const *argv;	/* NULL-terminated */
	const char *const *env;		/* NULL-terminated; NULL: empty */
	const struct emu_file *files;
	size_t nr_files;
	const char *out;	/* inside: made empty for the job; NULL: none */
	const char *out_dir;	/* exists here; @out's files are copied to it */
	uint64_t timeout_ns;	/* the job's run, then SIGKILL; 0: 10 minutes */

	/* Output as it comes; called by emu_job_run() only. NULL: our own. */
	void (*output)(void *ctx, bool is_stderr, const void *data, size_t len);
	/* Called at least every 100 ms; true: kill the job, collect, return. */
	bool (*abort)(void *ctx);
	void *ctx;
};

enum emu_end {
	EMU_EXITED,	/* value: exit status */
	EMU_SIGNALED,	/* value: signal */
	EMU_TIMED_OUT,	/* killed after timeout_ns */
	EMU_ABORTED,	/* killed because abort() said so */
	EMU_NOT_STARTED,/* value: errno of execve or of the set-up inside */
	EMU_FAULT,	/* the emulated machine died or hung */
};

struct emu_result {
	enum emu_end end;
	int value;
	unsigned int out_files;	/* copied to out_dir */
	uint64_t run_ns;	/* from start to end of the program, inside */
	char reason[256];	/* one line; "" for EMU_EXITED */
	char console_tail[4096];/* EMU_FAULT: last lines of the host's console */
};

/**
 * emu_job_run() - run one job to its end
 * @res: filled when 0 is returned
 *
 * The out directory is copied whatever ended the job, except EMU_FAULT.
 * After EMU_FAULT the handle only takes emu_host_close(). Bounded: by
 * timeout_ns, and by hang_ns of silence.
 *
 * Return: 0 with @res; -errno for what went wrong on this side (a file can't
 * be read or written), with one line in @res->reason.
 */
int emu_job_run(struct emu_host *host, const struct emu_job *job,
		struct emu_result *res);

/**
 * emu_job_signal() - send @signo to the running job's first process
 *
 * Async-signal-safe; one signal is pending at a time, the last one counts.
 */
void emu_job_signal(struct emu_host *host, int signo);

/** emu_end_name() - "exited", "signaled", ... */
const char *emu_end_name(enum emu_end end);

/**
 * emu_fault_name() - is this console text a known fault of the emulation?
 * @text: any part of a kernel log, the emulated host's or its guest's
 *
 * Return: its name, or NULL. Source: PLATFORM, "Oops: int3".
 */
const char *emu_fault_name(const char *text);

#endif
