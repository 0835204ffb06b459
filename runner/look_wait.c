// SPDX-License-Identifier: GPL-2.0-only
#include "runner/look_wait.h"

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

void look_wait_see(struct look_wait *w, const struct vm_thread_time *now)
{
	const struct vm_thread_time *last = &w->last;
	uint64_t ns;

	/* to go to sleep and be woken it would have had to run */
	w->waits = w->known && last->runnable && now->run_ns == last->run_ns;
	/* what was added meanwhile was going on before: it was moved */
	w->going_ns = w->waits ? less(w->going_ns +
				      less(now->from_ns, last->to_ns),
				      less(now->wait_ns, last->wait_ns)) : 0;
	ns = now->wait_ns + w->going_ns;
	if (ns > w->total_ns)
		w->total_ns = ns;
	w->last = *now;
	w->known = true;
}

void look_wait_frozen(struct look_wait *w, uint64_t total_ns, uint64_t ns)
{
	uint64_t waited = less(w->total_ns, total_ns);

	/* what is more was counted late, and is of the time before */
	w->frozen_ns += waited < ns ? waited : ns;
}

uint64_t look_wait_ns(const struct look_wait *w)
{
	return w->total_ns - w->frozen_ns;
}
