// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_gate.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/log.h"

int blk_gate_init(struct blk_gate *g)
{
	int err;

	*g = (struct blk_gate){ .pause_fd = -1, .resume_fd = -1 };
	atomic_init(&g->away, true);
	atomic_init(&g->poke_fd, -1);
	g->pause_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (g->pause_fd < 0)
		return -errno;
	g->resume_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (g->resume_fd >= 0)
		return 0;

	err = -errno;
	blk_gate_fini(g);
	return err;
}

void blk_gate_fini(struct blk_gate *g)
{
	if (g->pause_fd >= 0)
		close(g->pause_fd);
	if (g->resume_fd >= 0)
		close(g->resume_fd);
	g->pause_fd = -1;
	g->resume_fd = -1;
}

/* A full counter (EAGAIN) is as readable as any. */
static void signal_fd(int fd, const char *what)
{
	const uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_err("vblk: %s: write of its eventfd: %s", what,
			strerror(errno));
}

void blk_gate_set_poke(struct blk_gate *g, int fd)
{
	atomic_store_explicit(&g->poke_fd, fd, memory_order_release);
}

void blk_gate_pause(struct blk_gate *g)
{
	uint32_t asked = atomic_load_explicit(&g->asked, memory_order_relaxed);

	if (asked & 1)
		return;
	/*
	 * Sequentially consistent, like the load of away that follows in
	 * blk_gate_is_parked(), against blk_gate_arrive(): of a pause and an
	 * arrival at the same time one sees the other.
	 */
	atomic_store_explicit(&g->asked, asked + 1, memory_order_seq_cst);
	signal_fd(g->pause_fd, "pause");
}

bool blk_gate_is_parked(const struct blk_gate *g)
{
	uint32_t asked = atomic_load_explicit(&g->asked, memory_order_relaxed);

	if (!(asked & 1))
		return false;
	/* Acquire, in both: pairs with blk_gate_leave() and blk_gate_park(). */
	if (atomic_load_explicit(&g->away, memory_order_seq_cst))
		return true;
	return atomic_load_explicit(&g->parked, memory_order_acquire) == asked;
}

void blk_gate_resume(struct blk_gate *g)
{
	uint32_t asked = atomic_load_explicit(&g->asked, memory_order_relaxed);

	if (!(asked & 1))
		return;
	/*
	 * Release: what the coordinator did while all was frozen is visible
	 * to the worker that goes on. Pairs with blk_gate_asked().
	 */
	atomic_store_explicit(&g->asked, asked + 1, memory_order_release);
	signal_fd(g->resume_fd, "resume");
}

void blk_gate_arrive(struct blk_gate *g)
{
	/* See blk_gate_pause(); the partner is the load in blk_gate_asked(). */
	atomic_store_explicit(&g->away, false, memory_order_seq_cst);
}

static void poke(struct blk_gate *g)
{
	int fd = atomic_load_explicit(&g->poke_fd, memory_order_acquire);

	if (fd >= 0)
		signal_fd(fd, "freeze coordinator");
	else
		log_warn("vblk: freeze: no coordinator to tell");
}

void blk_gate_leave(struct blk_gate *g)
{
	/* Release: all the worker's work, to blk_gate_is_parked(). */
	atomic_store_explicit(&g->away, true, memory_order_seq_cst);
	if (blk_gate_asked(g))
		poke(g);
}

uint32_t blk_gate_asked(const struct blk_gate *g)
{
	uint32_t asked = atomic_load_explicit(&g->asked, memory_order_seq_cst);

	return asked & 1 ? asked : 0;
}

void blk_gate_park(struct blk_gate *g, uint32_t gen)
{
	/* Release: every ring and memory write so far (S60). */
	atomic_store_explicit(&g->parked, gen, memory_order_release);
	poke(g);
}
