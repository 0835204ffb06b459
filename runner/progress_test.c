// SPDX-License-Identifier: GPL-2.0-only
#include "runner/progress.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/test_run.h"

static const struct progress full = {
	.stage = PROGRESS_PHASES,
	.sched = PROGRESS_SCHED_ENABLED,
	.phase = 2,
	.elapsed_ns = 1234567890,
	.wake_max_ns = 987654,
	.nr_disks = 2,
	.disks = { { 499, 2043904 }, { 0, 0 } },
};

static void same(const struct progress *want, const struct progress *got)
{
	unsigned int i;

	ck_assert_int_eq(want->stage, got->stage);
	ck_assert_int_eq(want->sched, got->sched);
	ck_assert_uint_eq(want->phase, got->phase);
	ck_assert_uint_eq(want->elapsed_ns, got->elapsed_ns);
	ck_assert_uint_eq(want->wake_max_ns, got->wake_max_ns);
	ck_assert_uint_eq(want->nr_disks, got->nr_disks);
	for (i = 0; i < want->nr_disks; i++) {
		ck_assert_uint_eq(want->disks[i].iops, got->disks[i].iops);
		ck_assert_uint_eq(want->disks[i].bps, got->disks[i].bps);
	}
}

START_TEST(what_is_written_is_read)
{
	char line[PROGRESS_LINE_MAX];
	struct progress got;
	size_t len = progress_line(&full, line);

	ck_assert_uint_gt(len, 0);
	ck_assert_int_eq('\n', line[len - 1]);
	ck_assert_ptr_null(memchr(line, '\n', len - 1));
	ck_assert(progress_parse(line, len - 1, &got));
	same(&full, &got);
}
END_TEST

START_TEST(the_largest_numbers_fit_a_line)
{
	struct progress p = {
		.stage = PROGRESS_NR_STAGES - 1,
		.sched = PROGRESS_SCHED_NR - 1,
		.phase = PROGRESS_NO_PHASE,
		.elapsed_ns = INT64_MAX,
		.wake_max_ns = INT64_MAX,
		.nr_disks = PROGRESS_MAX_DISKS,
	}, got;
	char line[PROGRESS_LINE_MAX];
	unsigned int i;
	size_t len;

	for (i = 0; i < PROGRESS_MAX_DISKS; i++)
		p.disks[i].iops = p.disks[i].bps = INT64_MAX;
	len = progress_line(&p, line);
	ck_assert_uint_gt(len, 0);
	ck_assert(progress_parse(line, len - 1, &got));
	same(&p, &got);
}
END_TEST

/* Each is well but for one thing. */
static const char *const bad_lines[] = {
	"",
	"\036",
	"{\"stage\":4,\"sched\":2,\"phase\":1,\"elapsed_ns\":1,\"wake_max_ns\":1,\"disks\":[]}",
	"\036{\"stage\":6,\"sched\":2,\"phase\":1,\"elapsed_ns\":1,\"wake_max_ns\":1,\"disks\":[]}",
	"\036{\"stage\":4,\"sched\":7,\"phase\":1,\"elapsed_ns\":1,\"wake_max_ns\":1,\"disks\":[]}",
	"\036{\"stage\":4,\"sched\":2,\"phase\":4294967296,\"elapsed_ns\":1,\"wake_max_ns\":1,\"disks\":[]}",
	"\036{\"stage\":4,\"sched\":2,\"phase\":1,\"elapsed_ns\":-1,\"wake_max_ns\":1,\"disks\":[]}",
	"\036{\"stage\":4,\"sched\":2,\"phase\":1,\"elapsed_ns\":1,\"wake_max_ns\":1.5,\"disks\":[]}",
	"\036{\"stage\":4,\"sched\":2,\"phase\":1,\"elapsed_ns\":1,\"wake_max_ns\":1}",
	"\036{\"stage\":4,\"sched\":2,\"phase\":1,\"elapsed_ns\":1,\"wake_max_ns\":1,\"disks\":[[1]]}",
	"\036{\"stage\":4,\"sched\":2,\"phase\":1,\"elapsed_ns\":1,\"wake_max_ns\":1,\"disks\":[[1,-2]]}",
	"\036{\"stage\":4,\"sched\":2,\"phase\":1,\"elapsed_ns\":1,\"wake_max_ns\":1,\"disks\":[[1,2],[1,2],[1,2],[1,2],[1,2],[1,2],[1,2],[1,2],[1,2]]}",
	"\036{\"stage\":4,\"sched\":2,\"phase\":1,\"elapsed_ns\":1,\"wake_max_ns\":1,\"disks\":[]} x",
	"\036[4,2,1,1,1,[]]",
	"\036null",
};

START_TEST(any_other_line_is_no_progress)
{
	struct progress p = full;

	ck_assert(!progress_parse(bad_lines[_i], strlen(bad_lines[_i]), &p));
	same(&full, &p);
}
END_TEST

static struct {
	char text[16384];
	size_t len;
	unsigned int texts, progress;
	struct progress last;
} got;

static void on_progress(void *ctx, const struct progress *p)
{
	got.progress++;
	got.last = *p;
}

static void on_text(void *ctx, const char *text, size_t len)
{
	ck_assert_uint_gt(len, 0);
	ck_assert_uint_le(got.len + len, sizeof(got.text));
	memcpy(got.text + got.len, text, len);
	got.len += len;
	got.texts++;
}

static struct progress_stream new_stream(void)
{
	memset(&got, 0, sizeof(got));
	return (struct progress_stream){ .progress = on_progress,
					 .text = on_text };
}

/* However the bytes are cut, log lines stay whole and progress is seen. */
START_TEST(lines_are_told_apart_in_pieces_of_any_size)
{
	struct progress_stream s = new_stream();
	char bytes[2 * PROGRESS_LINE_MAX];
	size_t len, pos, n, piece = _i + 1;

	len = sprintf(bytes, "ktstr: one\n");
	len += progress_line(&full, bytes + len);
	len += sprintf(bytes + len, "ktstr: two\nno newline");
	for (pos = 0; pos < len; pos += n) {
		n = len - pos < piece ? len - pos : piece;
		progress_stream_feed(&s, bytes + pos, n);
	}
	ck_assert_uint_eq(1, got.progress);
	same(&full, &got.last);
	ck_assert_uint_eq(2, got.texts);
	progress_stream_end(&s);
	ck_assert_uint_eq(3, got.texts);
	got.text[got.len] = '\0';
	ck_assert_str_eq("ktstr: one\nktstr: two\nno newline", got.text);
}
END_TEST

START_TEST(a_line_longer_than_the_buffer_is_passed_on_in_pieces)
{
	struct progress_stream s = new_stream();
	char line[PROGRESS_LINE_MAX];
	static char big[10000];
	size_t len = progress_line(&full, line);

	memset(big, 'x', sizeof(big));
	progress_stream_feed(&s, big, sizeof(s.buf));
	/* what now looks like progress is the end of the long line */
	progress_stream_feed(&s, line, len);
	ck_assert_uint_eq(0, got.progress);
	progress_stream_feed(&s, line, len);
	ck_assert_uint_eq(1, got.progress);
	progress_stream_feed(&s, big, sizeof(big));
	progress_stream_end(&s);
	ck_assert_uint_eq(sizeof(s.buf) + len + sizeof(big), got.len);
}
END_TEST

START_TEST(a_rate_is_over_the_last_readings)
{
	struct progress_rate r = { 0 };
	unsigned int i;

	ck_assert_uint_eq(0, progress_rate_add(&r, NSEC_PER_SEC, 1000));
	ck_assert_uint_eq(40, progress_rate_add(&r, 5 * NSEC_PER_SEC / 4,
						1010));
	ck_assert_uint_eq(30, progress_rate_add(&r, 6 * NSEC_PER_SEC / 4,
						1015));
	for (i = 0; i < PROGRESS_RATE_POINTS; i++)
		progress_rate_add(&r, (2 + i) * NSEC_PER_SEC, 2000);
	ck_assert_uint_eq(0, progress_rate_add(&r, 20 * NSEC_PER_SEC, 2000));
}
END_TEST

START_TEST(a_rate_is_rounded_and_has_no_zero_time)
{
	struct progress_rate r = { 0 };

	progress_rate_add(&r, 0, 0);
	ck_assert_uint_eq(0, progress_rate_add(&r, 0, 7));
	ck_assert_uint_eq(3, progress_rate_add(&r, 4 * NSEC_PER_SEC, 10));
	/* a counter that went back was begun anew */
	ck_assert_uint_eq(0, progress_rate_add(&r, 5 * NSEC_PER_SEC, 0));
	ck_assert_uint_eq(8, progress_rate_add(&r, 6 * NSEC_PER_SEC, 8));
	progress_rate_add(&r, 6 * NSEC_PER_SEC + 1, UINT64_MAX);
	ck_assert_uint_eq(INT64_MAX, progress_rate_add(&r, 6 * NSEC_PER_SEC + 2,
						       UINT64_MAX));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("progress");
	TCase *tc = tcase_create("progress");

	tcase_set_timeout(tc, 10);
	tcase_add_test(tc, what_is_written_is_read);
	tcase_add_test(tc, the_largest_numbers_fit_a_line);
	tcase_add_loop_test(tc, any_other_line_is_no_progress, 0,
			    sizeof(bad_lines) / sizeof(bad_lines[0]));
	tcase_add_loop_test(tc, lines_are_told_apart_in_pieces_of_any_size, 0,
			    64);
	tcase_add_test(tc, a_line_longer_than_the_buffer_is_passed_on_in_pieces);
	tcase_add_test(tc, a_rate_is_over_the_last_readings);
	tcase_add_test(tc, a_rate_is_rounded_and_has_no_zero_time);
	suite_add_tcase(suite, tc);
	return test_run(suite);
}
