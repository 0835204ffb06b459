#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# A scheduler that writes large values in its maps as fast as it can, while the
# host reads them. What the host shows as a plain value was there at one moment;
# what it could not read so is marked, and with the VM frozen nothing is.
. "$(dirname "$0")/lib.sh"

# A value is one number, in each of its words, and the next number is written in
# an order that no reader has. At any one moment the words already written are
# therefore the first of that order: whatever else is shown was never there. Of
# the words half are at either end of a large value, for a reading that lasts.
words=64
step=13
cat >"$tmp/torn.bpf.c" <<T
#define WORDS $words
#define STEP $step
T
cat >>"$tmp/torn.bpf.c" <<'T'
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define KEYS 24
#define LONG (1000 << 10)
#define SHORT (24 << 10)	/* a CPU's share has to be small */
#define BUSY_NS 4000000
#define GAP_NS 500000
#define MAX_PASSES 10000

char _license[] SEC("license") = "GPL";

#define WIDE(name, n)               \
	struct name {               \
		u64 w[WORDS / 2];   \
		char between[n];    \
		u64 v[WORDS / 2];   \
	}
WIDE(wide, LONG);
WIDE(wide_percpu, SHORT);

#define MAP(name, kind, type_)                     \
	struct {                                   \
		__uint(type, BPF_MAP_TYPE_##kind); \
		__uint(max_entries, KEYS);         \
		__type(key, u32);                  \
		__type(value, struct type_);       \
	} name SEC(".maps")
MAP(w_array, ARRAY, wide);
MAP(w_percpu, PERCPU_ARRAY, wide_percpu);
MAP(w_hash, HASH, wide);

struct beat {
	struct bpf_timer timer;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct beat);
} beat SEC(".maps");

struct wide in_bss;
u64 passes, failed;

static __always_inline void write_words(u64 *w, u64 *v, u64 n)
{
	u32 i;

	for (i = 0; i < WORDS; i++) {
		u32 at = i * STEP % WORDS;

		if (at < WORDS / 2)
			w[at] = n;
		else
			v[at - WORDS / 2] = n;
	}
}

static int write_key(u32 key, u64 *n)
{
	struct wide_percpu *p = bpf_map_lookup_elem(&w_percpu, &key);
	struct wide *a = bpf_map_lookup_elem(&w_array, &key);
	struct wide *h = bpf_map_lookup_elem(&w_hash, &key);

	if (!a || !h || !p) {
		failed++;
		return 1;
	}
	write_words(a->w, a->v, *n);
	write_words(h->w, h->v, *n);
	write_words(p->w, p->v, *n);
	return 0;
}

static int one_pass(u32 pass, u64 *until_ns)
{
	u64 n = passes + 1;

	write_words(in_bss.w, in_bss.v, n);
	bpf_loop(KEYS, write_key, &n, 0);
	passes = n;
	return bpf_ktime_get_ns() > *until_ns;
}

static int on_beat(void *map, u32 *key, struct beat *b)
{
	u64 until_ns = bpf_ktime_get_ns() + BUSY_NS;

	bpf_loop(MAX_PASSES, one_pass, &until_ns, 0);
	if (bpf_timer_start(&b->timer, GAP_NS, 0))
		failed++;
	return 0;
}

SEC("struct_ops.s/init")
s32 BPF_PROG(torn_init)
{
	u32 key;
	struct beat *b;

	for (key = 0; key < KEYS; key++) {
		u32 k = key;

		if (bpf_map_update_elem(&w_hash, &k, &in_bss, BPF_ANY))
			failed++;
	}
	key = 0;
	b = bpf_map_lookup_elem(&beat, &key);
	if (!b || bpf_timer_init(&b->timer, &beat, 1) ||
	    bpf_timer_set_callback(&b->timer, on_beat) ||
	    bpf_timer_start(&b->timer, GAP_NS, 0))
		failed++;
	return 0;
}

SEC(".struct_ops.link")
struct sched_ext_ops torn_ops = {
	.init = (void *)torn_init,
	.name = "torn",
};
T

cat >"$tmp/torn.toml" <<'T'
schema = 1
name = "torn"
[vm]
# One: whoever reads has another CPU than who writes.
topology = "1n1l1c1t"
memory = "512M"
deadline = "90s"
[scheduler]
source = "torn.bpf.c"
[[workload]]
name = "web"
kind = "bursty"
params = { burst = "2ms", sleep = "8ms" }
workers = 1
[[phase]]
name = "run"
duration = "2s"
[telemetry]
interval = "100ms"
freeze_every = "900ms"
maps = [{ name = "*", interval = "10s" }]
[automatic]
telemetry = 0.5
T

# Of each value, in the order in which they are written: is it marked, what is
# it, and how many of its words had been written.
cat >"$tmp/values.jq" <<T
def values: [.maps | to_entries[] |
	.key as \$map | ("torn.bss w_array w_hash w_percpu" | index(\$map)) as \$nr |
	select(\$nr) | .value.entries[] | .key as \$key |
	{key: [\$key, \$nr], unstable: (.unstable // false),
	 v: (.values // [.value])[]} |
	(.v.in_bss // .v) as \$v | (\$v.w + \$v.v) as \$w |
	[range($words) | \$w[. * $step % $words]] as \$o | {
		key, unstable, written: (\$o | add),
		kind: (if \$o | unique | length == 1 then "whole"
		elif \$o[0] - \$o[-1] == 1 and \$o == (\$o | sort | reverse)
		then "underway" else "mixture" end)}] | sort_by(.key);
def count(f): map(select(f)) | length;
def plain(\$kind): count(.kind == \$kind and (.unstable | not));
def says: "\(count(.unstable)) unstable; of the rest \(plain("whole")) whole, " +
	"\(plain("underway")) in mid-write, \(plain("mixture")) never there";
# That of no moment but one: at most one value is being written.
def one_moment: plain("underway") <= 1 and plain("mixture") == 0 and
	([.[].written] | . == (sort | reverse) and first - last <= $words);
T

# of FILTER FILE: of each object in it
of() { jq -r "$(cat "$tmp/values.jq") $1" "$2"; }

run_ktstr "$tmp/torn.toml"
is "exit status" 0 "$status"
holds "the scheduler wrote all the time" \
	'.maps["torn.bss"].entries[0].value | .passes > 100 and .failed == 0'
echo "# live: $(of 'values | says' "$result")"
is "every value was read" 73 "$(of 'values | length' "$result")"
is "what was never there is not shown as a plain value" 0 \
	"$(of 'values | plain("mixture")' "$result")"
# That both went on at the same time is what the machine has to give.
if [ $bad -eq 0 ] && [ "$(of 'values | count(.unstable)' "$result")" -eq 0 ]; then
	echo "machine fault: nothing was written while it was read"
	exit 77
fi
of 'values | "# look: " + says' "$dir/looks.jsonl"
is "frozen: looks were taken" true \
	"$(jq -s 'length > 0 and all(.outcome == "frozen")' "$dir/looks.jsonl")"
is "frozen: nothing is unstable" 0 \
	"$(of 'values | count(.unstable)' "$dir/looks.jsonl" | sort -u)"
is "frozen: all maps are of one moment" true \
	"$(of 'values | one_moment' "$dir/looks.jsonl" | sort -u)"
done_testing
