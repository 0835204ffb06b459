// SPDX-License-Identifier: GPL-2.0-only
#include "lib/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

int frame_hdr_fill(struct ktstr_frame_hdr *hdr, uint16_t type, uint32_t seq,
		   const void *payload, size_t len)
{
	if (len > KTSTR_FRAME_MAX)
		return -EMSGSIZE;
	*hdr = (struct ktstr_frame_hdr){
		.magic = KTSTR_FRAME_MAGIC,
		.version = KTSTR_FRAME_VERSION,
		.type = type,
		.seq = seq,
		.len = len,
		.crc = len ? crc32(0, payload, len) : 0,
	};
	hdr->hdr_crc = crc32(0, (const Bytef *)hdr,
			     offsetof(struct ktstr_frame_hdr, hdr_crc));
	return 0;
}

void frame_reader_init(struct frame_reader *r)
{
	*r = (struct frame_reader){ 0 };
}

void frame_reader_fini(struct frame_reader *r)
{
	free(r->buf);
	*r = (struct frame_reader){ 0 };
}

/*
 * Drop the frame that the caller has seen. Moves no bytes: a peer that sends
 * many small frames at once would make us move the rest of them for each.
 */
static void discard_consumed(struct frame_reader *r)
{
	r->start += r->consumed;
	r->consumed = 0;
	if (r->start == r->len) {
		r->start = 0;
		r->len = 0;
	}
}

static int reserve(struct frame_reader *r, size_t need)
{
	size_t cap = r->cap ? r->cap : 4096;
	uint8_t *buf;

	while (cap < need)
		cap *= 2;
	if (cap == r->cap)
		return 0;
	buf = realloc(r->buf, cap);
	if (!buf)
		return -ENOMEM;
	r->buf = buf;
	r->cap = cap;
	return 0;
}

int frame_reader_feed(struct frame_reader *r, const void *data, size_t len)
{
	if (!len)
		return 0;
	discard_consumed(r);
	/* a whole frame waits already: nobody takes them, or it is none */
	if (r->len - r->start >= sizeof(struct ktstr_frame_hdr) +
				 KTSTR_FRAME_MAX)
		return -EPROTO;
	if (r->start) {
		memmove(r->buf, r->buf + r->start, r->len - r->start);
		r->len -= r->start;
		r->start = 0;
	}
	if (reserve(r, r->len + len))
		return -ENOMEM;
	memcpy(r->buf + r->len, data, len);
	r->len += len;
	r->bytes += len;
	return 0;
}

static int check_hdr(const struct ktstr_frame_hdr *hdr, uint32_t next_seq)
{
	if (hdr->magic != KTSTR_FRAME_MAGIC ||
	    hdr->version != KTSTR_FRAME_VERSION ||
	    hdr->len > KTSTR_FRAME_MAX || hdr->seq != next_seq)
		return -EPROTO;
	if (hdr->hdr_crc != crc32(0, (const Bytef *)hdr,
				  offsetof(struct ktstr_frame_hdr, hdr_crc)))
		return -EPROTO;
	return 0;
}

int frame_reader_next(struct frame_reader *r, struct frame *f)
{
	struct ktstr_frame_hdr hdr;
	const uint8_t *payload;
	size_t have;

	discard_consumed(r);
	have = r->len - r->start;
	if (have < sizeof(hdr))
		return 0;
	memcpy(&hdr, r->buf + r->start, sizeof(hdr));
	if (check_hdr(&hdr, r->next_seq))
		return -EPROTO;
	if (have - sizeof(hdr) < hdr.len)
		return 0;
	payload = r->buf + r->start + sizeof(hdr);
	if (hdr.crc != (hdr.len ? crc32(0, payload, hdr.len) : 0))
		return -EPROTO;
	*f = (struct frame){
		.type = hdr.type,
		.seq = hdr.seq,
		.payload = payload,
		.len = hdr.len,
	};
	r->consumed = sizeof(hdr) + hdr.len;
	r->next_seq++;
	r->frames++;
	return 1;
}

/* A frame handed out before is dropped first, so a hunt always moves on. */
bool frame_reader_hunt(struct frame_reader *r, uint16_t type)
{
	struct ktstr_frame_hdr hdr;

	discard_consumed(r);
	for (; r->len - r->start >= sizeof(hdr); r->start++) {
		memcpy(&hdr, r->buf + r->start, sizeof(hdr));
		if (check_hdr(&hdr, hdr.seq) || hdr.type != type)
			continue;
		r->next_seq = hdr.seq;
		return true;
	}
	return false;
}
