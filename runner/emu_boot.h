/* SPDX-License-Identifier: GPL-2.0-only */
/* The QEMU process of an emulated host: its initramfs, its life and death. */
#ifndef KTSTR_RUNNER_EMU_BOOT_H
#define KTSTR_RUNNER_EMU_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define EMU_SLOTS_MAX 16
#define EMU_MODULE_DIR "/ktstr-modules"

struct emu_machine {
	pid_t pid;		/* QEMU; 0: not running */
	int pidfd;
	int console_fd;		/* owned: what the machine's kernel prints */
	int log_fd;		/* owned: what QEMU prints */
};

struct emu_boot_opts {
	const char *kernel_dir;	/* NULL: the fetched default */
	unsigned int nr_slots;
	const int *port_fds;	/* per slot, borrowed: connected or listening */
	bool listening;
	const char *console;	/* file for the console; NULL: in memory */
};

/**
 * emu_machine_start() - boot; returns as soon as QEMU runs
 *
 * QEMU is killed when the calling thread ends. It has no files of its own.
 *
 * Return: 0; -ENOENT no QEMU or kernel; -ENOMEM; others. A line in @err_msg.
 */
int emu_machine_start(const struct emu_boot_opts *opts, struct emu_machine *m,
		      char *err_msg, size_t err_len);

/** emu_machine_stop() - kill QEMU and wait for it; stopped ones are fine */
void emu_machine_stop(struct emu_machine *m);

/** emu_machine_died() - has QEMU ended by itself? @why: how, one line */
bool emu_machine_died(struct emu_machine *m, char *why, size_t why_len);

/** emu_console_tail() - the last lines of @fd that fit into @len, as text */
void emu_console_tail(int fd, char *tail, size_t len);

#endif
