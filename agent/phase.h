/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When each phase is asked for, begins and ends. Decides only: the main loop
 * has the clock and does what it is told.
 */
#ifndef KTSTR_AGENT_PHASE_H
#define KTSTR_AGENT_PHASE_H

#include <stdbool.h>
#include <stdint.h>

struct plan_phase;

enum phase_action {
	PHASE_WAIT,	/* until the time given, or something happens */
	PHASE_ASK,	/* send PHASE_READY for .index */
	PHASE_BEGIN,	/* begin .index, then phase_begun() */
	PHASE_FINISH,	/* end .index, then phase_finished() */
	PHASE_OVER,	/* all done, or stopped */
	PHASE_NO_ANSWER, /* the host did not answer: over */
};

struct phase_driver {
	const struct plan_phase *phases;	/* borrowed */
	unsigned int nr;
	unsigned int index;	/* the phase that is asked for or running */
	enum {
		PHASE_ASKING,
		PHASE_ASKED,
		PHASE_GRANTED,
		PHASE_RUNNING,
	} state;
	uint64_t since_ns;	/* asked, or begun */
	bool stop;
};

void phase_init(struct phase_driver *d, const struct plan_phase *phases,
		unsigned int nr);

/**
 * phase_step() - what to do now
 * @wake_ns: with PHASE_WAIT, when to call again at the latest
 */
enum phase_action phase_step(struct phase_driver *d, uint64_t now_ns,
			     uint64_t *wake_ns);

/** phase_go() - the host's GO. Return: false if it was not asked for. */
bool phase_go(struct phase_driver *d, int64_t index);

/** phase_begun() - its time counts from @start_ns */
void phase_begun(struct phase_driver *d, uint64_t start_ns);
void phase_finished(struct phase_driver *d);

/** phase_stop() - end the phase that runs, and ask for no more */
void phase_stop(struct phase_driver *d);

#endif
