// SPDX-License-Identifier: GPL-2.0-only
#include "runner/clock_relation.h"

#include "lib/clock.h"

/* adjtimex(2) slews a clock no faster; a guest's is not slewed at all. */
#define SLEW_PPM 500

/* How far apart two clocks are after years of one and none of the other. */
#define OFFSET_MAX (INT64_MAX / 4)

/*
 * Both sides must be on a CPU at once, which takes its time on a busy machine.
 * It is enough when the gap is this small a part of the time already spent.
 */
#define EXCHANGE_LEAST_NS (2 * NSEC_PER_MSEC)
#define EXCHANGE_MOST_NS (200 * NSEC_PER_MSEC)
#define EXCHANGE_GOOD_PART 100

/*
 * Beyond the least time we have probably been sharing a CPU with the guest: a
 * sleep hands it over with our clock just written, the wake-up takes it back
 * with the guest's just written, or finds an idle one.
 */
#define EXCHANGE_SPIN_NS (200 * NSEC_PER_USEC)
#define EXCHANGE_SLEEP_NS (50 * NSEC_PER_USEC)

void clock_bounds_low(struct clock_bounds *b, uint64_t guest_ns,
		      uint64_t host_ns)
{
	int64_t low_ns;

	if (guest_ns > OFFSET_MAX || host_ns > OFFSET_MAX)
		return;
	low_ns = (int64_t)guest_ns - (int64_t)host_ns;
	if (low_ns > b->low_ns)
		b->low_ns = low_ns;
}

void clock_bounds_high(struct clock_bounds *b, int64_t high_ns)
{
	if (high_ns > OFFSET_MAX || high_ns < -OFFSET_MAX)
		return;
	if (high_ns < b->high_ns)
		b->high_ns = high_ns;
}

int64_t clock_bounds_gap_ns(const struct clock_bounds *b)
{
	if (b->low_ns == INT64_MIN || b->high_ns == INT64_MAX)
		return INT64_MAX;
	return b->high_ns - b->low_ns;
}

struct clock_point clock_point_make(const struct clock_bounds *b,
				    uint64_t from_ns, uint64_t to_ns)
{
	uint64_t slew_ns = (to_ns - from_ns) * SLEW_PPM / 1000000;
	int64_t gap_ns = clock_bounds_gap_ns(b);
	struct clock_point p = { .host_ns = from_ns + (to_ns - from_ns) / 2 };

	if (gap_ns == INT64_MAX || gap_ns < -(int64_t)slew_ns)
		return p;
	p.known = true;
	p.offset_ns = b->low_ns + gap_ns / 2;
	/* Rounded up, and the bounds are not of the same moment. */
	p.error_ns = (gap_ns > 0 ? gap_ns / 2 + 1 : 1) + slew_ns;
	return p;
}

static uint64_t distance(int64_t a, int64_t b)
{
	return a > b ? a - b : b - a;
}

struct clock_relation clock_relation_make(const struct clock_point *from,
					  const struct clock_point *to)
{
	struct clock_relation r = { .from = *from, .to = *to };
	uint64_t moved_ns = distance(to->offset_ns, from->offset_ns);
	int64_t apart_ns = to->host_ns - from->host_ns;

	if (!from->known || !to->known || to->host_ns <= from->host_ns)
		return r;
	r.known = true;
	r.drift_ppb = (double)(to->offset_ns - from->offset_ns) / apart_ns *
		      1e9;
	/*
	 * Off the straight line by half of what it climbs, at most, if the rate
	 * stays between none and twice the mean.
	 */
	r.error_ns = (from->error_ns > to->error_ns ? from->error_ns :
		      to->error_ns) + moved_ns / 2;
	return r;
}

uint64_t clock_to_guest(const struct clock_relation *r, uint64_t host_ns)
{
	int64_t since_ns = host_ns - r->from.host_ns;
	__int128 climb = r->to.offset_ns - r->from.offset_ns;

	climb = climb * since_ns /
		(int64_t)(r->to.host_ns - r->from.host_ns);
	return host_ns + r->from.offset_ns + (int64_t)climb;
}

/* One round: look at the guest's clock, show ours, see what it has learnt. */
static uint64_t look(struct ktstr_clock *c, uint64_t exchange,
		     struct clock_bounds *b)
{
	uint64_t guest_ns, now_ns;

	/* Acquire and release: no clock is read out of its place. */
	guest_ns = __atomic_load_n(&c->guest_ns, __ATOMIC_ACQUIRE);
	now_ns = clock_now_ns();
	__atomic_store_n(&c->host_ns, now_ns, __ATOMIC_RELEASE);
	/* Acquire: what it wrote for an earlier one is gone. */
	if (__atomic_load_n(&c->guest_exchange, __ATOMIC_ACQUIRE) != exchange)
		return now_ns;
	if (guest_ns)
		clock_bounds_low(b, guest_ns, now_ns);
	clock_bounds_high(b, __atomic_load_n(&c->high_ns, __ATOMIC_ACQUIRE));
	return now_ns;
}

struct clock_point clock_exchange(struct ktstr_clock *c, uint64_t exchange)
{
	const struct timespec nap = { .tv_nsec = EXCHANGE_SLEEP_NS };
	struct clock_bounds b = CLOCK_BOUNDS_NONE;
	uint64_t start_ns = clock_now_ns(), now_ns, spent_ns;
	uint64_t nap_ns = EXCHANGE_LEAST_NS;

	do {
		now_ns = look(c, exchange, &b);
		spent_ns = now_ns - start_ns;
		if (spent_ns < nap_ns)
			continue;
		if (clock_bounds_gap_ns(&b) <=
		    (int64_t)(spent_ns / EXCHANGE_GOOD_PART))
			break;
		nanosleep(&nap, NULL);
		now_ns = look(c, exchange, &b);
		nap_ns = now_ns - start_ns + EXCHANGE_SPIN_NS;
	} while (spent_ns < EXCHANGE_MOST_NS);
	__atomic_store_n(&c->host_ns, 0, __ATOMIC_RELAXED);
	/* Release: our clock is gone when the guest begins another one. */
	__atomic_store_n(&c->host_done, exchange, __ATOMIC_RELEASE);
	return clock_point_make(&b, start_ns, now_ns);
}
