// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_policy.h"

uint64_t blk_clamp_wait(uint64_t ns)
{
	if (!ns)
		return 1;
	return ns < BLK_RETRY_CAP_NS ? ns : BLK_RETRY_CAP_NS;
}

struct blk_decision blk_decide(struct blk_outcome outcome)
{
	if (!outcome.stalled)
		return (struct blk_decision){ .kind = BLK_CONTINUE };
	if (!outcome.wait_ns)
		return (struct blk_decision){ .kind = BLK_REDRAIN };
	return (struct blk_decision){
		.kind = BLK_SLEEP,
		.wait_ns = blk_clamp_wait(outcome.wait_ns),
	};
}

struct blk_action blk_resolve(struct blk_decision decision,
			      struct blk_outcome (*drain)(void *ctx), void *ctx)
{
	struct blk_outcome second;

	switch (decision.kind) {
	case BLK_CONTINUE:
		break;
	case BLK_SLEEP:
		return (struct blk_action){ true, decision.wait_ns };
	case BLK_REDRAIN:
		second = drain(ctx);
		if (second.stalled)
			return (struct blk_action){
				true, blk_clamp_wait(second.wait_ns)
			};
		break;
	}
	return (struct blk_action){ .sleep = false };
}

struct blk_alarm blk_alarm_of(struct blk_action action, uint64_t due_ns,
			      uint64_t now_ns)
{
	uint64_t wait_ns = UINT64_MAX;

	if (!action.sleep && due_ns == UINT64_MAX)
		return (struct blk_alarm){ .set = false };
	if (due_ns != UINT64_MAX)
		wait_ns = due_ns > now_ns ? due_ns - now_ns : 0;
	if (action.sleep && action.wait_ns < wait_ns)
		wait_ns = action.wait_ns;
	return (struct blk_alarm){ true, now_ns + blk_clamp_wait(wait_ns) };
}
