// SPDX-License-Identifier: GPL-2.0-only
#include "agent/capture.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LINES_MAX 512	/* bytes of capture_last_lines() that are looked at */

void capture_reset(struct capture *c)
{
	__atomic_store_n(&c->total, 0, __ATOMIC_RELEASE);
}

void capture_add(struct capture *c, const char *data, size_t len)
{
	uint64_t at = c->total;

	while (len) {
		char *to = at < CAPTURE_HEAD ? c->head + at :
			   c->tail + at % CAPTURE_TAIL;
		size_t room = at < CAPTURE_HEAD ? CAPTURE_HEAD - at :
			      CAPTURE_TAIL - at % CAPTURE_TAIL;
		size_t n = len < room ? len : room;

		memcpy(to, data, n);
		data += n;
		len -= n;
		at += n;
	}
	/* release: pairs with kept_total(), in another process */
	__atomic_store_n(&c->total, at, __ATOMIC_RELEASE);
}

static uint64_t kept_total(const struct capture *c)
{
	return __atomic_load_n(&c->total, __ATOMIC_ACQUIRE);
}

void capture_copy(struct capture *to, const struct capture *from)
{
	uint64_t total = kept_total(from), tail;

	memcpy(to->head, from->head, total < CAPTURE_HEAD ? total :
							    CAPTURE_HEAD);
	tail = total > CAPTURE_HEAD ? total - CAPTURE_HEAD : 0;
	/* the ring begins where the head ends only if one divides the other */
	_Static_assert(CAPTURE_HEAD % CAPTURE_TAIL == 0, "capture");
	memcpy(to->tail, from->tail, tail < CAPTURE_TAIL ? tail :
							   CAPTURE_TAIL);
	__atomic_store_n(&to->total, total, __ATOMIC_RELEASE);
}

/* Bytes @from to @to of the stream, all of them in the tail. */
static size_t copy_tail(const struct capture *c, uint64_t from, uint64_t to,
			char *buf)
{
	size_t at = from % CAPTURE_TAIL, len = to - from;
	size_t first = len < CAPTURE_TAIL - at ? len : CAPTURE_TAIL - at;

	memcpy(buf, c->tail + at, first);
	memcpy(buf + first, c->tail, len - first);
	return len;
}

size_t capture_text(const struct capture *c, char *buf)
{
	uint64_t total = kept_total(c), from = CAPTURE_HEAD;
	size_t len;

	if (total <= CAPTURE_HEAD) {
		memcpy(buf, c->head, total);
		return total;
	}
	memcpy(buf, c->head, CAPTURE_HEAD);
	len = CAPTURE_HEAD;
	if (total - from > CAPTURE_TAIL) {
		from = total - CAPTURE_TAIL;
		len += snprintf(buf + len, 64, "\n[%" PRIu64
				" bytes left out]\n", from - CAPTURE_HEAD);
	}
	return len + copy_tail(c, from, total, buf + len);
}

/* The last bytes that are kept, at most @max of them, in one piece. */
static size_t copy_end(const struct capture *c, char *buf, size_t max)
{
	uint64_t total = kept_total(c);
	uint64_t from = total > max ? total - max : 0;
	size_t len = 0;

	if (from < CAPTURE_HEAD) {
		uint64_t to = total < CAPTURE_HEAD ? total : CAPTURE_HEAD;

		memcpy(buf, c->head + from, to - from);
		len = to - from;
		from = to;
	}
	return len + copy_tail(c, from, total, buf + len);
}

void capture_last_lines(const struct capture *c, unsigned int lines, char *buf,
			size_t len)
{
	char end[LINES_MAX];
	size_t n = copy_end(c, end, sizeof(end)), from, i, used = 0;

	while (n && (end[n - 1] == '\n' || end[n - 1] == ' '))
		n--;
	for (from = n; from; from--)
		if (end[from - 1] == '\n' && !--lines)
			break;
	for (i = from; i < n && used + 4 < len; i++) {
		bool graphic = end[i] >= ' ' && end[i] <= '~';

		if (end[i] == '\n')
			used += snprintf(buf + used, len - used, " | ");
		else if (end[i] != '\r')
			buf[used++] = graphic ? end[i] : '?';
	}
	if (len)
		buf[used] = '\0';
}
