/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file's content over an emu_link: its data as frames of bytes, its holes as
 * frames that say how long they are. Both directions of emu_wire.h.
 */
#ifndef KTSTR_RUNNER_EMU_BYTES_H
#define KTSTR_RUNNER_EMU_BYTES_H

#include <stdint.h>

#include "runner/emu_link.h"

/* The two messages of one direction. */
struct emu_bytes_types {
	uint16_t data, hole;
};

extern const struct emu_bytes_types emu_bytes_in;  /* to the job */
extern const struct emu_bytes_types emu_bytes_out; /* from the job */

/**
 * emu_bytes_send() - the first @size bytes of @fd, whose offset is moved
 * @limit_ns: within which the other side must take each frame
 *
 * Return: 0; -ENODATA the file is shorter by now; of the file or the link.
 */
int emu_bytes_send(struct emu_link *l, int fd, uint64_t size,
		   const struct emu_bytes_types *types, uint64_t limit_ns);

/* A file that comes in, from its beginning. */
struct emu_bytes_rx {
	int fd;			/* borrowed, empty, at its beginning */
	uint64_t size, left;
};

/**
 * emu_bytes_take() - one frame of it
 * @data_bytes: grows by what was no hole
 *
 * Return: 0; -EPROTO another message, or more than was announced; -errno.
 */
int emu_bytes_take(struct emu_bytes_rx *rx, const struct frame *f,
		   const struct emu_bytes_types *types, uint64_t *data_bytes);

/** emu_bytes_end() - all has come: give it its size. 0, -EPROTO, -errno. */
int emu_bytes_end(struct emu_bytes_rx *rx);

#endif
