/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's log: what of it the host must see, and what it says about the
 * end of a scheduler. Used by the agent's main loop.
 */
#ifndef KTSTR_AGENT_KMSG_H
#define KTSTR_AGENT_KMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One record of /dev/kmsg. */
struct kmsg_line {
	unsigned int level;	/* 0 emergency .. 7 debug */
	unsigned int facility;
	uint64_t seq;
	uint64_t usec;
	const char *text;	/* borrowed, not NUL-terminated */
	size_t len;
};

/* What the log said when a scheduler ended; "" where it said nothing. */
struct kmsg_exit {
	bool seen;
	char scheduler[64];
	char reason[128];
	char message[256];
};

struct kmsg {
	int fd;			/* owned; -1: no log */
	uint64_t lost;		/* times the ring had overrun us */
	struct kmsg_exit exit;	/* the latest one */
};

/**
 * kmsg_parse() - take a record apart
 *
 * Continuation lines (" KEY=value") are left out of the text.
 *
 * Return: false if it is no record.
 */
bool kmsg_parse(const char *record, size_t len, struct kmsg_line *line);

/** kmsg_wanted() - a warning or worse, or about a scheduler or a hang */
bool kmsg_wanted(const struct kmsg_line *line);

/** kmsg_note_exit() - learn from a line how a scheduler ended */
void kmsg_note_exit(struct kmsg_exit *exit, const struct kmsg_line *line);

/** kmsg_open() - from the oldest record on. Return: 0 or -errno. */
int kmsg_open(struct kmsg *k);
void kmsg_close(struct kmsg *k);

/**
 * kmsg_drain() - read what there is
 * @out: wanted lines as "LEVEL,SEQ,USEC;text", newline between two, no NUL
 *
 * Never blocks. Stops early when @out is nearly full: call again while it
 * returns something.
 *
 * Return: bytes in @out.
 */
size_t kmsg_drain(struct kmsg *k, char *out, size_t cap);

#endif
