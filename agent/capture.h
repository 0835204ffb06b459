/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a program has written to one stream, bounded: its beginning and its
 * end. Lives in memory that the process that holds the program shares with
 * PID 1, so that nothing is lost with that process.
 */
#ifndef KTSTR_AGENT_CAPTURE_H
#define KTSTR_AGENT_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

#define CAPTURE_HEAD (64u << 10)
#define CAPTURE_TAIL (64u << 10)
/* Room for the note that stands for what was left out. */
#define CAPTURE_TEXT_MAX (CAPTURE_HEAD + CAPTURE_TAIL + 64)

struct capture {
	uint64_t total;		/* bytes ever written */
	char head[CAPTURE_HEAD];
	char tail[CAPTURE_TAIL]; /* ring: byte n is at n % CAPTURE_TAIL */
};

/** capture_reset() - as if nothing had been written */
void capture_reset(struct capture *c);

void capture_add(struct capture *c, const char *data, size_t len);

/** capture_copy() - touching no more of @to than @from has written */
void capture_copy(struct capture *to, const struct capture *from);

/**
 * capture_text() - all that is kept, in order
 * @buf: CAPTURE_TEXT_MAX bytes; not NUL-terminated
 *
 * Between beginning and end, where bytes were left out, stands a line that
 * says how many. Return: bytes in @buf.
 */
size_t capture_text(const struct capture *c, char *buf);

/**
 * capture_last_lines() - the end of it, for a message
 * @buf: NUL-terminated; what is not printable ASCII is replaced, lines are
 *	joined by " | "
 */
void capture_last_lines(const struct capture *c, unsigned int lines, char *buf,
			size_t len);

#endif
