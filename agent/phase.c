// SPDX-License-Identifier: GPL-2.0-only
#include "agent/phase.h"

#include "agent/plan.h"
#include "lib/clock.h"

#define ANSWER_NS (30 * NSEC_PER_SEC)

void phase_init(struct phase_driver *d, const struct plan_phase *phases,
		unsigned int nr)
{
	*d = (struct phase_driver){ .phases = phases, .nr = nr };
}

enum phase_action phase_step(struct phase_driver *d, uint64_t now_ns,
			     uint64_t *wake_ns)
{
	if (d->state == PHASE_RUNNING) {
		*wake_ns = d->since_ns + d->phases[d->index].duration_ns;
		return d->stop || now_ns >= *wake_ns ? PHASE_FINISH :
						       PHASE_WAIT;
	}
	if (d->stop || d->index == d->nr)
		return PHASE_OVER;
	switch (d->state) {
	case PHASE_ASKING:
		d->state = PHASE_ASKED;
		d->since_ns = now_ns;
		return PHASE_ASK;
	case PHASE_GRANTED:
		return PHASE_BEGIN;
	default:
		*wake_ns = d->since_ns + ANSWER_NS;
		return now_ns >= *wake_ns ? PHASE_NO_ANSWER : PHASE_WAIT;
	}
}

bool phase_go(struct phase_driver *d, int64_t index)
{
	if (d->state != PHASE_ASKED || index != d->index)
		return false;
	d->state = PHASE_GRANTED;
	return true;
}

void phase_begun(struct phase_driver *d, uint64_t start_ns)
{
	d->state = PHASE_RUNNING;
	d->since_ns = start_ns;
}

void phase_finished(struct phase_driver *d)
{
	d->state = PHASE_ASKING;
	d->index++;
}

void phase_stop(struct phase_driver *d)
{
	d->stop = true;
}
