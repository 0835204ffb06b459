/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames over a non-blocking descriptor, with deadlines: both ends of emu_wire.h. */
#ifndef KTSTR_RUNNER_EMU_LINK_H
#define KTSTR_RUNNER_EMU_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "include/ktstr/emu_wire.h"
#include "lib/frame.h"

struct emu_link {
	int fd;			/* owned, O_NONBLOCK; -1: none */
	struct frame_reader rx;
	uint32_t tx_seq;
	uint64_t last_rx_ns;	/* when bytes last came in */
	uint8_t *tx_buf;	/* owned: one frame */

	/* Asked at least every 100 ms of waiting; true: -ECANCELED. */
	bool (*abort)(void *ctx);
	void *abort_ctx;
};

/** emu_link_open() - take @fd over. Return: 0 or -ENOMEM (@fd is closed). */
int emu_link_open(struct emu_link *l, int fd);
void emu_link_close(struct emu_link *l);

/**
 * emu_link_greet() - as the host: begin a session and wait for the answer
 *
 * Skips what the other side had on the way to an earlier client.
 *
 * Return: 0, -ETIMEDOUT, -EPIPE, or -errno.
 */
int emu_link_greet(struct emu_link *l, uint64_t deadline_ns);

/**
 * emu_link_welcome() - as the guest: hunt for a HELLO and answer it
 *
 * Return: 0; -EAGAIN nothing yet; -EPIPE nobody is connected.
 */
int emu_link_welcome(struct emu_link *l, uint64_t deadline_ns);

/**
 * emu_link_send() - one frame, whole
 * @len: at most EMU_FRAME_MAX
 *
 * Return: 0; -ETIMEDOUT (the stream is broken then); -EPIPE the other side
 * is gone; -EMSGSIZE.
 */
int emu_link_send(struct emu_link *l, uint16_t type, const void *payload,
		  size_t len, uint64_t deadline_ns);

/** emu_link_send_json() - the same; steals @obj, NULL gives -ENOMEM */
int emu_link_send_json(struct emu_link *l, uint16_t type, json_t *obj,
		       uint64_t deadline_ns);

/**
 * emu_link_next() - a frame that has come, without waiting
 *
 * Reads the descriptor once if no whole frame is buffered.
 *
 * Return: 1 and @f (borrowed until the next call); 0 none; -EPIPE; -EPROTO.
 */
int emu_link_next(struct emu_link *l, struct frame *f);

/** emu_link_recv() - the same, waiting. Return: 1, or -ETIMEDOUT instead of 0. */
int emu_link_recv(struct emu_link *l, struct frame *f, uint64_t deadline_ns);

/**
 * emu_link_wait() - poll for @events
 *
 * Return: 0; -ETIMEDOUT, -EINTR, -EPIPE, -ECANCELED.
 */
int emu_link_wait(struct emu_link *l, short events, uint64_t deadline_ns);

/** emu_frame_json() - the object in a frame. Return: new reference or NULL. */
json_t *emu_frame_json(const struct frame *f);

/** emu_path_ok() - relative, no "..", no empty parts: fit to be created below a folder */
bool emu_path_ok(const char *path);

#endif
