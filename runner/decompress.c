// SPDX-License-Identifier: GPL-2.0-only
#include "runner/modules.h"

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OUT_MAX (256u << 20)

struct out_buf {
	uint8_t *data;
	size_t len, cap;
};

/* Room for more output: doubles, starting from a guess at the ratio. */
static int out_grow(struct out_buf *o, size_t guess)
{
	size_t cap = o->cap ? 2 * o->cap : guess + 4096;
	uint8_t *data;

	if (o->len < o->cap)
		return 0;
	if (o->cap >= OUT_MAX)
		return -EFBIG;
	if (cap > OUT_MAX)
		cap = OUT_MAX;
	data = realloc(o->data, cap);
	if (!data)
		return -ENOMEM;
	o->data = data;
	o->cap = cap;
	return 0;
}

static int from_xz(const uint8_t *in, size_t in_len, struct out_buf *o)
{
	lzma_stream s = LZMA_STREAM_INIT;
	lzma_ret ret;
	int err = 0;

	if (lzma_stream_decoder(&s, OUT_MAX, 0) != LZMA_OK)
		return -ENOMEM;
	s.next_in = in;
	s.avail_in = in_len;
	do {
		err = out_grow(o, 4 * in_len);
		if (err)
			break;
		s.next_out = o->data + o->len;
		s.avail_out = o->cap - o->len;
		ret = lzma_code(&s, LZMA_FINISH);
		o->len = o->cap - s.avail_out;
		if (ret != LZMA_OK && ret != LZMA_STREAM_END)
			err = ret == LZMA_MEM_ERROR ? -ENOMEM : -EBADMSG;
	} while (!err && ret != LZMA_STREAM_END);
	lzma_end(&s);
	return err;
}

static int from_zstd(const uint8_t *in, size_t in_len, struct out_buf *o)
{
	ZSTD_DStream *ds = ZSTD_createDStream();
	ZSTD_inBuffer ib = { in, in_len, 0 };
	size_t left = 1;
	int err = 0;

	if (!ds)
		return -ENOMEM;
	while (left) {
		ZSTD_outBuffer ob;
		size_t in_before = ib.pos;

		err = out_grow(o, 4 * in_len);
		if (err)
			break;
		ob = (ZSTD_outBuffer){ o->data, o->cap, o->len };
		left = ZSTD_decompressStream(ds, &ob, &ib);
		/* No progress with room for it: the input ends too early. */
		if (ZSTD_isError(left) ||
		    (left && ib.pos == in_before && ob.pos == o->len)) {
			err = -EBADMSG;
			break;
		}
		o->len = ob.pos;
	}
	ZSTD_freeDStream(ds);
	return err;
}

static int from_gzip(const uint8_t *in, size_t in_len, struct out_buf *o)
{
	z_stream s = { .next_in = (Bytef *)in, .avail_in = in_len };
	int ret, err = 0;

	if (inflateInit2(&s, 15 + 16) != Z_OK)
		return -ENOMEM;
	do {
		err = out_grow(o, 4 * in_len);
		if (err)
			break;
		s.next_out = o->data + o->len;
		s.avail_out = o->cap - o->len;
		ret = inflate(&s, Z_NO_FLUSH);
		o->len = o->cap - s.avail_out;
		if (ret != Z_OK && ret != Z_STREAM_END)
			err = -EBADMSG;
	} while (!err && ret != Z_STREAM_END);
	inflateEnd(&s);
	return err;
}

static int from_plain(const uint8_t *in, size_t in_len, struct out_buf *o)
{
	int err = out_grow(o, in_len);

	if (err)
		return err;
	if (in_len > o->cap)
		return -EFBIG;
	memcpy(o->data, in, in_len);
	o->len = in_len;
	return 0;
}

static const struct format {
	uint8_t magic[6], magic_len;
	int (*unpack)(const uint8_t *in, size_t in_len, struct out_buf *o);
} formats[] = {
	{ { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, from_xz },
	{ { 0x28, 0xb5, 0x2f, 0xfd }, 4, from_zstd },
	{ { 0x1f, 0x8b }, 2, from_gzip },
	{ { 0 }, 0, from_plain }, /* last: matches everything */
};

int decompress(const uint8_t *in, size_t in_len, uint8_t **out,
	       size_t *out_len)
{
	const struct format *f = formats;
	struct out_buf o = { 0 };
	int err;

	if (in_len > OUT_MAX)
		return -EFBIG;
	while (in_len < f->magic_len || memcmp(in, f->magic, f->magic_len))
		f++;
	err = f->unpack(in, in_len, &o);
	if (err) {
		free(o.data);
		return err;
	}
	*out = o.data;
	*out_len = o.len;
	return 0;
}
