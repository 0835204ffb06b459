// SPDX-License-Identifier: GPL-2.0-only
/* Doing what agent/phase.c decides. */
#include "agent/agent.h"

#include "agent/clock_exchange.h"
#include "agent/json_text.h"
#include "agent/plan.h"
#include "agent/sysfile.h"
#include "lib/clock.h"
#include "lib/log.h"

#include <errno.h>
#include <string.h>

static void send_index(struct agent *a, uint16_t type, unsigned int index)
{
	port_send_json(&a->port, type, json_pack("{s:i}", "index", index));
}

/*
 * Point 0 is before the first phase, point n after phase n - 1. Not worth more
 * than this wait: without it, what needs both clocks is not judged.
 */
#define CLOCK_WAIT_NS (2 * NSEC_PER_SEC)

static void measure_clock(struct agent *a, unsigned int point)
{
	struct ktstr_clock *c = &a->shm.hdr->clock;

	clock_exchange_open(c, point + 1);
	port_send_json(&a->port, KTSTR_MSG_CLOCK,
		       json_pack("{s:i}", "point", point));
	if (!clock_exchange_run(c, CLOCK_WAIT_NS))
		log_warn("agent: the host did not come to compare clocks");
}

static void publish_phase(struct agent *a, uint32_t phase)
{
	/*
	 * Release: the phase's start is visible to whoever sees the phase.
	 * Pairs with the workers' acquire of it (agent/stamp.c).
	 */
	__atomic_store_n(&a->shm.hdr->phase, phase, __ATOMIC_RELEASE);
}

static void begin(struct agent *a, bool first)
{
	unsigned int index = a->phases.index;
	uint64_t start_ns;

	workers_phase_start(&a->workers);
	observers_phase_start(&a->observers);
	start_ns = clock_now_ns();
	__atomic_store_n(&a->shm.hdr->phase_start_ns[index], start_ns,
			 __ATOMIC_RELAXED);
	publish_phase(a, index);
	if (first)
		workers_release(&a->workers);
	phase_begun(&a->phases, start_ns);
	port_send_json(&a->port, KTSTR_MSG_PHASE_START,
		       json_pack("{s:i,s:I}", "index", index, "guest_ns",
				 (json_int_t)start_ns));
}

/* Null where there is no such file: no sched_ext, or no scheduler. */
static json_t *state_text(const char *path)
{
	char text[160];

	if (sysfile_read(text, sizeof(text), "%s", path) < 0)
		return json_null();
	return json_text(text, sizeof(text));
}

static void finish(struct agent *a)
{
	unsigned int index = a->phases.index;
	uint64_t end_ns = clock_now_ns();
	int err;

	/* Before anything else: work that is done from here on counts not. */
	__atomic_store_n(&a->shm.hdr->phase_end_ns[index], end_ns,
			 __ATOMIC_RELAXED);
	publish_phase(a, KTSTR_SHM_NO_PHASE);
	err = workers_phase_end(&a->workers, index);
	if (err)
		log_warn("agent: accounts of phase %u: %s", index,
			 strerror(-err));
	phase_finished(&a->phases);
	port_send_json(&a->port, KTSTR_MSG_PHASE_END,
		       json_pack("{s:i,s:I,s:o,s:o,s:o*}", "index", index,
				 "guest_ns", (json_int_t)end_ns, "sched_state",
				 state_text("/sys/kernel/sched_ext/state"),
				 "sched_ops",
				 state_text("/sys/kernel/sched_ext/root/ops"),
				 "observers",
				 observers_phase_end(&a->observers)));
	measure_clock(a, index + 1);
}

int agent_run_phases(struct agent *a)
{
	bool first = true;
	uint64_t wake_ns;

	while (1) {
		switch (phase_step(&a->phases, clock_now_ns(), &wake_ns)) {
		case PHASE_WAIT:
			agent_pump(a, wake_ns);
			break;
		case PHASE_ASK:
			if (first)
				measure_clock(a, 0);
			send_index(a, KTSTR_MSG_PHASE_READY, a->phases.index);
			break;
		case PHASE_BEGIN:
			begin(a, first);
			first = false;
			break;
		case PHASE_FINISH:
			finish(a);
			break;
		case PHASE_OVER:
			return 0;
		case PHASE_NO_ANSWER:
			return -ETIMEDOUT;
		}
	}
}
