#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Every kind of map that the host reads from guest memory: what it finds there
# is what a program in the guest is told by system call at a quiet moment, with
# 1 and 16 CPUs. Each CPU has a value of its own in what is kept per CPU.
. "$(dirname "$0")/lib.sh"

cc -O2 -Wall -static -I"$cache/pkg/usr/include" -o "$tmp/map_truth" \
	"$top/selftests/map_truth.c" \
	"$cache/pkg/usr/lib/x86_64-linux-gnu/libbpf.a" -lelf -lz
ok $? "the guest's reader compiles"

# Filled once, before anybody runs under it, and left alone from then on.
cat >"$tmp/maps.bpf.c" <<'T'
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

struct value {
	u64 a, b;
};

#define MAP(name, kind, n)                       \
	struct {                                 \
		__uint(type, BPF_MAP_TYPE_##kind); \
		__uint(max_entries, n);          \
		__type(key, u32);                \
		__type(value, struct value);     \
	} name SEC(".maps")
#define LINE(name, kind, n)                      \
	struct {                                 \
		__uint(type, BPF_MAP_TYPE_##kind); \
		__uint(max_entries, n);          \
		__type(value, struct value);     \
	} name SEC(".maps")
#define STORAGE(name, kind)                      \
	struct {                                 \
		__uint(type, BPF_MAP_TYPE_##kind); \
		__uint(map_flags, BPF_F_NO_PREALLOC); \
		__type(key, int);                \
		__type(value, struct value);     \
	} name SEC(".maps")

MAP(t_array, ARRAY, 5);
MAP(t_pcarray, PERCPU_ARRAY, 3);
MAP(t_hash, HASH, 40);
MAP(t_lru, LRU_HASH, 40);
MAP(t_pchash, PERCPU_HASH, 16);
MAP(t_lrupchash, LRU_PERCPU_HASH, 64);
LINE(t_queue, QUEUE, 7);
LINE(t_stack, STACK, 7);
STORAGE(t_task, TASK_STORAGE);
STORAGE(t_cgroup, CGRP_STORAGE);
STORAGE(t_inode, INODE_STORAGE);
STORAGE(t_sock, SK_STORAGE);

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 100);
	__uint(map_extra, 3);
	__type(value, u64);
} t_bloom SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} t_ring SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 100);
} t_arena SEC(".maps");

u64 pages_asked, failed, filled, percpu_filled;

static __always_inline void put(void *map, u32 key)
{
	struct value v = { key * 1000ull + 1, key * 1000ull + 2 };

	if (bpf_map_update_elem(map, &key, &v, BPF_ANY))
		failed++;
}

/* Has a value there for each CPU, wherever this runs. */
static __always_inline void put_percpu(void *map, u32 key)
{
	struct value v = {}, *slot;
	int cpu;

	if (bpf_map_update_elem(map, &key, &v, BPF_ANY))
		failed++;
	for (cpu = 0; cpu < 16; cpu++) {
		slot = bpf_map_lookup_percpu_elem(map, &key, cpu);
		if (!slot)
			break;
		slot->a = key * 1000ull + cpu * 100000ull + 1;
		slot->b = ~0ull >> cpu;
	}
	percpu_filled += cpu;
}

static __always_inline void push(void *map, u32 n)
{
	struct value v = { n, n * n }, gone;
	u32 i;

	/* So often that the positions have gone round. */
	for (i = 0; i < 9; i++) {
		v.a = n + i;
		if (bpf_map_push_elem(map, &v, 0))
			failed++;
		if (i < 4 && bpf_map_pop_elem(map, &gone))
			failed++;
	}
}

SEC("struct_ops.s/init")
s32 BPF_PROG(maps_init)
{
	void *page;
	u64 word = 77;
	u32 i;

	for (i = 0; i < 20; i++) {
		put(&t_hash, i * 7);
		put(&t_lru, i * 11);
		if (i < 5)
			put(&t_array, i);
		if (i < 3)
			put_percpu(&t_pcarray, i);
		if (i < 6) {
			put_percpu(&t_pchash, i);
			put_percpu(&t_lrupchash, i);
		}
	}
	for (i = 0; i < 3; i++)
		if (bpf_ringbuf_output(&t_ring, &word, sizeof(word), 0))
			failed++;
	page = bpf_arena_alloc_pages(&t_arena, NULL, 4, -1, 0);
	if (page) {
		bpf_arena_free_pages(&t_arena, page, 1);
		pages_asked = 3;
	}
	return 0;
}

/* A program that may sleep can't use these; a new task's one can. */
SEC("struct_ops/init_task")
s32 BPF_PROG(maps_init_task, struct task_struct *p,
	     struct scx_init_task_args *args)
{
	u64 word = 77;

	if (__sync_fetch_and_add(&filled, 1))
		return 0;
	push(&t_queue, 10);
	push(&t_stack, 20);
	if (bpf_map_push_elem(&t_bloom, &word, 0))
		failed++;
	return 0;
}

SEC("struct_ops/exit_task")
void BPF_PROG(maps_exit_task, struct task_struct *p,
	      struct scx_exit_task_args *args)
{
	bpf_task_storage_delete(&t_task, p);
}

SEC(".struct_ops.link")
struct sched_ext_ops maps_ops = {
	.init = (void *)maps_init,
	.init_task = (void *)maps_init_task,
	.exit_task = (void *)maps_exit_task,
	.name = "maps",
};
T

# scenario TOPOLOGY: $tmp/TOPOLOGY.toml
scenario() {
	cat >"$tmp/$1.toml" <<T
schema = 1
name = "maps"
[vm]
topology = "$1"
memory = "512M"
deadline = "200s"
[scheduler]
source = "maps.bpf.c"
[[workload]]
name = "truth"
kind = "exec"
exec = ["$tmp/map_truth"]
[[phase]]
name = "run"
duration = "2s"
[telemetry]
interval = "100ms"
maps = ["*", { name = "t_pc*", interval = "450ms" }]
T
}

# What the host read, in the guest's words.
in_guests_words() {
	jq -r '.maps | to_entries[] | .key as $name | .value as $map |
		select($name | startswith("t_")) |
		if $map.type == "ringbuf" then
			"\($name) \($map.consumer_pos) \($map.producer_pos)"
		else
			($map.entries // []) | to_entries[] | .key as $i |
			.value | (.key | if type == "object" then
				.pid // .cgroup_id // .inode
			elif . == null then
				if $map.type == "sk_storage" then 7 else $i end
			else . end) as $key |
			"\($name) \($key) " + ([(.values // [.value])[] |
				if type == "object" then "\(.a),\(.b)"
				else . end] | join(" "))
		end' "$result" | sort
}

# same_as_told CPUS MAP...: a value for each CPU in the maps that are per CPU
same_as_told() {
	local cpus=$1 map lines same

	in_guests_words >"$tmp/host"
	grep '^t_' "$dir/truth.0.stdout" | sort >"$tmp/guest"
	shift
	for map; do
		lines=$(grep -c "^t_$map " "$tmp/guest")
		[ "$lines" -gt 0 ] && [ "$(grep "^t_$map " "$tmp/guest")" = \
			"$(grep "^t_$map " "$tmp/host")" ]
		same=$?
		ok $same "$cpus CPUs: t_$map: the host read what the guest was told ($lines lines)"
		[ $same -eq 0 ] ||
			grep -h "^t_$map " "$tmp/guest" "$tmp/host" |
			head -n 20 | sed 's/^/  /'
	done
}

# percpu CPUS: what differs with their number
percpu() {
	local n=$1

	is "$n CPUs: exit status" 0 "$status"
	same_as_told "$n" array pcarray hash lru pchash lrupchash queue stack \
		task cgroup inode sock ring
	holds "$n CPUs: the scheduler filled its maps, those per CPU for each" \
		".maps[\"maps.bss\"].entries[0].value | .failed == 0 and
		 .filled > 0 and .percpu_filled == 15 * $n"
	holds "$n CPUs: each value was another CPU's" \
		"[.maps.t_pcarray.entries[2].values[].a] ==
		 [range($n) | 2001 + 100000 * .]"
	holds "$n CPUs: as numbers they are summed" \
		".phases[0].map_numbers[\"t_pchash[5].a\"].last ==
		 ([range($n) | 5001 + 100000 * .] | add)"
	holds "$n CPUs: nothing changed, and nothing was called unstable" \
		'[.maps[] | .unstable, .entries[]?.unstable] | any | not'
}

for t in 1:1n1l1c1t 16:2n4l2c2t; do
	scenario "${t#*:}"
	run_ktstr "$tmp/${t#*:}.toml"
	percpu "${t%:*}"
done

# Of the last one, what does not differ.
holds "arena: the pages that are there" \
	'.maps.t_arena | .pages == 3 and .bytes == 12288 and .max_pages == 100'
holds "Bloom filter: its size, and that its keys can't be had" \
	'.maps.t_bloom | .readable == false and .hashes == 3 and .bits >= 256'
holds "ring buffer: what nobody has read" \
	'.maps.t_ring | .unread_bytes == 48 and .size_bytes == 4096'
holds "struct_ops: ready, and its callbacks by name" \
	'.maps.maps_ops | .state == "ready" and
	 ([.programs[].op] | sort) == ["exit_task", "init", "init_task"]'
is "a map with an interval is in the samples that are due so long after another" \
	true "$(jq -s 'map(select(.maps["t_array[0].a"])) | map(. + {
		due: (.t_ns - .late_ns), with: (.maps | has("t_pcarray[0].a"))}) |
		reduce .[] as $s ({ok: true, last: null, nr: 0};
			.ok = (.ok and (.last == null or
				$s.with == ($s.due - .last >= 450000000))) |
			if $s.with then .last = $s.due | .nr += 1 else . end) |
		.ok and .nr > 2' "$dir/samples.jsonl")"
holds "numbers of a hash" \
	'.phases[0].map_numbers["t_hash[133].b"].last == 133002'
# shellcheck disable=SC2016 # jq's variable
holds "numbers of a storage are summed" \
	'.maps.t_task.entries[0].value.a as $a | $a > 0 and
	 .phases[0].map_numbers["t_task.a"].last == $a'
holds "nor are the zeroes of a kernel that does not count shown as counts" \
	'[.maps.maps_ops.programs[] | .run_count, .run_ns] == [null, null, null,
	 null, null, null]'
holds "runs are not counted unless that is asked for" \
	'.sched.ops.init_task | .count == null and
	 .why == "telemetry.bpf_stats is off"'
done_testing
