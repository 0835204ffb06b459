/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames of include/ktstr/wire.h: both ends encode and decode with this. */
#ifndef KTSTR_LIB_FRAME_H
#define KTSTR_LIB_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/ktstr/wire.h"

/**
 * frame_hdr_fill() - make the header for a payload
 * @hdr: written whole
 * @type: enum ktstr_msg
 * @seq: the sender's running number
 * @payload: @len bytes, may be NULL when @len is 0
 * @len: at most KTSTR_FRAME_MAX
 *
 * Return: 0, or -EMSGSIZE.
 */
int frame_hdr_fill(struct ktstr_frame_hdr *hdr, uint16_t type, uint32_t seq,
		   const void *payload, size_t len);

/*
 * Takes a byte stream apart. Holds no more than the largest frame and what was
 * fed last; its work is linear in the bytes, whatever the peer sends.
 */
struct frame_reader {
	uint8_t *buf;		/* owned; bytes from start to len are live */
	size_t start, len, cap;
	size_t consumed;	/* bytes of the frame handed out last */
	uint32_t next_seq;
	uint64_t frames, bytes;
};

struct frame {
	uint16_t type;
	uint32_t seq;
	const uint8_t *payload;	/* borrowed until the next call; not NUL-terminated */
	uint32_t len;
};

void frame_reader_init(struct frame_reader *r);
void frame_reader_fini(struct frame_reader *r);

/**
 * frame_reader_feed() - append received bytes
 * @r: reader
 * @data: may be NULL when @len is 0
 * @len: bytes
 *
 * Take out all frames with frame_reader_next() between two feeds.
 *
 * Return: 0; -ENOMEM; -EPROTO when the bytes of a largest frame wait already:
 * the stream is broken, or nobody takes the frames out.
 */
int frame_reader_feed(struct frame_reader *r, const void *data, size_t len);

/**
 * frame_reader_next() - the next whole frame
 *
 * Return: 1 and @f; 0 when more bytes are needed; -EPROTO when the stream is
 * broken (magic, version, length, checksum, sequence): it stays broken.
 */
int frame_reader_next(struct frame_reader *r, struct frame *f);

/**
 * frame_reader_hunt() - skip to the next sound header of @type
 *
 * For a stream whose beginning, or sequence, is not known: bytes before the
 * header are dropped, and its sequence number becomes the one expected. What
 * could be the beginning of a header is kept.
 *
 * Return: true if frame_reader_next() will look at such a header.
 */
bool frame_reader_hunt(struct frame_reader *r, uint16_t type);

#endif
