/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Looks at a frozen VM: when one is due, when the scheduler has died, and how
 * much of a stretch of time was frozen. Decides only; look_take.c does.
 */
#ifndef KTSTR_RUNNER_LOOK_H
#define KTSTR_RUNNER_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mon_sched;

/* Why a look is taken. */
enum look_why {
	LOOK_STEP,		/* a step of the scenario */
	LOOK_EVERY,		/* telemetry.freeze_every */
	LOOK_DEATH,		/* the scheduler dies */
	LOOK_GAP,		/* a worker does not get on */
};

/* Who saw the scheduler die. */
enum look_seen {
	LOOK_SEEN_NONE,		/* not that kind of look */
	LOOK_SEEN_WATCHPOINT,	/* the vCPU that wrote the exit kind */
	LOOK_SEEN_SAMPLE,	/* the first sample after it */
	LOOK_SEEN_MESSAGE,	/* the agent: no sample was first */
};

/** look_why_name() - "step", "every", "death", "gap" */
const char *look_why_name(enum look_why why);
/** look_seen_name() - "watchpoint", "sample", "message"; NULL: none */
const char *look_seen_name(enum look_seen seen);

/*
 * What is due in the phase that runs.
 */

#define LOOK_MAX_ORDERS 32

struct look_order {
	enum look_why why;
	const char *name;	/* borrowed from the plan; NULL: none */
	uint64_t at_ns;
};

struct look_schedule {
	struct look_order orders[LOOK_MAX_ORDERS];
	unsigned int nr;
	uint64_t every_ns;	/* 0: never */
	uint64_t every_at_ns;
};

/** look_schedule_begin() - a phase that began at @start_ns; drops the rest */
void look_schedule_begin(struct look_schedule *s, uint64_t start_ns,
			 uint64_t every_ns);

/** look_schedule_add() - one look. 0; -ENOSPC. */
int look_schedule_add(struct look_schedule *s, const char *name,
		      uint64_t at_ns);

/** look_schedule_end() - the phase is over: nothing is due any more */
void look_schedule_end(struct look_schedule *s);

/** look_schedule_next() - when the next is due; UINT64_MAX: none */
uint64_t look_schedule_next(const struct look_schedule *s);

/**
 * look_schedule_take() - the earliest that is due by @now_ns
 *
 * Looks that repeat are not made up for: one that is late stands for all that
 * were missed.
 *
 * Return: true and @order, or false: nothing is due.
 */
bool look_schedule_take(struct look_schedule *s, uint64_t now_ns,
			struct look_order *order);

/*
 * The scheduler's end.
 */

struct look_death {
	bool alive;		/* was seen in charge, and not to end since */
};

/**
 * look_death_seen() - does this look show the end of a scheduler that was
 *		       seen alive before?
 *
 * An end that somebody asked for (it was unregistered, SysRq-S) is none.
 *
 * Return: true, once for each scheduler.
 */
bool look_death_seen(struct look_death *d, const struct mon_sched *sched);

/*
 * Frozen time.
 */

struct frozen_span {
	uint64_t from_ns, until_ns;	/* host CLOCK_MONOTONIC */
	bool bypass;			/* sched_ext was in it, or may have */
};

/* A task that was on a CPU meanwhile: the guest's clock charges it for it. */
struct frozen_run {
	size_t span;
	uint32_t pid;
	uint32_t program;	/* whose it is: 1 + its worker; 0: nobody's */
};

struct frozen_log {
	struct frozen_span *spans;	/* owned; ascending, none overlaps */
	size_t nr, cap;
	uint64_t sum_ns;
	struct frozen_run *runs;	/* owned; spans ascending */
	size_t nr_runs, cap_runs;
};

/** frozen_log_add() - not before the last one's end. 0 or -ENOMEM. */
int frozen_log_add(struct frozen_log *log, uint64_t from_ns,
		   uint64_t until_ns);
/**
 * frozen_log_add_run() - @pid was on a CPU in the last span
 * @program: 1 + the worker whose program it is of; 0: of none
 *
 * Return: 0 or -ENOMEM.
 */
int frozen_log_add_run(struct frozen_log *log, uint32_t pid, uint32_t program);
/** frozen_log_bypass() - sched_ext was, or may have been, in bypass then */
void frozen_log_bypass(struct frozen_log *log);
void frozen_log_fini(struct frozen_log *log);

/** frozen_within() - how much of [@from_ns, @until_ns] was; @log may be NULL */
uint64_t frozen_within(const struct frozen_log *log, uint64_t from_ns,
		       uint64_t until_ns);

/** frozen_in_bypass() - was any of it frozen so? @log may be NULL */
bool frozen_in_bypass(const struct frozen_log *log, uint64_t from_ns,
		      uint64_t until_ns);

/* The log as the guest's clock sees it. */
struct frozen_view {
	const struct frozen_log *log;
	int64_t offset_ns;		/* guest clock minus host clock */
	uint32_t program;		/* as frozen_run: for who is one */
};

/** frozen_view_within() - of a stretch of the guest's time; @v may be NULL */
uint64_t frozen_view_within(const struct frozen_view *v, uint64_t from_ns,
			    uint64_t until_ns);

/**
 * frozen_view_ran() - as that, but only what @pid was on a CPU
 *
 * Where the view is of a program, instead of @pid all that was of it: with two
 * of its tasks on CPUs it is twice the time.
 */
uint64_t frozen_view_ran(const struct frozen_view *v, uint32_t pid,
			 uint64_t from_ns, uint64_t until_ns);

#endif
