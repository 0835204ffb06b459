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

/* Drop the frame that the caller has seen. */
static void discard_consumed(struct frame_reader *r)
{
	if (!r->consumed)
		return;
	memmove(r->buf, r->buf + r->consumed, r->len - r->consumed);
	r->len -= r->consumed;
	r->consumed = 0;
}

int frame_reader_feed(struct frame_reader *r, const void *data, size_t len)
{
	size_t need;

	discard_consumed(r);
	need = r->len + len;
	if (need > r->cap) {
		size_t cap = r->cap ? r->cap : 4096;
		uint8_t *buf;

		while (cap < need)
			cap *= 2;
		buf = realloc(r->buf, cap);
		if (!buf)
			return -ENOMEM;
		r->buf = buf;
		r->cap = cap;
	}
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
	uint32_t crc;
	size_t end;

	discard_consumed(r);
	if (r->len < sizeof(hdr))
		return 0;
	memcpy(&hdr, r->buf, sizeof(hdr));
	if (check_hdr(&hdr, r->next_seq))
		return -EPROTO;
	end = sizeof(hdr) + hdr.len;
	if (r->len < end)
		return 0;
	crc = hdr.len ? crc32(0, r->buf + sizeof(hdr), hdr.len) : 0;
	if (crc != hdr.crc)
		return -EPROTO;
	*f = (struct frame){
		.type = hdr.type,
		.seq = hdr.seq,
		.payload = r->buf + sizeof(hdr),
		.len = hdr.len,
	};
	r->consumed = end;
	r->next_seq++;
	r->frames++;
	return 1;
}

/* A frame handed out before is dropped first, so a hunt always moves on. */
bool frame_reader_hunt(struct frame_reader *r, uint16_t type)
{
	size_t pos;

	discard_consumed(r);
	for (pos = 0; r->len - pos >= sizeof(struct ktstr_frame_hdr); pos++) {
		struct ktstr_frame_hdr hdr;

		memcpy(&hdr, r->buf + pos, sizeof(hdr));
		if (check_hdr(&hdr, hdr.seq) || hdr.type != type)
			continue;
		r->next_seq = hdr.seq;
		break;
	}
	r->consumed = pos;
	discard_consumed(r);
	return r->len >= sizeof(struct ktstr_frame_hdr);
}
