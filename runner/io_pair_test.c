// SPDX-License-Identifier: GPL-2.0-only
#include "runner/io_pair.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/test_run.h"

#define MAX 8
#define K4 4096

/* Times are in units of nothing in particular. */
struct pair_case {
	const char *what;
	uint64_t error;
	struct io_done done[MAX];
	struct io_wait wait[MAX];
	struct {
		enum io_pair_result result;
		uint64_t wake;
	} want[MAX];
};

#define DONE(s, at) { .sector = (s), .at_ns = (at), .bytes = K4 }
#define WAIT(s, from, to) \
	{ .sector = (s), .submit_ns = (from), .return_ns = (to), .bytes = K4 }

static const struct pair_case cases[] = {
	{ "one read", 0, { DONE(8, 150) }, { WAIT(8, 100, 170) },
	  { { IO_PAIRED, 20 } } },
	{ "in the order of return, not of completion", 0,
	  { DONE(8, 150), DONE(16, 160) },
	  { WAIT(16, 100, 170), WAIT(8, 100, 190) },
	  { { IO_PAIRED, 10 }, { IO_PAIRED, 40 } } },
	{ "completions told out of order", 0, { DONE(16, 160), DONE(8, 150) },
	  { WAIT(8, 100, 190), WAIT(16, 100, 170) },
	  { { IO_PAIRED, 40 }, { IO_PAIRED, 10 } } },
	{ "the same sector again, later", 0, { DONE(8, 150), DONE(8, 250) },
	  { WAIT(8, 100, 170), WAIT(8, 200, 255) },
	  { { IO_PAIRED, 20 }, { IO_PAIRED, 5 } } },
	{ "the same sector twice at once: whose is which?", 0,
	  { DONE(8, 150), DONE(8, 160) },
	  { WAIT(8, 100, 170), WAIT(8, 110, 180) },
	  { { IO_AMBIGUOUS, 0 }, { IO_AMBIGUOUS, 0 } } },
	{ "so too when one of the two completions is lost", 0,
	  { DONE(8, 150) }, { WAIT(8, 100, 170), WAIT(8, 110, 180) },
	  { { IO_AMBIGUOUS, 0 }, { IO_AMBIGUOUS, 0 } } },
	{ "a lost completion", 0, { DONE(16, 150) }, { WAIT(8, 100, 170) },
	  { { IO_UNPAIRED, 0 } } },
	{ "a lost IO takes nothing from others", 0,
	  { DONE(8, 120), DONE(8, 150) }, { WAIT(8, 130, 170) },
	  { { IO_PAIRED, 20 } } },
	{ "a write is not a read", 0,
	  { { .sector = 8, .at_ns = 150, .bytes = K4, .write = true } },
	  { WAIT(8, 100, 170) }, { { IO_UNPAIRED, 0 } } },
	{ "split in two: the later one counts", 0,
	  { { .sector = 8, .at_ns = 150, .bytes = 2048 },
	    { .sector = 12, .at_ns = 160, .bytes = 2048 } },
	  { WAIT(8, 100, 170) }, { { IO_PAIRED, 10 } } },
	{ "split in two and one is lost", 0,
	  { { .sector = 8, .at_ns = 150, .bytes = 2048 } },
	  { WAIT(8, 100, 170) }, { { IO_UNPAIRED, 0 } } },
	{ "merged with its neighbour", 0,
	  { { .sector = 8, .at_ns = 150, .bytes = 2 * K4 } },
	  { WAIT(8, 100, 170), WAIT(16, 100, 175) },
	  { { IO_PAIRED, 20 }, { IO_PAIRED, 25 } } },
	{ "seems to run before, within the error: 0", 10, { DONE(8, 175) },
	  { WAIT(8, 100, 170) }, { { IO_PAIRED, 0 } } },
	{ "to the edge of the error", 10, { DONE(8, 180) },
	  { WAIT(8, 100, 170) }, { { IO_PAIRED, 0 } } },
	{ "beyond the error: not its own", 10, { DONE(8, 181) },
	  { WAIT(8, 100, 170) }, { { IO_UNPAIRED, 0 } } },
	{ "seems to complete before it began, within the error", 10,
	  { DONE(8, 90) }, { WAIT(8, 100, 170) }, { { IO_PAIRED, 80 } } },
	{ "or beyond it", 10, { DONE(8, 89) }, { WAIT(8, 100, 170) },
	  { { IO_UNPAIRED, 0 } } },
	{ "an error as large as all time", UINT64_MAX, { DONE(8, 150) },
	  { WAIT(8, 100, 170) }, { { IO_PAIRED, 20 } } },
	{ "no bytes, no partner", 0, { DONE(8, 150) },
	  { { .sector = 8, .submit_ns = 100, .return_ns = 170,
	      .bytes = 0 } }, { { IO_UNPAIRED, 0 } } },
	{ "the end of all sectors", 0, { DONE(UINT64_MAX - 2, 150) },
	  { WAIT(UINT64_MAX - 2, 100, 170) }, { { IO_UNPAIRED, 0 } } },
	{ "returned before it was submitted: a lie", 0, { DONE(8, 150) },
	  { WAIT(8, 170, 100) }, { { IO_UNPAIRED, 0 } } },
};

#define NR_CASES (int)(sizeof(cases) / sizeof(cases[0]))

START_TEST(an_io_gets_its_own_completion_or_none)
{
	const struct pair_case *c = &cases[_i];
	struct io_done done[MAX];
	struct io_wait wait[MAX];
	size_t nd = 0, nw = 0, i;

	memcpy(done, c->done, sizeof(done));
	memcpy(wait, c->wait, sizeof(wait));
	while (nd < MAX && done[nd].at_ns)
		nd++;
	while (nw < MAX && wait[nw].return_ns)
		nw++;
	io_pair(done, nd, wait, nw, c->error);
	for (i = 0; i < nw; i++) {
		ck_assert_msg(wait[i].result == c->want[i].result &&
			      wait[i].wake_ns == c->want[i].wake,
			      "%s: IO %zu: result %d, wake %lu", c->what, i,
			      wait[i].result, (unsigned long)wait[i].wake_ns);
	}
}
END_TEST

START_TEST(nothing_pairs_with_nothing)
{
	struct io_wait w = WAIT(8, 100, 170);

	io_pair(NULL, 0, NULL, 0, 0);
	io_pair(NULL, 0, &w, 1, 0);
	ck_assert_int_eq(IO_UNPAIRED, w.result);
}
END_TEST

#define MANY 200000

/* Each claims to have waited all the time, which would be MANY x MANY looks. */
START_TEST(a_guest_that_lies_costs_no_hours)
{
	struct io_done *done = calloc(MANY, sizeof(*done));
	struct io_wait *wait = calloc(MANY, sizeof(*wait));
	size_t i;

	for (i = 0; i < MANY; i++) {
		done[i] = (struct io_done)DONE(i * 8, i + 1);
		wait[i] = (struct io_wait)WAIT(i * 8, 0, UINT64_MAX);
	}
	io_pair(done, MANY, wait, MANY, 0);
	ck_assert_int_eq(IO_AMBIGUOUS, wait[MANY - 1].result);
	free(done);
	free(wait);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("io_pair");
	TCase *tc = tcase_create("pairing");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, an_io_gets_its_own_completion_or_none, 0,
			    NR_CASES);
	tcase_add_test(tc, nothing_pairs_with_nothing);
	tcase_add_test(tc, a_guest_that_lies_costs_no_hours);
	suite_add_tcase(suite, tc);
	return test_run(suite);
}
