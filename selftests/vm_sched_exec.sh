#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Any program as the scheduler: the kernel tree's scx_qmap, one that leaves at
# once, one that never attaches, one that dies in the middle.
. "$(dirname "$0")/lib.sh"
need_sources

# The tree's example, with the tree's own headers and flags, linked with the
# libbpf that is there: its skeleton is of a newer one.
tree=$sources/tools/sched_ext
clang-22 -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -fms-extensions \
	-Wall -Wno-compare-distinct-pointer-types -Wno-microsoft-anon-tag \
	-I"$tree/include" -I"$tree/include/bpf-compat" -I"$build/include" \
	-I"$cache/pkg/usr/include" -I"$sources/tools/include/uapi" \
	-idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include \
	-c "$tree/scx_qmap.bpf.c" -o "$tmp/scx_qmap.bpf.o" &&
	"$cache/pkg/usr/sbin/bpftool" gen skeleton "$tmp/scx_qmap.bpf.o" \
		name scx_qmap | sed '/map->link = /d' >"$tmp/scx_qmap.bpf.skel.h" &&
	gcc -O1 -static -I"$tmp" -I"$tree/include" -I"$cache/pkg/usr/include" \
		-I"$sources/tools/include/uapi" -o "$tmp/scx_qmap" \
		"$tree/scx_qmap.c" \
		"$cache/pkg/usr/lib/x86_64-linux-gnu/libbpf.a" -lelf -lz -lzstd
ok $? "scx_qmap of the kernel tree compiles"

# scenario NAME DEADLINE EXEC [CHECKS]: $tmp/NAME.toml
scenario() {
	cat >"$tmp/$1.toml" <<T
schema = 1
name = "$1"
[vm]
topology = "1n1l2c1t"
memory = "512M"
deadline = "$2"
[scheduler]
exec = $3
[[workload]]
name = "spin"
kind = "bursty"
params = { burst = "2ms", sleep = "8ms" }
workers = 3
[[phase]]
name = "run"
duration = "3s"
[telemetry]
interval = "100ms"
bpf_stats = true
${4-}
T
}

scenario qmap 120s '["./scx_qmap", "-s", "5000", "-v"]' '
[[check]]
metric = "sched.state"
equals = "enabled"
[[check]]
metric = "sched.ops.dispatch.count"
min = 1'
run_ktstr "$tmp/qmap.toml"
is "scx_qmap: exit status" 0 "$status"
holds "scx_qmap: what ran, and how it was called" \
	'.scheduler | .kind == "exec" and .name == "scx_qmap" and .args == ["-s", "5000", "-v"]'
is "scx_qmap: the hash is the program's" \
	"$(sha256sum "$tmp/scx_qmap" | cut -d' ' -f1)" \
	"$(jq -r .scheduler.hash "$result")"
holds "scx_qmap: its maps are read by the host" \
	'.maps | has("scx_qmap.bss") and has("qmap_ops") and ([.[] | select(.source == "host")] | length > 3)'
holds "scx_qmap: so are its callbacks" \
	'.maps.qmap_ops.programs | any(.name == "qmap_enqueue" and .verified_insns > 0)'
# shellcheck disable=SC2016 # jq's variables
holds "scx_qmap: and counted, each phase its own runs" \
	'.phases[0].sched.ops.dispatch as $run |
	 (.maps.qmap_ops.programs[] | select(.op == "dispatch")) as $all |
	 $run.count > 0 and $run.ns > 0 and $run.count <= $all.run_count'
facts "scx_qmap: numbers of its maps" \
	'.map_numbers | [keys[] | select(startswith(".bss"))] | length > 0'
facts "scx_qmap: our shared region is none of its maps" \
	'.maps | has("ktstr_shm") | not'
like "scx_qmap: its statistics are kept" 'stats *: enq=[0-9]+' \
	"$(cat "$dir/scheduler.stdout")"
like "scx_qmap: ended as by Ctrl-C" 'EXIT: unregistered from user space' \
	"$(cat "$dir/scheduler.stderr")"

scenario exits 60s '["sh", "-c", "echo no such kfunc >&2; exit 3"]'
run_ktstr "$tmp/exits.toml"
is "exits at once: exit status" 1 "$status"
is "exits at once: named, with its last words" \
	"scheduler: load: it could not be started: exec: sh exited with status 3: no such kfunc" \
	"$(reason)"

scenario never 30s '["sleep", "1000"]'
run_ktstr "$tmp/never.toml"
is "never attaches: exit status" 1 "$status"
is "never attaches: with the time that it had" \
	"scheduler: load: it could not be started: attach: no scheduler was attached within 10 s; sleep still runs" \
	"$(reason)"

# Of a wrapper, so that it is a wrapper's status that is told.
# shellcheck disable=SC2016 # the guest's shell is to expand them
scenario dies 120s '["sh", "-c", "./scx_qmap & until grep -q enabled /sys/kernel/sched_ext/state; do sleep 0.1; done; sleep 2; kill -9 $!; exit 7"]
add = ["./scx_qmap", "grep", "sleep"]'
sed -i "s|\./scx_qmap &|/ktstr/root$tmp/scx_qmap \&|; s/duration = .*/duration = \"60s\"/" \
	"$tmp/dies.toml"
run_ktstr "$tmp/dies.toml"
is "dies: exit status" 1 "$status"
like "dies: how, and with which status" \
	'scheduler.*it left by itself: unregistered from user space; sh exited with status 7' \
	"$(reason)"

done_testing
