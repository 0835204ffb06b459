/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The process that loads and holds a scheduler. It is a child of PID 1: the
 * verifier may take long, and is scheduled like anybody else. Its maps and its
 * link live as long as it does. agent/sched.c is the other end of its socket.
 */
#ifndef KTSTR_AGENT_SCHED_LOADER_H
#define KTSTR_AGENT_SCHED_LOADER_H

#include <jansson.h>

struct plan_sched;

/*
 * A packet of the loader is a tag byte and a JSON object. LOADED, ATTACHED
 * and FAILED are bodies of SCHED messages, ready to be sent on.
 */
#define LOADER_LOADED 'L'
#define LOADER_ATTACHED 'A'
#define LOADER_FAILED 'F'
#define LOADER_EXIT 'X'		/* the recorded exit, see sched_exit.h */
#define LOADER_DETACHED 'D'	/* {"detach_ns", "exit": as LOADER_EXIT} */

#define LOADER_PACKET_MAX (256 << 10)

/* A packet to the loader is one byte. */
#define LOADER_ASK_EXIT 'x'
#define LOADER_ASK_DETACH 'd'

/**
 * loader_send() - a packet to the other end, from a loader or a holder
 * @fd: its socket
 * @body: taken over; NULL: out of memory
 *
 * Return: 0; -ENOMEM; -errno of the socket.
 */
int loader_send(int fd, char tag, json_t *body);

/**
 * sched_loader_main() - be the loader
 * @fd: SOCK_SEQPACKET; its end of file ends the loader, and the scheduler
 *
 * Return: the exit status, after detaching.
 */
int sched_loader_main(const struct plan_sched *plan, int fd);

#endif
