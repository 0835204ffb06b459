// SPDX-License-Identifier: GPL-2.0-only
/*
 * The frame reader: bytes as they come, or as frames whose checksums are made
 * good first, so that what lies behind the checksums is reached.
 */
#include "vmm/fuzz/fuzz.h"

#include "lib/frame.h"

#include <stdbool.h>

#include <zlib.h>

#define CAP_MAX (4u << 20)

/* Take all frames out. Return: whether the stream still is sound. */
static bool drain(struct frame_reader *r)
{
	uint32_t seq = r->next_seq;
	struct frame f;
	int ret;

	while ((ret = frame_reader_next(r, &f)) > 0) {
		must(f.seq == seq++);
		must(f.len <= KTSTR_FRAME_MAX);
		must(f.payload >= r->buf &&
		     f.payload + f.len <= r->buf + r->len);
		must(!f.len || crc32(0, f.payload, f.len));
	}
	must(!ret || frame_reader_next(r, &f) == ret);
	must(r->cap <= CAP_MAX);
	return !ret;
}

static int feed_frame(struct frame_reader *r, struct fuzz_in *in, uint8_t op)
{
	const size_t n = fuzz_take(in, 1) % (in->len + 1);
	struct ktstr_frame_hdr hdr;
	int err;

	frame_hdr_fill(&hdr, fuzz_take(in, 1), r->next_seq + (op & 4),
		       in->data, n < in->len ? n : in->len);
	if (op & 8)
		hdr.len = fuzz_take(in, 4);
	if (op & 16) /* a header that is sound but for what it says */
		hdr.hdr_crc = crc32(0, (const Bytef *)&hdr,
				    offsetof(struct ktstr_frame_hdr, hdr_crc));
	err = frame_reader_feed(r, &hdr, sizeof(hdr));
	return err ? err : frame_reader_feed(r, in->data,
					     n < in->len ? n : in->len);
}

void fuzz_frame(const uint8_t *data, size_t len)
{
	struct fuzz_in in = { data, len };
	struct frame_reader r;

	frame_reader_init(&r);
	while (in.len) {
		const uint8_t op = fuzz_take(&in, 1);
		const size_t n = op / 32 < in.len ? op / 32 : in.len;

		if (op & 1 ? feed_frame(&r, &in, op) :
			     frame_reader_feed(&r, in.data, n))
			break;
		fuzz_take(&in, op & 1 ? 0 : n);
		if (!drain(&r) && !(op & 2))
			frame_reader_hunt(&r, op / 64);
	}
	frame_reader_fini(&r);
}
