// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_dispatch.h"

#include <inttypes.h>

#include "lib/log.h"

static const struct blk_event blk_events[] = {
	[BLK_TOKEN_KICK] = { .kind = BLK_EV_DRAIN },
	[BLK_TOKEN_STOP] = { .kind = BLK_EV_STOP },
	[BLK_TOKEN_THROTTLE] = { .kind = BLK_EV_DRAIN, .forced = true },
	[BLK_TOKEN_PAUSE] = { .kind = BLK_EV_PAUSE },
}; /* no entry: BLK_EV_SKIP */

struct blk_event blk_dispatch(uint64_t token)
{
	if (token >= sizeof(blk_events) / sizeof(blk_events[0]))
		return (struct blk_event){ .kind = BLK_EV_SKIP };
	return blk_events[token];
}

struct epoll_event blk_event_make(enum blk_token token)
{
	return (struct epoll_event){ .events = EPOLLIN, .data.u64 = token };
}

struct blk_batch blk_batch_scan(const struct epoll_event *events, int nr)
{
	struct blk_batch batch = { .stop = false };
	int i;

	for (i = 0; i < nr; i++) {
		uint32_t bits = events[i].events & (EPOLLERR | EPOLLHUP);
		uint64_t token = events[i].data.u64;
		struct blk_event ev = blk_dispatch(token);

		if (bits)
			log_warn("vblk: token %" PRIu64 ": event bits 0x%x",
				 token, bits);
		switch (ev.kind) {
		case BLK_EV_SKIP:
			log_warn("vblk: unknown token %" PRIu64, token);
			break;
		case BLK_EV_STOP:
			batch.stop = true;
			break;
		case BLK_EV_PAUSE:
			batch.pause = true;
			break;
		case BLK_EV_DRAIN:
			if (ev.forced)
				batch.timer = true;
			else
				batch.kick = true;
			break;
		}
	}
	return batch;
}
