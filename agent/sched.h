/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PID 1's half of the scheduler loader: starts it, follows what it and the
 * kernel say, and turns that into SCHED messages. Nothing here blocks or reads
 * a clock; the main loop calls when the socket is readable, and at the times
 * it is told.
 */
#ifndef KTSTR_AGENT_SCHED_H
#define KTSTR_AGENT_SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

struct kmsg_exit;
struct plan_sched;
struct program_output;

enum sched_phase {
	SCHED_NONE,		/* no scheduler */
	SCHED_LOADING,
	SCHED_LOADED,		/* it verified, and is being attached */
	SCHED_ATTACHED,
	SCHED_ENDING,		/* the kernel has ended it; asking why */
	SCHED_GONE,		/* and the host was told */
	SCHED_FAILED,		/* it never ran */
	SCHED_DETACHING,	/* we are ending it */
	SCHED_DETACHED,
};

struct sched {
	enum sched_phase phase;
	const char *name;	/* borrowed from the plan */
	pid_t pid;		/* of the loader; 0: none */
	int fd;			/* owned; -1: none */
	uint64_t since_ns;	/* when the phase began */
	uint64_t enabled_ns;	/* when the kernel was first seen to have it */
	uint64_t detach_ns;	/* how long detaching took; 0: unknown */
	json_t *recorded;	/* owned: the exit recorded when detached */
	struct program_output *output; /* of one with a user space of its own;
				 * else NULL. Owned, kept to the end */
};

#define SCHED_INIT { .fd = -1 }

/** sched_start() - fork the loader, or the holder of a program. Return: 0 or -errno. */
int sched_start(struct sched *s, const struct plan_sched *plan,
		uint64_t now_ns);

/**
 * sched_receive() - the socket is readable: take one packet
 * @log: for the end of a scheduler; what the kernel log said
 * @body: a SCHED message for the host, new reference; or NULL
 *
 * Return: true if there was a packet, and there may be more.
 */
bool sched_receive(struct sched *s, const struct kmsg_exit *log,
		   uint64_t now_ns, json_t **body);

/**
 * sched_watch() - compare with the kernel's own state
 * @state: text of /sys/kernel/sched_ext/state
 *
 * Notices a scheduler that ended, and one that was enabled although its loader
 * does not get to say so.
 *
 * Return: a SCHED message for the host, new reference; or NULL.
 */
json_t *sched_watch(struct sched *s, const char *state,
		    const struct kmsg_exit *log, uint64_t now_ns);

/** sched_watch_due() - when to call sched_watch() next; UINT64_MAX: never */
uint64_t sched_watch_due(const struct sched *s, uint64_t now_ns);

/**
 * sched_loader_exited() - waitpid() has found the loader
 *
 * Return: a SCHED message for the host, new reference; or NULL.
 */
json_t *sched_loader_exited(struct sched *s, int status, uint64_t now_ns);

/** sched_give_up() - it did not start in time. Return: SCHED failed. */
json_t *sched_give_up(struct sched *s, uint64_t now_ns);

/** sched_ask_detach() - begin; the phase becomes DETACHED when it is done */
void sched_ask_detach(struct sched *s, uint64_t now_ns);

/**
 * sched_detached() - it is disabled: was that our doing?
 * @log: what the kernel log said last of a scheduler's end
 *
 * Return: NULL if so, or if there was none to detach; else it ended by itself
 * just then, and this is the SCHED message that says how, new reference.
 */
json_t *sched_detached(struct sched *s, const struct kmsg_exit *log,
		       uint64_t now_ns);

/** sched_kill() - drop the loader, its link and what it recorded */
void sched_kill(struct sched *s);

/** sched_read_state() - the kernel's word for it; "" without sched_ext */
void sched_read_state(char state[32]);

#endif
