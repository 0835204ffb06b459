// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/unpack.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define OUT_START (32UL << 20)

/* Output that grows. */
struct out {
	uint8_t *buf;
	size_t len, cap, limit;
};

static int out_grow(struct out *o)
{
	size_t cap = o->cap * 2;
	uint8_t *p;

	if (o->cap >= o->limit)
		return -EFBIG;
	if (cap > o->limit)
		cap = o->limit;
	p = realloc(o->buf, cap);
	if (!p)
		return -ENOMEM;
	o->buf = p;
	o->cap = cap;
	return 0;
}

static int gunzip(const uint8_t *in, size_t len, struct out *o)
{
	z_stream z = { .next_in = (uint8_t *)in, .avail_in = len };
	int err = 0, r = Z_OK;

	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return -ENOMEM;
	while (!err && r != Z_STREAM_END) {
		if (o->len == o->cap) {
			err = out_grow(o);
			continue;
		}
		z.next_out = o->buf + o->len;
		z.avail_out = o->cap - o->len;
		r = inflate(&z, Z_NO_FLUSH);
		o->len = o->cap - z.avail_out;
		if (r == Z_BUF_ERROR && !z.avail_out)
			continue;
		if (r != Z_OK && r != Z_STREAM_END)
			err = -EBADMSG;
	}
	inflateEnd(&z);
	return err;
}

/* Both of liblzma's formats, once the decoder is set up. */
static int lzma_run(lzma_stream *s, const uint8_t *in, size_t len,
		    struct out *o)
{
	lzma_ret r = LZMA_OK;
	int err = 0;

	s->next_in = in;
	s->avail_in = len;
	while (!err && r != LZMA_STREAM_END) {
		if (o->len == o->cap) {
			err = out_grow(o);
			continue;
		}
		s->next_out = o->buf + o->len;
		s->avail_out = o->cap - o->len;
		r = lzma_code(s, LZMA_RUN);
		o->len = o->cap - s->avail_out;
		if (r == LZMA_BUF_ERROR && !s->avail_out)
			continue;
		if (r != LZMA_OK && r != LZMA_STREAM_END)
			err = r == LZMA_MEM_ERROR ? -ENOMEM : -EBADMSG;
	}
	lzma_end(s);
	return err;
}

static int unxz(const uint8_t *in, size_t len, struct out *o)
{
	lzma_stream s = LZMA_STREAM_INIT;

	if (lzma_stream_decoder(&s, UNPACK_MAX_BYTES, 0) != LZMA_OK)
		return -ENOMEM;
	return lzma_run(&s, in, len, o);
}

static int unlzma(const uint8_t *in, size_t len, struct out *o)
{
	lzma_stream s = LZMA_STREAM_INIT;

	if (lzma_alone_decoder(&s, UNPACK_MAX_BYTES) != LZMA_OK)
		return -ENOMEM;
	return lzma_run(&s, in, len, o);
}

static int unzstd(const uint8_t *in, size_t len, struct out *o)
{
	ZSTD_DStream *s = ZSTD_createDStream();
	ZSTD_inBuffer zin = { .src = in, .size = len };
	size_t r = 1;
	int err = 0;

	if (!s)
		return -ENOMEM;
	/* Kernels are packed with windows of up to 128 MiB. */
	ZSTD_DCtx_setParameter(s, ZSTD_d_windowLogMax, 30);
	while (!err && r) {
		ZSTD_outBuffer zout = { .dst = o->buf, .size = o->cap,
					.pos = o->len };
		size_t was_in = zin.pos;

		r = ZSTD_decompressStream(s, &zout, &zin);
		if (ZSTD_isError(r))
			err = -EBADMSG;
		else if (r && zout.pos == o->cap)
			err = out_grow(o);
		else if (r && zout.pos == o->len && zin.pos == was_in)
			err = -EBADMSG; /* cut short */
		o->len = zout.pos;
	}
	ZSTD_freeDStream(s);
	return err;
}

static uint32_t le32(const uint8_t *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

/* The legacy frame of the kernel's build: blocks of 8 MiB, sizes before. */
#define LZ4_MAGIC 0x184c2102
#define LZ4_BLOCK (8U << 20)

static int unlz4(const uint8_t *in, size_t len, struct out *o)
{
	size_t at = 4;

	while (len - at >= 4) {
		uint32_t chunk = le32(in + at);
		int err, n;

		at += 4;
		if (chunk == LZ4_MAGIC)
			continue; /* a concatenated frame */
		if (!chunk || chunk > len - at || chunk > INT32_MAX)
			return -EBADMSG;
		while (o->cap - o->len < LZ4_BLOCK) {
			err = out_grow(o);
			if (err)
				return err;
		}
		n = LZ4_decompress_safe((const char *)in + at,
					(char *)o->buf + o->len, chunk,
					LZ4_BLOCK);
		if (n < 0)
			return -EBADMSG;
		o->len += n;
		at += chunk;
	}
	return at == len ? 0 : -EBADMSG;
}

static const struct format {
	const char *name;
	const char *magic;
	size_t magic_len;
	int (*run)(const uint8_t *in, size_t len, struct out *o);
} formats[] = {
	{ "gzip", "\x1f\x8b", 2, gunzip },
	{ "xz", "\xfd" "7zXZ\0", 6, unxz },
	{ "zstd", "\x28\xb5\x2f\xfd", 4, unzstd },
	{ "lz4", "\x02\x21\x4c\x18", 4, unlz4 },
	{ "lzma", "\x5d\0\0", 3, unlzma },
}; /* no entry: bzip2, lzo and what is to come */

static const struct format *format_of(const uint8_t *data, size_t len)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(formats); i++)
		if (len >= formats[i].magic_len &&
		    !memcmp(data, formats[i].magic, formats[i].magic_len))
			return &formats[i];
	return NULL;
}

const char *unpack_name(const uint8_t *data, size_t len)
{
	const struct format *f = format_of(data, len);

	return f ? f->name : NULL;
}

int unpack(const uint8_t *data, size_t len, size_t size_hint, size_t limit,
	   uint8_t **out, size_t *out_len)
{
	const struct format *f = format_of(data, len);
	struct out o = { .cap = OUT_START, .limit = limit };
	int err;

	if (!f)
		return -ENOTSUP;
	/* One more than expected: the end is then seen without growing. */
	if (size_hint > OUT_START)
		o.cap = size_hint + 1;
	if (o.cap > limit)
		o.cap = limit;
	o.buf = malloc(o.cap);
	if (!o.buf)
		return -ENOMEM;
	err = f->run(data, len, &o);
	if (err) {
		free(o.buf);
		return err;
	}
	*out = o.buf;
	*out_len = o.len;
	return 0;
}
