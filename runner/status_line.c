// SPDX-License-Identifier: GPL-2.0-only
#include "runner/status_line.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "runner/units.h"

#define PART_MAX 192

#define RED "\033[31m"
#define YELLOW "\033[33m"
#define PLAIN "\033[m"

static const char *member(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

void status_plan_read(const json_t *plan, struct status_plan *p)
{
	const json_t *item;
	size_t i;

	*p = (struct status_plan){ 0 };
	json_array_foreach(json_object_get(plan, "phases"), i, item) {
		if (i == STATUS_MAX_PHASES)
			break;
		p->phases[i].name = member(item, "name");
		p->phases[i].duration_ns = json_integer_value(
			json_object_get(item, "duration_ns"));
		p->nr_phases = i + 1;
	}
	json_array_foreach(json_object_get(plan, "disks"), i, item) {
		if (i == PROGRESS_MAX_DISKS)
			break;
		p->disks[i] = member(item, "name");
		p->nr_disks = i + 1;
	}
	p->scheduler = member(json_object_get(plan, "scheduler"), "name");
}

/* Is its phase one that the plan has? */
static bool in_phases(const struct status_view *v)
{
	return v->known && v->progress.phase < v->plan.nr_phases;
}

uint64_t status_left_ns(const struct status_view *v)
{
	uint32_t i = in_phases(v) ? v->progress.phase : 0;
	uint64_t left_ns = 0, done_ns;

	if (v->known && v->progress.stage == PROGRESS_DONE)
		return 0;
	done_ns = in_phases(v) ? v->progress.elapsed_ns : 0;
	if (done_ns > v->plan.phases[i].duration_ns)
		done_ns = v->plan.phases[i].duration_ns;
	for (; i < v->plan.nr_phases; i++)
		left_ns += v->plan.phases[i].duration_ns;
	return left_ns - done_ns;
}

/* The line as it grows. */
struct line {
	char *buf;
	size_t len, columns, width;
	bool colour;
};

/* Nothing that a terminal would act on; and a byte is a column. */
static void make_plain(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static void append(struct line *l, const char *text, size_t len)
{
	memcpy(l->buf + l->len, text, len);
	l->len += len;
	l->buf[l->len] = '\0';
}

/* Another part, if there is room for all of it; the first is cut to fit. */
__attribute__((format(printf, 3, 4)))
static void add(struct line *l, const char *colour, const char *fmt, ...)
{
	const char *between = l->columns ? ", " : "";
	char part[PART_MAX];
	size_t len, room;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(part, sizeof(part), fmt, ap);
	va_end(ap);
	make_plain(part);
	len = strlen(part);
	room = l->width - l->columns;
	if (!l->columns && len > room)
		len = room;
	/* a colour takes bytes, though no columns: 16 at most */
	if (strlen(between) + len > room ||
	    l->len + strlen(between) + len + 16 >= STATUS_LINE_MAX)
		return;
	append(l, between, strlen(between));
	if (colour && l->colour)
		append(l, colour, strlen(colour));
	append(l, part, len);
	if (colour && l->colour)
		append(l, PLAIN, strlen(PLAIN));
	l->columns += strlen(between) + len;
}

static const char *stage_text(const struct status_view *v)
{
	static const char *const texts[PROGRESS_NR_STAGES] = {
		[PROGRESS_BOOT] = "booting",
		[PROGRESS_AGENT] = "booted, setting up",
		[PROGRESS_SCHEDULER] = "setting up",
		[PROGRESS_READY] = "ready",
		[PROGRESS_PHASES] = "running",
		[PROGRESS_DONE] = "done",
	};

	if (v->interrupted)
		return "stopping";
	return v->known ? texts[v->progress.stage] : "starting";
}

/* "2/5 name: phase 1/3 steady" */
static void add_place(struct line *l, const struct status_view *v)
{
	char number[32] = "", boot[48] = "", where[96];
	uint32_t i = v->progress.phase;

	if (v->total > 1)
		snprintf(number, sizeof(number), "%u/%u ", v->index, v->total);
	if (v->boot)
		snprintf(boot, sizeof(boot), " (%.40s)", v->boot);
	if (in_phases(v) && v->progress.stage == PROGRESS_PHASES &&
	    !v->interrupted)
		snprintf(where, sizeof(where), "phase %" PRIu32 "/%u %.64s",
			 i + 1, v->plan.nr_phases, v->plan.phases[i].name ?
			 v->plan.phases[i].name : "");
	else
		snprintf(where, sizeof(where), "%s", stage_text(v));
	add(l, NULL, "%s%.64s%s: %s", number, v->name ? v->name : "", boot,
	    where);
}

/* Of what is planned; before that, how long it has taken to get there. */
static void add_time(struct line *l, const struct status_view *v)
{
	uint64_t left_ms = status_left_ns(v) / NSEC_PER_MSEC;

	if (v->interrupted || (v->known && v->progress.stage == PROGRESS_DONE))
		return;
	if (!in_phases(v))
		add(l, NULL, "%" PRIu64 "s", (uint64_t)(v->run_ns /
							NSEC_PER_SEC));
	if (left_ms < 100000)
		add(l, NULL, "%" PRIu64 ".%" PRIu64 "s to go", left_ms / 1000,
		    left_ms / 100 % 10);
	else
		add(l, NULL, "%" PRIu64 "m%02" PRIu64 "s to go",
		    left_ms / 60000, left_ms / 1000 % 60);
}

static void add_sched(struct line *l, const struct status_view *v)
{
	static const struct {
		const char *text, *colour;
	} states[PROGRESS_SCHED_NR] = {
		[PROGRESS_SCHED_UNKNOWN] = { NULL, NULL },
		[PROGRESS_SCHED_ENABLING] = { "enabling", NULL },
		[PROGRESS_SCHED_ENABLED] = { "enabled", NULL },
		[PROGRESS_SCHED_DISABLING] = { "disabling", YELLOW },
		[PROGRESS_SCHED_DISABLED] = { "disabled", YELLOW },
		[PROGRESS_SCHED_FAILED] = { "failed", RED },
		[PROGRESS_SCHED_GONE] = { "gone", RED },
	};
	enum progress_sched s = v->progress.sched;

	/* that it leaves in the end is as it should be */
	if (!v->known || v->progress.stage < PROGRESS_AGENT ||
	    (v->progress.stage == PROGRESS_DONE && s < PROGRESS_SCHED_FAILED))
		return;
	if (!v->plan.scheduler)
		add(l, NULL, "default scheduler");
	else if (states[s].text)
		add(l, states[s].colour, "%.64s %s", v->plan.scheduler,
		    states[s].text);
}

static void add_measured(struct line *l, const struct status_view *v)
{
	char iops[UNIT_TEXT_LEN], bps[UNIT_TEXT_LEN];
	unsigned int i;

	if (!in_phases(v))
		return;
	if (v->progress.wake_max_ns)
		add(l, NULL, "wake max %s",
		    unit_format_short(UNIT_TIME, v->progress.wake_max_ns,
				      bps));
	for (i = 0; i < v->progress.nr_disks && i < v->plan.nr_disks; i++)
		add(l, NULL, "%.20s %s %s",
		    v->plan.disks[i] ? v->plan.disks[i] : "",
		    unit_format_short(UNIT_PER_S, v->progress.disks[i].iops,
				      iops),
		    unit_format_short(UNIT_BPS, v->progress.disks[i].bps,
				      bps));
}

size_t status_format(const struct status_view *v, size_t width, bool colour,
		     char *buf)
{
	struct line l = { .buf = buf, .width = width, .colour = colour };

	*buf = '\0';
	add_place(&l, v);
	add_time(&l, v);
	add_sched(&l, v);
	add_measured(&l, v);
	return l.columns;
}

void status_make_safe(char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned char c = text[i];
		/* behind a cut anything may come */
		unsigned char next = i + 1 < len ? text[i + 1] : 0x80;

		if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f)
			text[i] = '?';
		/* U+0080 to U+009F: control characters in UTF-8 */
		if (c == 0xc2 && next >= 0x80 && next <= 0x9f) {
			text[i] = '?';
			if (i + 1 < len)
				text[i + 1] = '?';
		}
	}
}
