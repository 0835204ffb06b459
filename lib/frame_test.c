// SPDX-License-Identifier: GPL-2.0-only
#include "lib/frame.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "lib/test_run.h"

#define HDR sizeof(struct ktstr_frame_hdr)

/* A stream of frames as a sender makes it. */
struct stream {
	uint8_t data[1 << 12];
	size_t len;
};

static size_t add(struct stream *s, uint16_t type, uint32_t seq,
		  const char *text)
{
	size_t at = s->len, len = strlen(text);
	struct ktstr_frame_hdr hdr;

	ck_assert_int_eq(0, frame_hdr_fill(&hdr, type, seq, text, len));
	memcpy(s->data + at, &hdr, HDR);
	memcpy(s->data + at + HDR, text, len);
	s->len += HDR + len;
	return at;
}

static void hdr_sign(struct ktstr_frame_hdr *hdr)
{
	hdr->hdr_crc = crc32(0, (const Bytef *)hdr,
			     offsetof(struct ktstr_frame_hdr, hdr_crc));
}

static void expect(struct frame_reader *r, uint16_t type, const char *text)
{
	struct frame f;

	ck_assert_int_eq(1, frame_reader_next(r, &f));
	ck_assert_uint_eq(type, f.type);
	ck_assert_uint_eq(strlen(text), f.len);
	ck_assert_int_eq(0, memcmp(text, f.payload, f.len));
}

START_TEST(frames_come_out_whole_however_they_are_cut)
{
	struct stream s = { 0 };
	struct frame_reader r;
	struct frame f;
	unsigned int frames = 0;
	size_t step = _i;

	add(&s, 1, 0, "first");
	add(&s, 2, 1, "");
	add(&s, 3, 2, "the third");
	frame_reader_init(&r);
	for (size_t at = 0; at < s.len; at += step) {
		size_t n = s.len - at < step ? s.len - at : step;

		ck_assert_int_eq(0, frame_reader_feed(&r, s.data + at, n));
		while (frame_reader_next(&r, &f) > 0)
			ck_assert_uint_eq(++frames, f.type);
	}
	ck_assert_uint_eq(3, frames);
	ck_assert_uint_eq(3, r.frames);
	ck_assert_uint_eq(s.len, r.bytes);
	ck_assert_int_eq(0, frame_reader_next(&r, &f));
	frame_reader_fini(&r);
}
END_TEST

/* Any bit, of the header or of the payload. */
START_TEST(flipped_bit_breaks_the_stream_for_good)
{
	struct stream s = { 0 };

	add(&s, 1, 0, "payload");
	add(&s, 2, 1, "next");
	for (size_t bit = 0; bit < 8 * (HDR + 7); bit++) {
		struct frame_reader r;
		struct frame f;

		s.data[bit / 8] ^= 1 << bit % 8;
		frame_reader_init(&r);
		ck_assert_int_eq(0, frame_reader_feed(&r, s.data, s.len));
		ck_assert_int_eq(-EPROTO, frame_reader_next(&r, &f));
		ck_assert_int_eq(-EPROTO, frame_reader_next(&r, &f));
		frame_reader_fini(&r);
		s.data[bit / 8] ^= 1 << bit % 8;
	}
}
END_TEST

START_TEST(lost_frame_is_seen_by_its_number)
{
	struct stream s = { 0 };
	struct frame_reader r;
	struct frame f;

	add(&s, 1, 0, "a");
	add(&s, 1, 2, "c");
	frame_reader_init(&r);
	ck_assert_int_eq(0, frame_reader_feed(&r, s.data, s.len));
	expect(&r, 1, "a");
	ck_assert_int_eq(-EPROTO, frame_reader_next(&r, &f));
	frame_reader_fini(&r);
}
END_TEST

START_TEST(length_over_the_limit_is_refused_before_it_is_waited_for)
{
	struct ktstr_frame_hdr hdr;
	struct frame_reader r;
	struct frame f;

	ck_assert_int_eq(0, frame_hdr_fill(&hdr, 1, 0, NULL, 0));
	hdr.len = KTSTR_FRAME_MAX + 1;
	hdr_sign(&hdr);
	frame_reader_init(&r);
	ck_assert_int_eq(0, frame_reader_feed(&r, &hdr, HDR));
	ck_assert_int_eq(-EPROTO, frame_reader_next(&r, &f));
	frame_reader_fini(&r);
	ck_assert_int_eq(-EMSGSIZE, frame_hdr_fill(&hdr, 1, 0, &r,
						   KTSTR_FRAME_MAX + 1));
}
END_TEST

START_TEST(hunt_finds_the_frame_behind_noise)
{
	struct stream s = { 0 };
	struct frame_reader r;
	size_t good;

	memcpy(s.data, "KFRM and other noise", 20);
	s.len = 20;
	add(&s, 7, 5, "another type");
	good = add(&s, 9, 0, "hello");
	add(&s, 3, 1, "after");
	frame_reader_init(&r);
	/* In pieces: what may be the beginning of a header is kept. */
	for (size_t at = 0; at < good + HDR; at++) {
		ck_assert_int_eq(0, frame_reader_feed(&r, s.data + at, 1));
		ck_assert_int_eq(at + 1 == good + HDR,
				 frame_reader_hunt(&r, 9));
	}
	ck_assert_int_eq(0, frame_reader_feed(&r, s.data + good + HDR,
					      s.len - good - HDR));
	expect(&r, 9, "hello");
	expect(&r, 3, "after");
	frame_reader_fini(&r);
}
END_TEST

START_TEST(hunt_mends_a_broken_stream_and_goes_on)
{
	struct stream s = { 0 };
	struct frame_reader r;
	struct frame f;

	add(&s, 1, 0, "old");
	s.len -= 1; /* its sender died */
	add(&s, 9, 0, "new");
	add(&s, 9, 0, "newer");
	frame_reader_init(&r);
	ck_assert_int_eq(0, frame_reader_feed(&r, s.data, s.len));
	ck_assert_int_eq(-EPROTO, frame_reader_next(&r, &f));
	ck_assert(frame_reader_hunt(&r, 9));
	expect(&r, 9, "new");
	ck_assert(frame_reader_hunt(&r, 9));
	expect(&r, 9, "newer");
	ck_assert(!frame_reader_hunt(&r, 9));
	frame_reader_fini(&r);
}
END_TEST

START_TEST(largest_frame_passes)
{
	static uint8_t payload[KTSTR_FRAME_MAX];
	struct ktstr_frame_hdr hdr;
	struct frame_reader r;
	struct frame f;

	memset(payload, 0x5a, sizeof(payload));
	ck_assert_int_eq(0, frame_hdr_fill(&hdr, 4, 0, payload,
					   sizeof(payload)));
	frame_reader_init(&r);
	ck_assert_int_eq(0, frame_reader_feed(&r, NULL, 0));
	ck_assert_int_eq(0, frame_reader_next(&r, &f));
	ck_assert_int_eq(0, frame_reader_feed(&r, &hdr, HDR));
	ck_assert_int_eq(0, frame_reader_feed(&r, payload,
					      sizeof(payload) - 1));
	ck_assert_int_eq(0, frame_reader_next(&r, &f));
	ck_assert_int_eq(0, frame_reader_feed(&r, payload, 1));
	ck_assert_int_eq(1, frame_reader_next(&r, &f));
	ck_assert_uint_eq(sizeof(payload), f.len);
	ck_assert_mem_eq(payload, f.payload, f.len);
	frame_reader_fini(&r);
}
END_TEST

/* 8 MiB of empty frames in one feed: a hang, if each moved the rest. */
START_TEST(many_small_frames_cost_no_more_than_their_bytes)
{
	const uint32_t nr = (8u << 20) / HDR;
	struct ktstr_frame_hdr *hdrs = malloc(nr * HDR);
	struct frame_reader r;
	struct frame f;
	uint32_t i;

	ck_assert_ptr_nonnull(hdrs);
	for (i = 0; i < nr; i++)
		ck_assert_int_eq(0, frame_hdr_fill(&hdrs[i], 1, i, NULL, 0));
	frame_reader_init(&r);
	ck_assert_int_eq(0, frame_reader_feed(&r, hdrs, nr * HDR));
	for (i = 0; i < nr; i++) {
		if (frame_reader_next(&r, &f) != 1 || f.seq != i || f.len)
			ck_abort_msg("frame %u", i);
	}
	ck_assert_int_eq(0, frame_reader_next(&r, &f));
	frame_reader_fini(&r);
	free(hdrs);
}
END_TEST

/* Who goes on feeding a broken stream is told so, and memory stays bounded. */
START_TEST(broken_stream_does_not_grow_for_ever)
{
	static uint8_t junk[65536];
	struct frame_reader r;
	struct frame f;
	unsigned int i;
	int err = 0;

	frame_reader_init(&r);
	for (i = 0; i < 100 && !err; i++) {
		err = frame_reader_feed(&r, junk, sizeof(junk));
		ck_assert_int_eq(-EPROTO, frame_reader_next(&r, &f));
	}
	ck_assert_int_eq(-EPROTO, err);
	ck_assert_uint_le(r.cap, 2u << 20);
	/* a hunt drops it all */
	ck_assert(!frame_reader_hunt(&r, 1));
	ck_assert_int_eq(0, frame_reader_feed(&r, junk, sizeof(junk)));
	frame_reader_fini(&r);
}
END_TEST

/* Sound frames, one of them spoilt at random, cut at random. */
START_TEST(hostile_bytes_do_no_harm)
{
	uint64_t x = 88172645463325252ULL + _i;
	unsigned int round;

	for (round = 0; round < 300; round++) {
		struct stream s = { 0 };
		struct frame_reader r;
		struct frame f;
		size_t at, n, spoilt;
		int ret = 0;

		for (n = 0; n < 8; n++)
			add(&s, n, n, &"0123456789"[(x >> n) % 10]);
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		spoilt = x % s.len;
		s.data[spoilt] ^= 1 + (x >> 32) % 255;
		frame_reader_init(&r);
		for (at = 0; at < s.len; at += n) {
			n = 1 + (x >> (at % 32)) % 60;
			n = n < s.len - at ? n : s.len - at;
			ck_assert_int_eq(0, frame_reader_feed(&r, s.data + at,
							      n));
			while ((ret = frame_reader_next(&r, &f)) > 0)
				ck_assert_uint_eq(f.seq, f.type);
		}
		/* broken there, or waiting for what a length promised */
		ck_assert_int_le(ret, 0);
		ck_assert_uint_lt(r.frames, 8);
		ck_assert_uint_le(r.start, spoilt);
		frame_reader_hunt(&r, 3);
		frame_reader_fini(&r);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("frame");
	TCase *tc = tcase_create("frame");

	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, frames_come_out_whole_however_they_are_cut, 1,
			    100);
	tcase_add_test(tc, flipped_bit_breaks_the_stream_for_good);
	tcase_add_test(tc, lost_frame_is_seen_by_its_number);
	tcase_add_test(tc,
		       length_over_the_limit_is_refused_before_it_is_waited_for);
	tcase_add_test(tc, largest_frame_passes);
	tcase_add_test(tc, many_small_frames_cost_no_more_than_their_bytes);
	tcase_add_test(tc, broken_stream_does_not_grow_for_ever);
	tcase_add_loop_test(tc, hostile_bytes_do_no_harm, 0, 10);
	tcase_add_test(tc, hunt_finds_the_frame_behind_noise);
	tcase_add_test(tc, hunt_mends_a_broken_stream_and_goes_on);
	suite_add_tcase(s, tc);
	return test_run(s);
}
