/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside of struct emu_host: between emu.c, emu_job.c and emu_serve.c only. */
#ifndef KTSTR_RUNNER_EMU_HOST_H
#define KTSTR_RUNNER_EMU_HOST_H

#include <signal.h>
#include <stdbool.h>

#include "runner/emu.h"
#include "runner/emu_boot.h"
#include "runner/emu_link.h"

struct emu_host {
	struct emu_link link;
	struct emu_machine own;	/* pid 0: a batch host's slot */
	char *serve_dir;	/* owned; NULL: own host */
	int lock_fd;		/* holds the slot of a batch host */
	unsigned int generation;/* which boot of the batch host */
	uint64_t hang_ns;
	bool (*abort)(void *ctx); /* while opening */
	void *abort_ctx;
	bool faulted;
	volatile sig_atomic_t signo; /* to be sent to the job */
};

/* Files of a serve directory. */
#define EMU_SERVE_GENERATION "generation" /* text: number of the boot */
#define EMU_SERVE_SLOT "slot-%u"	  /* + ".sock", ".lock" */
#define EMU_SERVE_CONSOLE "console-%u.log" /* per boot */
#define EMU_SERVE_SUSPECT "suspect-%u"	  /* a client says it hangs */

/** emu_host_fault() - the machine is gone: say why in @res */
void emu_host_fault(struct emu_host *h, struct emu_result *res, int err);

#endif
