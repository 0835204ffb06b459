/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How far a run is, from the VM process to `ktstr run`: lines of numbers on
 * the VM process's stderr, between those of its log, so that they travel
 * through the emulated host as well. Written by session_progress.c, read by
 * status.c.
 */
#ifndef KTSTR_RUNNER_PROGRESS_H
#define KTSTR_RUNNER_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `ktstr __vm` is asked for it with this, before IN and OUT. */
#define PROGRESS_OPTION "--progress"

#define PROGRESS_MAX_DISKS 8
#define PROGRESS_NO_PHASE 0xffffffffu
#define PROGRESS_LINE_MAX 1024	/* of a line with its newline */

/* As enum session_stage, but for its end: that is the last phase's. */
enum progress_stage {
	PROGRESS_BOOT,
	PROGRESS_AGENT,
	PROGRESS_SCHEDULER,
	PROGRESS_READY,
	PROGRESS_PHASES,
	PROGRESS_DONE,
	PROGRESS_NR_STAGES,
};

/* The sched_ext scheduler, as the kernel and the agent last said. */
enum progress_sched {
	PROGRESS_SCHED_UNKNOWN,
	PROGRESS_SCHED_ENABLING,
	PROGRESS_SCHED_ENABLED,
	PROGRESS_SCHED_DISABLING,
	PROGRESS_SCHED_DISABLED,
	PROGRESS_SCHED_FAILED,	/* never came up */
	PROGRESS_SCHED_GONE,	/* came up, and left */
	PROGRESS_SCHED_NR,
};

struct progress {
	enum progress_stage stage;
	enum progress_sched sched;
	uint32_t phase;		/* the last that began, or PROGRESS_NO_PHASE */
	uint64_t elapsed_ns;	/* of that phase, at most its duration */
	uint64_t wake_max_ns;	/* in measured phases so far; 0: none yet */
	unsigned int nr_disks;
	struct {
		uint64_t iops, bps;	/* delivered over the last second */
	} disks[PROGRESS_MAX_DISKS];
};

/**
 * progress_line() - the line that says it, with its newline
 * @buf: PROGRESS_LINE_MAX bytes
 *
 * Return: its length; 0 when out of memory.
 */
size_t progress_line(const struct progress *p, char *buf);

/**
 * progress_parse() - read such a line; it may hold anything
 * @line: without its newline
 *
 * Return: true, and @p whole; false for any other line.
 */
bool progress_parse(const char *line, size_t len, struct progress *p);

/*
 * Takes the VM process's stderr apart into lines. One that is longer than the
 * buffer comes in pieces, none of which is progress.
 */
struct progress_stream {
	char buf[4096];
	size_t len;
	bool in_piece;		/* what comes next goes on a cut line */

	void (*progress)(void *ctx, const struct progress *p);
	/* other lines, each with its newline, but for a cut or a last one */
	void (*text)(void *ctx, const char *text, size_t len);
	void *ctx;
};

/** progress_stream_feed() - bytes as they came */
void progress_stream_feed(struct progress_stream *s, const char *data,
			  size_t len);

/** progress_stream_end() - hand out a last line that has no newline */
void progress_stream_end(struct progress_stream *s);

/* A counter that only grows, read at irregular times. */
#define PROGRESS_RATE_POINTS 4

struct progress_rate {
	struct {
		uint64_t at_ns, count;
	} point[PROGRESS_RATE_POINTS];
	unsigned int nr, next;
};

/**
 * progress_rate_add() - what @count grew by per second, lately
 *
 * Between this reading and the oldest of the PROGRESS_RATE_POINTS before it,
 * rounded to the nearest; 0 for the first. One that went back begins anew.
 */
uint64_t progress_rate_add(struct progress_rate *r, uint64_t at_ns,
			   uint64_t count);

#endif
