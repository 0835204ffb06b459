// SPDX-License-Identifier: GPL-2.0-only
/*
 * The limiter against its slow reference, equal to the nanosecond: requests,
 * clocks that stand or step back, new rates, refills and freezes.
 */
#include "vmm/fuzz/fuzz.h"

#include "vmm/token_bucket.h"
#include "vmm/token_bucket_ref.h"

#define TIME_MAX (1ULL << 60)

/* Any number of @bits bits, small ones with few bytes of input. */
static uint64_t take_log(struct fuzz_in *in, unsigned int bits)
{
	const unsigned int n = fuzz_take(in, 1) % (bits + 1);
	const uint64_t v = fuzz_take(in, (n + 7) / 8);

	return n ? v & (UINT64_MAX >> (64 - n)) : 0;
}

static struct tb_limits take_limits(struct fuzz_in *in)
{
	/* the reference keeps rate * burst in 127 bits */
	return (struct tb_limits){
		.ops_per_s = take_log(in, 60),
		.bytes_per_s = take_log(in, 60),
		.burst_ns = take_log(in, 60),
	};
}

/* A wait is exact: a nanosecond less is too early. */
static void check_wait(const struct token_bucket *tb, uint64_t now_ns,
		       uint64_t ops, uint64_t bytes, uint64_t wait_ns)
{
	struct token_bucket copy = *tb;

	if (!wait_ns || wait_ns >= UINT64_MAX - now_ns)
		return;
	must(tb_take(&copy, now_ns + wait_ns - 1, ops, bytes) == 1);
	must(!tb_take(&copy, now_ns + wait_ns, ops, bytes));
}

void fuzz_limiter(const uint8_t *data, size_t len)
{
	struct fuzz_in in = { data, len };
	uint64_t now = take_log(&in, 50), wait = 0, ops, bytes, frozen;
	struct tb_limits lim = take_limits(&in);
	struct tb_ref ref = { .now_ns = now };
	struct token_bucket tb;

	tb_init(&tb, now, &lim);
	tb_ref_set(&ref, &lim);
	while (in.len) {
		const uint8_t op = fuzz_take(&in, 1);

		switch (op % 8) {
		case 0: /* time goes by */
			now += take_log(&in, 40);
			break;
		case 1: /* until it said */
			now += wait < TIME_MAX ? wait : 0;
			break;
		case 2: /* the clock stepped back */
			now -= take_log(&in, 20) % (now + 1);
			break;
		case 3:
			lim = take_limits(&in);
			tb_ref_advance(&ref, now);
			tb_set_limits(&tb, now, &lim);
			tb_ref_set(&ref, &lim);
			break;
		case 4:
			tb_ref_advance(&ref, now);
			tb_refill(&tb, now);
			tb_ref_refill(&ref);
			break;
		case 5: /* frozen from now on; the worker knows the time */
			tb_ref_advance(&ref, now);
			tb_take(&tb, now, 0, 0);
			frozen = take_log(&in, 40);
			tb_shift(&tb, frozen);
			tb_ref_shift(&ref, frozen);
			now = tb.now_ns;
			break;
		default:
			ops = op & 8 ? take_log(&in, 60) : 1;
			bytes = op & 16 ? take_log(&in, 60) : 4096;
			tb_ref_advance(&ref, now);
			wait = tb_take(&tb, now, ops, bytes);
			must(wait == tb_ref_take(&ref, ops, bytes));
			check_wait(&tb, tb.now_ns, ops, bytes, wait);
			break;
		}
		if (now > TIME_MAX)
			break;
	}
}
