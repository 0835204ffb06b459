// SPDX-License-Identifier: GPL-2.0-only
/* Kinds of two partners that wake each other. */
#include "agent/load.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "agent/worker_main.h"
#include "lib/clock.h"

/* What two partners share. */
struct pair {
	uint32_t turn;		/* futex: the member that may go on */
	uint32_t pad;
	uint64_t sent_ns[2];	/* when each member last woke the other */
};

static void pair_note_sent(struct load *l)
{
	struct pair *p = l->group.mem;

	__atomic_store_n(&p->sent_ns[l->member], clock_now_ns(),
			 __ATOMIC_RELAXED);
}

/*
 * Woken by the partner, or not: if it had sent before this one began to wait
 * (@began_ns), nobody slept, and there is no wake-up to time.
 */
static struct ktstr_cell *pair_stamp_received(struct load *l, uint64_t began_ns,
					      uint32_t gen)
{
	struct pair *p = l->group.mem;
	uint64_t sent_ns = __atomic_load_n(&p->sent_ns[!l->member],
					   __ATOMIC_RELAXED);

	if (sent_ns < began_ns)
		return stamp_now(&l->stamp, NULL);
	return stamp_wake(&l->stamp, sent_ns, gen);
}

/* --- pipe --- */

/* Of member m: it reads fds[2 * m], its partner writes fds[2 * m + 1]. */
static int pipe_share(struct load_group *g)
{
	return pipe2(&g->fds[0], O_CLOEXEC) || pipe2(&g->fds[2], O_CLOEXEC) ?
		       -errno : 0;
}

/* Without the ends that are the partner's: its death is then an end of file. */
static int pipe_setup(struct load *l)
{
	close(l->group.fds[2 * l->member + 1]);
	close(l->group.fds[2 * !l->member]);
	return 0;
}

/* Return: 1 done, 0 stopping, -errno. */
static int pipe_exchange(struct load *l)
{
	int in = l->group.fds[2 * l->member];
	int out = l->group.fds[2 * !l->member + 1];
	char byte = 0;
	ssize_t n;

	pair_note_sent(l);
	do {
		n = write(out, &byte, 1);
	} while (n < 0 && errno == EINTR && !load_stopping(l));
	while (n == 1 || (n < 0 && errno == EINTR)) {
		if (load_stopping(l))
			return 0;
		n = read(in, &byte, 1);
		if (n == 1)
			return 1;
	}
	if (load_stopping(l))
		return 0;
	if (!n || errno == EPIPE)
		return load_fail(l, "partner gone", -EPIPE);
	return load_fail(l, "pipe", -errno);
}

static int pipe_run(struct load *l)
{
	uint64_t began_ns;
	uint32_t gen;
	int ret;

	while (!load_stopping(l)) {
		load_spin(l, LOAD_SPINS);
		gen = stamp_freeze_gen(&l->stamp);
		began_ns = clock_now_ns();
		ret = pipe_exchange(l);
		if (ret <= 0)
			return ret;
		stamp_iteration(pair_stamp_received(l, began_ns, gen));
	}
	return 0;
}

const struct load_kind load_kind_pipe = {
	.spec = &load_specs[LOAD_PIPE],
	.group_bytes = sizeof(struct pair),
	.share = pipe_share,
	.setup = pipe_setup,
	.run = pipe_run,
};

/* --- futex_ping_pong --- */

static bool my_turn(const struct load *l)
{
	const struct pair *p = l->group.mem;

	/* acquire: the partner's sent_ns comes with the turn it gave */
	return __atomic_load_n(&p->turn, __ATOMIC_ACQUIRE) == l->member;
}

static void give_turn(struct load *l)
{
	struct pair *p = l->group.mem;

	pair_note_sent(l);
	__atomic_store_n(&p->turn, !l->member, __ATOMIC_RELEASE);
	worker_ctl_wake(&p->turn);
}

static int ping_pong_run(struct load *l)
{
	struct pair *p = l->group.mem;
	uint64_t began_ns;
	uint32_t gen;

	while (!load_stopping(l)) {
		gen = stamp_freeze_gen(&l->stamp);
		began_ns = clock_now_ns();
		while (!my_turn(l) && !load_stopping(l))
			worker_ctl_wait(&p->turn, !l->member, NULL);
		if (load_stopping(l))
			break;
		pair_stamp_received(l, began_ns, gen);
		stamp_iteration(load_spin(l, LOAD_SPINS));
		give_turn(l);
	}
	return 0;
}

const struct load_kind load_kind_futex_ping_pong = {
	.spec = &load_specs[LOAD_FUTEX_PING_PONG],
	.group_bytes = sizeof(struct pair),
	.run = ping_pong_run,
};
