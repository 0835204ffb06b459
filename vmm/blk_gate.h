/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The freeze rendezvous between a coordinator and one disk worker.
 *
 * Each side writes words of its own only: the coordinator counts its requests
 * (odd: pause, even: run), the worker acknowledges the odd count that it has
 * parked for. So a pause that was taken back before the worker noticed parks
 * nobody, and a pause right after a resume is never taken for the old one.
 */
#ifndef KTSTR_VMM_BLK_GATE_H
#define KTSTR_VMM_BLK_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct blk_gate {
	_Atomic uint32_t asked;	/* atomic; coordinator's */
	_Atomic uint32_t parked; /* atomic; worker's: @asked it parked for */
	_Atomic bool away;	/* atomic; worker's: nobody runs */
	_Atomic int poke_fd;	/* atomic; coordinator's eventfd, borrowed */
	int pause_fd, resume_fd; /* owned eventfds, non-blocking */
};

/** blk_gate_init() - nobody runs, nothing asked. Return: 0 or -errno. */
int blk_gate_init(struct blk_gate *g);
void blk_gate_fini(struct blk_gate *g);

/*
 * The coordinator's side: one thread.
 */

/** blk_gate_set_poke() - written when the worker parks or leaves; -1: none */
void blk_gate_set_poke(struct blk_gate *g, int fd);

/** blk_gate_pause() - ask the worker to park; again without effect */
void blk_gate_pause(struct blk_gate *g);

/**
 * blk_gate_is_parked() - has it?
 *
 * Return: true when the worker is parked for the pause in force, or does not
 * run: all it did before is then visible to the caller (S60), and it touches
 * nothing until blk_gate_resume(). Always false without a pause in force.
 */
bool blk_gate_is_parked(const struct blk_gate *g);

/** blk_gate_resume() - take the pause back, noticed or not */
void blk_gate_resume(struct blk_gate *g);

/*
 * The worker's side.
 */

/** blk_gate_arrive() - from here on it has to park; look for a pause next */
void blk_gate_arrive(struct blk_gate *g);

/** blk_gate_leave() - it will touch nothing any more; pokes the coordinator */
void blk_gate_leave(struct blk_gate *g);

/** blk_gate_asked() - the pause in force, an odd number, or 0 for none */
uint32_t blk_gate_asked(const struct blk_gate *g);

/** blk_gate_park() - acknowledge @gen of blk_gate_asked(), poke */
void blk_gate_park(struct blk_gate *g, uint32_t gen);

#endif
