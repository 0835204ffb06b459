/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside the emulated host: one process per slot serves one port's jobs. */
#ifndef KTSTR_RUNNER_EMU_SLOT_H
#define KTSTR_RUNNER_EMU_SLOT_H

#include "runner/emu_link.h"

#include <jansson.h>

#include <limits.h>

#define EMU_STORE_DIR "/store"	/* files by content hash */
#define EMU_JOB_DIR "/job"	/* a folder per slot */
#define EMU_CGROUP_DIR "/sys/fs/cgroup"

/*
 * How long a client may take to read or to send: who is gone has closed the
 * port, and who was stopped (Ctrl-Z) comes back.
 */
#define EMU_CLIENT_NS (24 * 3600 * NSEC_PER_SEC)

/**
 * emu_slot_main() - serve a port for ever
 * @index: the slot's number, names its job folder and its cgroup
 * @port: path of the port's device
 *
 * Return: -errno when the port can't be opened; never otherwise.
 */
int emu_slot_main(unsigned int index, const char *port);

/*
 * The rest is between emu_slot.c and emu_job_inside.c.
 */
struct emu_slot {
	struct emu_link link;
	unsigned int index;
	char dir[PATH_MAX];	/* the job's folder */
	char cgroup[PATH_MAX];	/* "" without cgroups */
};

/**
 * emu_slot_spawn() - run the job's program and pass on what it prints
 * @job: the JOB message; its files are in place
 * @exit_msg: on 0: the EXIT message, new reference
 *
 * Nothing of the job runs when this returns.
 *
 * Return: 0; -EPIPE and others when the session is over.
 */
int emu_slot_spawn(struct emu_slot *s, json_t *job, json_t **exit_msg);

/** emu_slot_kill() - kill all processes of the slot's cgroup, wait for them */
void emu_slot_kill(struct emu_slot *s);

#endif
