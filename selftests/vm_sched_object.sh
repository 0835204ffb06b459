#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Schedulers that did not come with ktstr: the kernel tree's scx_simple as an
# object, and a source that knows nothing but vmlinux.h and libbpf's headers.
. "$(dirname "$0")/lib.sh"
need_sources

# scenario KIND FILE CHECK: $tmp/KIND.toml
scenario() {
	cat >"$tmp/$1.toml" <<T
schema = 1
name = "foreign-$1"
[vm]
topology = "1n1l2c1t"
memory = "512M"
deadline = "90s"
[scheduler]
$1 = "$2"
[[workload]]
name = "spin"
kind = "bursty"
params = { burst = "2ms", sleep = "8ms" }
workers = 3
[[phase]]
name = "run"
duration = "2s"
[telemetry]
interval = "50ms"
[[check]]
metric = "$3"
min = 10
T
}

# The tree's example, with the tree's own headers and flags.
tree=$sources/tools/sched_ext
clang-22 -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -fms-extensions \
	-Wall -Wno-compare-distinct-pointer-types -Wno-microsoft-anon-tag \
	-I"$tree/include" -I"$tree/include/bpf-compat" -I"$build/include" \
	-I"$cache/pkg/usr/include" -I"$sources/tools/include/uapi" \
	-idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include \
	-c "$tree/scx_simple.bpf.c" -o "$tmp/scx_simple.bpf.o"
ok $? "scx_simple of the kernel tree compiles"

scenario object scx_simple.bpf.o 'map.stats[1].delta'
run_ktstr "$tmp/object.toml"
is "scx_simple: exit status" 0 "$status"
holds "scx_simple: an object" '.scheduler.kind == "object"'
holds "scx_simple: enabled at the end" '.scheduler.final_state == "enabled"'
holds "scx_simple: its own statistics moved" \
	'any(.checks[]; .metric == "map.stats[1].delta" and .value > 10)'

cat >"$tmp/own.bpf.c" <<'T'
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} enqueued SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 10);
} pool SEC(".maps");

u64 __attribute__((address_space(1))) in_pool = 1000000;

SEC("struct_ops/enqueue")
void BPF_PROG(own_enqueue, struct task_struct *p, u64 enq_flags)
{
	u32 zero = 0;
	u64 *count = bpf_map_lookup_elem(&enqueued, &zero);

	if (count)
		__sync_fetch_and_add(count, 1);
	in_pool++;
	scx_bpf_dsq_insert(p, SCX_DSQ_GLOBAL, 5000000, enq_flags);
}

SEC(".struct_ops.link")
struct sched_ext_ops own_ops = {
	.enqueue = (void *)own_enqueue,
	.name = "own",
};
T
scenario source own.bpf.c 'map.enqueued.delta'
run_ktstr "$tmp/source.toml"
is "a source: exit status" 0 "$status"
holds "a source: compiled by ktstr" '.scheduler.kind == "source"'
holds "a source: enabled at the end" '.scheduler.final_state == "enabled"'
holds "a source: its map's counter moved" \
	'any(.checks[]; .metric == "map.enqueued.delta" and .value > 10)'
holds "a source: a variable in an arena, by its name" \
	'.maps.pool | .type == "arena" and .globals.in_pool > 1000010'

# With maps of its own up to the 16 that libbpf's table has at first; the
# compiler's come after them, and an arena's variables are found all the same.
{
	sed '/^char _license/q' "$tmp/own.bpf.c"
	for i in $(seq 14); do
		echo "struct { __uint(type, BPF_MAP_TYPE_ARRAY); __type(key, u32);" \
			"__type(value, u64); __uint(max_entries, 1); } more_$i SEC(\".maps\");"
	done
	sed '1,/^char _license/d' "$tmp/own.bpf.c"
} >"$tmp/many.bpf.c"
scenario source many.bpf.c 'map.enqueued.delta'
run_ktstr --set phase.run.duration=500ms "$tmp/source.toml"
is "16 maps and an arena: exit status" 0 "$status"
holds "16 maps and an arena: its variable counts" \
	'.maps.pool | .type == "arena" and .globals.in_pool > 1000010'
holds "16 maps and an arena: there are more" '.maps | length > 16'
scenario source own.bpf.c 'map.enqueued.delta'

# Its twin: one type wrong.
line=$(grep -n 'u32 zero' "$tmp/own.bpf.c" | cut -d: -f1)
sed -i 's/u32 zero/struct no_such zero/' "$tmp/own.bpf.c"
run_ktstr "$tmp/source.toml"
is "a wrong type: exit status" 2 "$status"
like "a wrong type: the compiler's own line" \
	"own\.bpf\.c:$line:[0-9]+: error: .*struct no_such" "$err"
is "a wrong type: no run is left" no "$([ -e "$dir" ] && echo yes || echo no)"

done_testing
