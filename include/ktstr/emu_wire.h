/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages between the runner and the emulated host's init: frames of
 * wire.h over one virtio port per slot. One side is runner/emu_job.c, the
 * other runner/emu_slot.c.
 *
 * A session: EMU_FRAME_MAX + 24 zero bytes (they end whatever a client that
 * died left half sent), HELLO, WELCOME; then any number of jobs, each JOB,
 * NEED, DATA..., STARTED, output and ticks, EXIT, FILE and FILE_DATA..., DONE;
 * where a file has a hole its length takes the place of data.
 */
#ifndef KTSTR_EMU_WIRE_H
#define KTSTR_EMU_WIRE_H

#define EMU_PORT_PREFIX "ktstr.emu." /* then the slot's number */
#define EMU_FRAME_MAX (64u << 10)    /* payload bytes, less than wire.h's */

enum ktstr_emu_msg {
	/* runner to emulated host */
	EMU_MSG_HELLO = 128,	/* text: a nonce */
	EMU_MSG_JOB = 129,	/* {argv, env, out, files: [{path, size, sha256, exec}]} */
	EMU_MSG_DATA = 130,	/* bytes of the needed files, in NEED's order */
	EMU_MSG_SIGNAL = 131,	/* {signo}; SIGKILL goes to all of the job */
	EMU_MSG_HOLE = 132,	/* u64: so many bytes of DATA are zeroes */
	/* emulated host to runner */
	EMU_MSG_WELCOME = 160,	/* text: HELLO's nonce */
	EMU_MSG_NEED = 161,	/* {files: [index]}: not in the store yet */
	EMU_MSG_STARTED = 162,	/* {pid} */
	EMU_MSG_STDOUT = 163,	/* bytes */
	EMU_MSG_STDERR = 164,	/* bytes */
	EMU_MSG_TICK = 165,	/* once a second while the job runs */
	EMU_MSG_EXIT = 166,	/* {end, value, run_ns, message} */
	EMU_MSG_FILE = 167,	/* {path, size, mode} of one output file */
	EMU_MSG_FILE_DATA = 168,/* its bytes */
	EMU_MSG_DONE = 169,	/* {files} */
	EMU_MSG_FILE_HOLE = 170,/* u64: so many bytes of FILE_DATA are zeroes */
};

#endif
