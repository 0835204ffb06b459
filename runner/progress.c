// SPDX-License-Identifier: GPL-2.0-only
#include "runner/progress.h"

#include <string.h>

#include <jansson.h>

#include "lib/clock.h"

/* Begins each line of progress: ASCII's record separator, in no log line. */
#define MARK '\036'

static json_t *disks_json(const struct progress *p)
{
	json_t *disks = json_array();
	unsigned int i;

	for (i = 0; i < p->nr_disks; i++)
		json_array_append_new(disks, json_pack("[I,I]",
			(json_int_t)p->disks[i].iops,
			(json_int_t)p->disks[i].bps));
	return disks;
}

size_t progress_line(const struct progress *p, char *buf)
{
	json_t *json = json_pack("{s:i,s:i,s:I,s:I,s:I,s:o}", "stage",
				 (int)p->stage, "sched", (int)p->sched,
				 "phase", (json_int_t)p->phase, "elapsed_ns",
				 (json_int_t)p->elapsed_ns, "wake_max_ns",
				 (json_int_t)p->wake_max_ns, "disks",
				 disks_json(p));
	size_t len = json ? json_dumpb(json, buf + 1, PROGRESS_LINE_MAX - 2,
				       JSON_COMPACT) : 0;

	json_decref(json);
	if (!len || len > PROGRESS_LINE_MAX - 2)
		return 0;
	buf[0] = MARK;
	buf[len + 1] = '\n';
	return len + 2;
}

/* A whole number from 0 to @max. */
static bool number(const json_t *v, uint64_t max, uint64_t *out)
{
	if (!json_is_integer(v) || json_integer_value(v) < 0 ||
	    (uint64_t)json_integer_value(v) > max)
		return false;
	*out = json_integer_value(v);
	return true;
}

static bool read_disks(const json_t *disks, struct progress *p)
{
	const json_t *disk;
	size_t i;

	if (!json_is_array(disks) ||
	    json_array_size(disks) > PROGRESS_MAX_DISKS)
		return false;
	json_array_foreach(disks, i, disk)
		if (!number(json_array_get(disk, 0), INT64_MAX,
			    &p->disks[i].iops) ||
		    !number(json_array_get(disk, 1), INT64_MAX,
			    &p->disks[i].bps))
			return false;
	p->nr_disks = json_array_size(disks);
	return true;
}

static bool read_numbers(const json_t *json, struct progress *p)
{
	uint64_t stage, sched, phase;

	if (!number(json_object_get(json, "stage"), PROGRESS_NR_STAGES - 1,
		    &stage) ||
	    !number(json_object_get(json, "sched"), PROGRESS_SCHED_NR - 1,
		    &sched) ||
	    !number(json_object_get(json, "phase"), PROGRESS_NO_PHASE,
		    &phase) ||
	    !number(json_object_get(json, "elapsed_ns"), INT64_MAX,
		    &p->elapsed_ns) ||
	    !number(json_object_get(json, "wake_max_ns"), INT64_MAX,
		    &p->wake_max_ns))
		return false;
	p->stage = stage;
	p->sched = sched;
	p->phase = phase;
	return true;
}

bool progress_parse(const char *line, size_t len, struct progress *out)
{
	struct progress p = { 0 };
	json_t *json;
	bool good;

	if (len < 2 || len >= PROGRESS_LINE_MAX || line[0] != MARK)
		return false;
	json = json_loadb(line + 1, len - 1, JSON_REJECT_DUPLICATES, NULL);
	good = read_numbers(json, &p) &&
	       read_disks(json_object_get(json, "disks"), &p);
	json_decref(json);
	if (good)
		*out = p;
	return good;
}

/* @len bytes of the buffer: a line with its newline, or a piece of one. */
static void hand_out(struct progress_stream *s, size_t len)
{
	bool is_line = len && s->buf[len - 1] == '\n';
	struct progress p;

	if (is_line && !s->in_piece && progress_parse(s->buf, len - 1, &p))
		s->progress(s->ctx, &p);
	else
		s->text(s->ctx, s->buf, len);
	s->in_piece = !is_line;
	s->len -= len;
	memmove(s->buf, s->buf + len, s->len);
}

void progress_stream_feed(struct progress_stream *s, const char *data,
			  size_t len)
{
	size_t room, n;
	char *end;

	while (len) {
		room = sizeof(s->buf) - s->len;
		n = len < room ? len : room;
		memcpy(s->buf + s->len, data, n);
		s->len += n;
		data += n;
		len -= n;
		while (s->len && (end = memchr(s->buf, '\n', s->len)))
			hand_out(s, end + 1 - s->buf);
		if (s->len == sizeof(s->buf))
			hand_out(s, s->len);
	}
}

void progress_stream_end(struct progress_stream *s)
{
	if (s->len)
		hand_out(s, s->len);
	s->in_piece = false;
}

uint64_t progress_rate_add(struct progress_rate *r, uint64_t at_ns,
			   uint64_t count)
{
	unsigned int newest = (r->next + PROGRESS_RATE_POINTS - 1) %
			      PROGRESS_RATE_POINTS;
	unsigned int oldest = r->nr < PROGRESS_RATE_POINTS ? 0 : r->next;
	uint64_t since_ns, grown;
	unsigned __int128 rate;

	if (r->nr && (at_ns < r->point[newest].at_ns ||
		      count < r->point[newest].count))
		*r = (struct progress_rate){ 0 };
	since_ns = r->nr ? at_ns - r->point[oldest].at_ns : 0;
	grown = r->nr ? count - r->point[oldest].count : 0;
	r->point[r->next].at_ns = at_ns;
	r->point[r->next].count = count;
	r->next = (r->next + 1) % PROGRESS_RATE_POINTS;
	if (r->nr < PROGRESS_RATE_POINTS)
		r->nr++;
	if (!since_ns)
		return 0;
	rate = ((unsigned __int128)grown * NSEC_PER_SEC + since_ns / 2) /
	       since_ns;
	return rate < INT64_MAX ? rate : INT64_MAX;
}
