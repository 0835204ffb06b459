// SPDX-License-Identifier: GPL-2.0-only
#include "runner/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/path.h"
#include "runner/progress.h"
#include "runner/status_line.h"

/* To the line's begin, and erase from there. */
#define ERASE "\r\033[K"

#define DRAW_INTERVAL_NS (200 * NSEC_PER_MSEC)
#define DEFAULT_WIDTH 80

struct status {
	int fd;
	bool colour;
	bool begun;
	bool in_line;		/* the VM process is in the middle of a line */
	uint64_t begun_ns, drawn_ns;
	struct status_view view;
	char boot[48];
	struct progress_stream stream;
	char drawn[STATUS_LINE_MAX];	/* on the terminal; "": nothing */
};

static uint64_t (*now)(void) = clock_now_ns;

void status_set_clock(uint64_t (*clock)(void))
{
	now = clock;
}

static bool is_capable(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term && *term && strcmp(term, "dumb");
}

/* One write(2), so that nothing of others gets in between. */
static void put(struct status *st, const char *before, const char *text,
		size_t len, const char *after)
{
	size_t nr_before = strlen(before), nr_after = strlen(after);
	size_t all_len = nr_before + len + nr_after;
	char *all = all_len ? malloc(all_len) : NULL;

	if (!all)
		return;
	memcpy(all, before, nr_before);
	memcpy(all + nr_before, text, len);
	memcpy(all + nr_before + len, after, nr_after);
	write_all(st->fd, all, all_len);
	free(all);
}

/* In the background the terminal is somebody else's. */
static bool is_ours(const struct status *st)
{
	pid_t foreground = tcgetpgrp(st->fd);

	return foreground < 0 || foreground == getpgrp();
}

/* What has to be written before anything else is: it is erased by that. */
static const char *take_eraser(struct status *st)
{
	const char *eraser = *st->drawn && is_ours(st) ? ERASE : "";

	*st->drawn = '\0';
	return eraser;
}

/* The last column stays free: some terminals wrap when it is written. */
static size_t width_of(const struct status *st)
{
	struct winsize size;

	if (ioctl(st->fd, TIOCGWINSZ, &size) || !size.ws_col)
		return DEFAULT_WIDTH - 1;
	return size.ws_col - 1;
}

static void draw(struct status *st)
{
	char text[STATUS_LINE_MAX];
	uint64_t now_ns = now();

	if (st->in_line || !is_ours(st))
		return;
	st->view.run_ns = now_ns - st->begun_ns;
	st->drawn_ns = now_ns;
	status_format(&st->view, width_of(st), st->colour, text);
	if (!strcmp(text, st->drawn))
		return;
	put(st, ERASE, text, strlen(text), "");
	strcpy(st->drawn, text);
}

void status_tick(struct status *st)
{
	if (st && st->begun &&
	    now() - st->drawn_ns >= DRAW_INTERVAL_NS)
		draw(st);
}

/* A log line of this process, as log_msg() would have written it. */
static void on_log(void *ctx, enum log_level level, const char *line)
{
	struct status *st = ctx;
	char prefix[64];

	snprintf(prefix, sizeof(prefix), "%s%sktstr: %s", take_eraser(st),
		 st->in_line ? "\n" : "", log_level_prefix(level));
	st->in_line = false;
	put(st, prefix, line, strlen(line), "\n");
	draw(st);
}

/* A line of the VM process, which may quote the guest. */
static void on_text(void *ctx, const char *text, size_t len)
{
	struct status *st = ctx;
	char *copy = malloc(len);

	if (!copy)
		return;
	memcpy(copy, text, len);
	status_make_safe(copy, len);
	put(st, take_eraser(st), copy, len, "");
	free(copy);
	/* behind a piece of a line there is no place to draw */
	st->in_line = text[len - 1] != '\n';
	draw(st);
}

static void on_progress(void *ctx, const struct progress *p)
{
	struct status *st = ctx;

	st->view.progress = *p;
	st->view.known = true;
}

struct status *status_open(int fd)
{
	const char *no_color = getenv("NO_COLOR");
	struct status *st = is_capable(fd) ? calloc(1, sizeof(*st)) : NULL;

	if (!st)
		return NULL;
	st->fd = fd;
	st->colour = !no_color || !*no_color;
	st->stream.progress = on_progress;
	st->stream.text = on_text;
	st->stream.ctx = st;
	return st;
}

void status_close(struct status *st)
{
	status_end(st);
	free(st);
}

void status_scenario(struct status *st, const char *name, unsigned int index,
		     unsigned int total)
{
	if (!st)
		return;
	st->view.name = name;
	st->view.index = index;
	st->view.total = total;
	status_boot(st, NULL);
}

void status_boot(struct status *st, const char *boot)
{
	if (!st)
		return;
	snprintf(st->boot, sizeof(st->boot), "%s", boot ? boot : "");
	st->view.boot = boot ? st->boot : NULL;
}

void status_begin(struct status *st, const json_t *plan)
{
	if (!st)
		return;
	status_plan_read(plan, &st->view.plan);
	st->view.known = st->view.interrupted = false;
	st->begun_ns = now();
	st->begun = true;
	log_set_sink(on_log, st);
	draw(st);
}

void status_end(struct status *st)
{
	if (!st || !st->begun)
		return;
	progress_stream_end(&st->stream);
	log_set_sink(NULL, NULL);
	put(st, take_eraser(st), "", 0, st->in_line ? "\n" : "");
	st->in_line = st->begun = false;
}

void status_feed(struct status *st, const void *data, size_t len)
{
	if (!st || !st->begun)
		return;
	progress_stream_feed(&st->stream, data, len);
	status_tick(st);
}

void status_interrupted(struct status *st)
{
	if (!st || !st->begun)
		return;
	st->view.interrupted = true;
	draw(st);
}
