// SPDX-License-Identifier: GPL-2.0-only
/* The live line: what it says, and how it is drawn on a terminal. */
#include "runner/status.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/test_run.h"
#include "runner/progress.h"
#include "runner/status_line.h"

#define ERASE "\r\033[K"

static struct status_view view(void)
{
	return (struct status_view){
		.plan = {
			.nr_phases = 3,
			.phases = {
				{ "warm", NSEC_PER_SEC },
				{ "steady", 8 * NSEC_PER_SEC },
				{ "after", 2 * NSEC_PER_SEC },
			},
			.nr_disks = 2,
			.disks = { "data", "log" },
			.scheduler = "simple",
		},
		.name = "web",
		.index = 2,
		.total = 5,
		.run_ns = 3700 * NSEC_PER_MSEC,
		.known = true,
		.progress = {
			.stage = PROGRESS_PHASES,
			.sched = PROGRESS_SCHED_ENABLED,
			.phase = 1,
			.elapsed_ns = 2500 * NSEC_PER_MSEC,
			.wake_max_ns = 1830 * NSEC_PER_USEC,
			.nr_disks = 2,
			.disks = { { 499, 2040000 }, { 0, 0 } },
		},
	};
}

static struct status_view as_begun(void)
{
	struct status_view v = view();

	v.known = false;
	v.total = 1;
	return v;
}

static struct status_view as_booting(void)
{
	struct status_view v = view();

	v.progress = (struct progress){ .phase = PROGRESS_NO_PHASE };
	v.boot = "control 2/3";
	return v;
}

static struct status_view as_ready(void)
{
	struct status_view v = view();

	v.progress.stage = PROGRESS_READY;
	v.progress.phase = PROGRESS_NO_PHASE;
	v.plan.phases[1].duration_ns = 200 * NSEC_PER_SEC;
	return v;
}

static struct status_view as_interrupted(void)
{
	struct status_view v = view();

	v.interrupted = true;
	return v;
}

static struct status_view as_gone(void)
{
	struct status_view v = view();

	v.progress.sched = PROGRESS_SCHED_GONE;
	v.progress.wake_max_ns = 0;
	v.progress.nr_disks = 0;
	return v;
}

static struct status_view as_done(void)
{
	struct status_view v = view();

	v.progress.stage = PROGRESS_DONE;
	v.progress.sched = PROGRESS_SCHED_DISABLED;
	v.progress.phase = 2;
	return v;
}

static struct status_view as_default(void)
{
	struct status_view v = as_gone();

	v.plan.scheduler = NULL;
	return v;
}

/* The VM process says more than the plan has, and what a terminal acts on. */
static struct status_view as_hostile(void)
{
	struct status_view v = as_gone();

	v.name = "we\033[2Jb\n";
	v.progress.phase = 77;
	v.progress.elapsed_ns = INT64_MAX;
	v.progress.nr_disks = PROGRESS_MAX_DISKS;
	return v;
}

static const struct {
	struct status_view (*make)(void);
	size_t width;
	bool colour;
	const char *want;
} lines[] = {
	{ view, 200, true, "2/5 web: phase 2/3 steady, 7.5s to go, simple enabled, wake max 1.83ms, data 499/s 2.04MB/s, log 0/s 0B/s" },
	/* what does not fit is left out, what does is not */
	{ view, 79, true, "2/5 web: phase 2/3 steady, 7.5s to go, simple enabled, wake max 1.83ms" },
	{ view, 70, true, "2/5 web: phase 2/3 steady, 7.5s to go, simple enabled, wake max 1.83ms" },
	{ view, 69, true, "2/5 web: phase 2/3 steady, 7.5s to go, simple enabled, log 0/s 0B/s" },
	{ view, 40, true, "2/5 web: phase 2/3 steady, 7.5s to go" },
	{ view, 12, true, "2/5 web: pha" },
	{ view, 0, true, "" },
	{ as_begun, 80, true, "web: starting, 3s, 11.0s to go" },
	{ as_booting, 80, true, "2/5 web (control 2/3): booting, 3s, 11.0s to go" },
	{ as_ready, 80, true, "2/5 web: ready, 3s, 3m23s to go, simple enabled" },
	{ as_interrupted, 80, true, "2/5 web: stopping, simple enabled, wake max 1.83ms, data 499/s 2.04MB/s" },
	{ as_gone, 80, true, "2/5 web: phase 2/3 steady, 7.5s to go, \033[31msimple gone\033[m" },
	{ as_gone, 80, false, "2/5 web: phase 2/3 steady, 7.5s to go, simple gone" },
	{ as_done, 60, true, "2/5 web: done, wake max 1.83ms, data 499/s 2.04MB/s" },
	{ as_default, 80, true, "2/5 web: phase 2/3 steady, 7.5s to go, default scheduler" },
	{ as_hostile, 80, false, "2/5 we?[2Jb?: running, 3s, 11.0s to go, simple gone" },
};

START_TEST(a_line_says_where_the_run_is)
{
	struct status_view v = lines[_i].make();
	char buf[STATUS_LINE_MAX];
	size_t columns = status_format(&v, lines[_i].width, lines[_i].colour,
				       buf);

	ck_assert_str_eq(lines[_i].want, buf);
	ck_assert_uint_le(columns, lines[_i].width);
	if (!strchr(buf, '\033'))
		ck_assert_uint_eq(strlen(buf), columns);
}
END_TEST

/* Names as long as they come, all disks, all colours: no byte too many. */
START_TEST(the_longest_line_stays_in_its_buffer)
{
	struct status_view v = view();
	char name[300], buf[STATUS_LINE_MAX + 1];
	unsigned int i;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	v.name = v.boot = v.plan.scheduler = v.plan.phases[1].name = name;
	v.plan.nr_disks = v.progress.nr_disks = PROGRESS_MAX_DISKS;
	for (i = 0; i < PROGRESS_MAX_DISKS; i++) {
		v.plan.disks[i] = name;
		v.progress.disks[i].iops = v.progress.disks[i].bps = INT64_MAX;
	}
	v.progress.sched = PROGRESS_SCHED_GONE;
	buf[STATUS_LINE_MAX] = 'x';
	ck_assert_uint_lt(status_format(&v, SIZE_MAX, true, buf),
			  STATUS_LINE_MAX);
	ck_assert_uint_lt(strlen(buf), STATUS_LINE_MAX);
	ck_assert_int_eq('x', buf[STATUS_LINE_MAX]);
}
END_TEST

START_TEST(a_plan_is_read_and_may_lack_anything)
{
	static const char *const texts[] = {
		"{\"phases\": [{\"name\": \"warm\", \"duration_ns\": 5}], \"disks\": [{\"name\": \"data\"}], \"scheduler\": {\"name\": \"simple\"}}",
		"{\"phases\": [], \"scheduler\": null}",
	};
	json_t *full = json_loads(texts[0], 0, NULL);
	json_t *empty = json_loads(texts[1], 0, NULL);
	struct status_plan p;

	status_plan_read(full, &p);
	ck_assert_uint_eq(1, p.nr_phases);
	ck_assert_str_eq("warm", p.phases[0].name);
	ck_assert_uint_eq(5, p.phases[0].duration_ns);
	ck_assert_uint_eq(1, p.nr_disks);
	ck_assert_str_eq("data", p.disks[0]);
	ck_assert_str_eq("simple", p.scheduler);
	status_plan_read(empty, &p);
	ck_assert_uint_eq(0, p.nr_phases);
	ck_assert_uint_eq(0, p.nr_disks);
	ck_assert_ptr_null(p.scheduler);
	json_decref(full);
	json_decref(empty);
}
END_TEST

START_TEST(a_log_line_can_not_drive_the_terminal)
{
	char cut[] = "a\302";
	char text[] = "a\033[2J\tb\302\233c\302\251d\177\r\n";

	status_make_safe(text, strlen(text));
	ck_assert_str_eq("a?[2J\tb??c\302\251d??\n", text);
	/* the second byte of a control character may be in the next piece */
	status_make_safe(cut, strlen(cut));
	ck_assert_str_eq("a?", cut);
}
END_TEST

/* It stands, unless a test moves it. */
static uint64_t test_now_ns = NSEC_PER_SEC;

static uint64_t test_clock(void)
{
	return test_now_ns;
}

/* A terminal: what is written to tty is read from pty. */
static int pty, tty;

static void open_terminal(unsigned short columns)
{
	struct winsize size = { .ws_row = 25, .ws_col = columns };

	pty = posix_openpt(O_RDWR | O_NOCTTY);
	ck_assert_int_ge(pty, 0);
	ck_assert_int_eq(0, grantpt(pty));
	ck_assert_int_eq(0, unlockpt(pty));
	tty = open(ptsname(pty), O_RDWR | O_NOCTTY);
	ck_assert_int_ge(tty, 0);
	ck_assert_int_eq(0, ioctl(tty, TIOCSWINSZ, &size));
	ck_assert_int_eq(0, fcntl(pty, F_SETFL, O_NONBLOCK));
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	status_set_clock(test_clock);
}

static void close_terminal(void)
{
	close(tty);
	close(pty);
}

static const char *seen(void)
{
	static char buf[8192];
	size_t len = 0;
	ssize_t n;

	while ((n = read(pty, buf + len, sizeof(buf) - 1 - len)) > 0)
		len += n;
	ck_assert(n < 0 && errno == EAGAIN);
	buf[len] = '\0';
	return buf;
}

static json_t *plan_of_test(void)
{
	return json_pack("{s:[{s:s,s:i}],s:[{s:s}]}", "phases", "name",
			 "steady", "duration_ns", 1000000000, "disks", "name",
			 "data");
}

static void feed_progress(struct status *st)
{
	struct progress p = {
		.stage = PROGRESS_PHASES,
		.elapsed_ns = 400 * NSEC_PER_MSEC,
		.nr_disks = 1,
		.disks = { { 50, 4096 } },
	};
	char line[PROGRESS_LINE_MAX];

	status_feed(st, line, progress_line(&p, line));
}

#define PHASE "web: phase 1/1 steady, 0.6s to go, default scheduler, data 50/s 4.10KB/s"

START_TEST(a_line_is_drawn_and_erased_before_other_lines_and_at_the_end)
{
	json_t *plan = plan_of_test();
	struct status *st;

	open_terminal(100);
	st = status_open(tty);
	ck_assert_ptr_nonnull(st);
	status_scenario(st, "web", 1, 1);
	ck_assert_str_eq("", seen());
	status_begin(st, plan);
	ck_assert_str_eq(ERASE "web: starting, 0s, 1.0s to go", seen());

	feed_progress(st);
	status_feed(st, "ktstr: phase steady: 1.0 s\n", 27);
	ck_assert_str_eq(ERASE "ktstr: phase steady: 1.0 s\r\n" ERASE PHASE,
			 seen());
	/* a guest that is quoted does not get at the terminal */
	status_feed(st, "agent: \033[2J\n", 12);
	ck_assert_str_eq(ERASE "agent: ?[2J\r\n" ERASE PHASE, seen());
	/* our own log likewise */
	log_warn("slot is %s", "silent");
	ck_assert_str_eq(ERASE "ktstr: warning: slot is silent\r\n"
			 ERASE PHASE, seen());
	status_interrupted(st);
	ck_assert_str_eq(ERASE "web: stopping, default scheduler, data 50/s 4.10KB/s", seen());
	status_end(st);
	ck_assert_str_eq(ERASE, seen());
	/* over: nothing more is drawn */
	status_tick(st);
	feed_progress(st);
	ck_assert_str_eq("", seen());
	status_close(st);
	close_terminal();
	json_decref(plan);
}
END_TEST

START_TEST(half_a_line_is_not_drawn_over)
{
	json_t *plan = plan_of_test();
	static char big[5000];
	struct status *st;
	const char *text;

	memset(big, 'x', sizeof(big));
	open_terminal(100);
	st = status_open(tty);
	status_scenario(st, "web", 1, 1);
	status_begin(st, plan);
	seen();
	status_feed(st, big, sizeof(big));
	text = seen();
	ck_assert_int_eq(0, strncmp(text, ERASE "xxxx", 7));
	ck_assert_ptr_null(strchr(text + 1, '\r'));
	status_interrupted(st);
	ck_assert_str_eq("", seen());
	/* the rest of it, the line's end, and no line to erase */
	status_end(st);
	text = seen();
	ck_assert_uint_eq(sizeof(big) - 4096 + 2, strlen(text));
	ck_assert_str_eq("\r\n", text + strlen(text) - 2);
	status_close(st);
	close_terminal();
	json_decref(plan);
}
END_TEST

START_TEST(a_line_keeps_to_the_width_as_it_changes)
{
	struct winsize size = { .ws_row = 25, .ws_col = 21 };
	json_t *plan = plan_of_test();
	struct status *st;

	open_terminal(80);
	st = status_open(tty);
	status_scenario(st, "web", 3, 9);
	status_begin(st, plan);
	ck_assert_str_eq(ERASE "3/9 web: starting, 0s, 1.0s to go", seen());
	ck_assert_int_eq(0, ioctl(tty, TIOCSWINSZ, &size));
	status_interrupted(st);
	ck_assert_str_eq(ERASE "3/9 web: stopping", seen());
	/* a terminal that does not know its width */
	size.ws_col = 0;
	ck_assert_int_eq(0, ioctl(tty, TIOCSWINSZ, &size));
	feed_progress(st);
	status_interrupted(st);
	ck_assert_ptr_nonnull(strstr(seen(), "data 50/s"));
	status_close(st);
	ck_assert_str_eq(ERASE, seen());
	close_terminal();
	json_decref(plan);
}
END_TEST

static const struct {
	const char *term, *no_color;
	bool is_open, is_coloured;
} terminals[] = {
	{ "xterm", NULL, true, true },
	{ "xterm", "", true, true },
	{ "xterm", "1", true, false },
	{ "dumb", NULL, false, false },
	{ "", NULL, false, false },
	{ NULL, NULL, false, false },
};

START_TEST(term_and_no_color_are_honoured)
{
	struct progress p = { .stage = PROGRESS_PHASES,
			      .sched = PROGRESS_SCHED_GONE };
	json_t *plan = plan_of_test();
	char line[PROGRESS_LINE_MAX];
	struct status *st;
	const char *text;

	json_object_set_new(plan, "scheduler",
			    json_pack("{s:s}", "name", "simple"));
	open_terminal(80);
	if (terminals[_i].term)
		setenv("TERM", terminals[_i].term, 1);
	else
		unsetenv("TERM");
	if (terminals[_i].no_color)
		setenv("NO_COLOR", terminals[_i].no_color, 1);
	st = status_open(tty);
	ck_assert_int_eq(terminals[_i].is_open, !!st);
	/* all of it takes NULL */
	status_scenario(st, "web", 1, 1);
	status_begin(st, plan);
	status_feed(st, line, progress_line(&p, line));
	status_interrupted(st);
	text = seen();
	ck_assert_int_eq(terminals[_i].is_open,
			 !!strstr(text, "simple gone"));
	ck_assert_int_eq(terminals[_i].is_coloured, !!strstr(text, "\033[31m"));
	status_end(st);
	status_close(st);
	close_terminal();
	json_decref(plan);
}
END_TEST

START_TEST(a_pipe_has_no_live_line)
{
	int fds[2];

	setenv("TERM", "xterm", 1);
	ck_assert_int_eq(0, pipe(fds));
	ck_assert_ptr_null(status_open(fds[1]));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("status");
	TCase *tc = tcase_create("status");

	tcase_set_timeout(tc, 10);
	tcase_add_loop_test(tc, a_line_says_where_the_run_is, 0,
			    sizeof(lines) / sizeof(lines[0]));
	tcase_add_test(tc, the_longest_line_stays_in_its_buffer);
	tcase_add_test(tc, a_plan_is_read_and_may_lack_anything);
	tcase_add_test(tc, a_log_line_can_not_drive_the_terminal);
	tcase_add_test(tc, a_line_is_drawn_and_erased_before_other_lines_and_at_the_end);
	tcase_add_test(tc, half_a_line_is_not_drawn_over);
	tcase_add_test(tc, a_line_keeps_to_the_width_as_it_changes);
	tcase_add_loop_test(tc, term_and_no_color_are_honoured, 0,
			    sizeof(terminals) / sizeof(terminals[0]));
	tcase_add_test(tc, a_pipe_has_no_live_line);
	suite_add_tcase(suite, tc);
	return test_run(suite);
}
