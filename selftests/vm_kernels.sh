#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Guest kernels older than the newest: of each the host reads the same, and what
# a kernel does not have is not available, in no place a zero.
. "$(dirname "$0")/lib.sh"

# scenario SCHEDULER: $tmp/SCHEDULER.toml
scenario() {
	cat >"$tmp/$1.toml" <<T
schema = 1
name = "kernels"
[vm]
topology = "1n1l2c1t"
memory = "512M"
deadline = "90s"
$([ "$1" = none ] || printf '[scheduler]\nbuiltin = "%s"\n' "$1")
[[workload]]
name = "web"
kind = "bursty"
params = { burst = "2ms", sleep = "8ms" }
workers = 3
[[phase]]
name = "run"
duration = "1s"
[telemetry]
interval = "50ms"
bpf_stats = true
T
}

# Counts of what a run under sched_ext must show, whatever the kernel.
with_scx() {
	local k=$1

	run_ktstr --kernel "$cache/kernels/$k" "$tmp/simple.toml"
	holds "$k: that kernel ran" ".kernel.release | startswith(\"$k.\")"
	holds "$k: simple was enabled" \
		'.scheduler.final_state == "enabled" and
		 .sched.state == "enabled"'
	holds "$k: tasks ran under it" \
		'[.sched.nr_running.mean[]] | length == 2 and add > 0'
	holds "$k: event counters by name" \
		'.sched.events | has("SCX_EV_SELECT_CPU_FALLBACK") and
		 has("SCX_EV_REFILL_SLICE_DFL")'
	holds "$k: time in bypass" '.sched.bypass_ns == 0'
	holds "$k: depth of the local queues" '.sched.dsq_depth.max >= 0'
	# enqueue only where no CPU was idle, which two seldom are not
	holds "$k: callbacks, counted" \
		'.sched.ops | .running.count > 10 and .dispatch.ns > 0 and
		 .enqueue.program == "simple_enqueue"'
	holds "$k: global data by type" \
		'.phases[0].map_numbers[".bss.vtime_now"].delta > 0'
	holds "$k: struct_ops by its callbacks" \
		'.maps.simple_ops | .state == "ready" and
		 any(.programs[]; .op == "select_cpu")'
	facts "$k: each sample could be read" \
		'.telemetry.failed == 0 and .telemetry.taken > 0'
	is "$k: a sample tells state and scheduler" '["enabled","simple",2]' \
		"$(jq -c 'select(.phase == 0) | [.state, .ops,
		   ([.scx_nr_running[] | numbers] | length)]' \
		   "$dir/samples.jsonl" | tail -n 1)"
	holds "$k: the queue that it made, and the global one" \
		'.phases[0].sched.dsqs | any(.[]; .global and .node == 0) and
		 any(.[]; .global | not)'
	holds "$k: each CPU switched tasks" \
		'.sched.schedstat | length == 2 and all(.[]; .switches > 0)'
	holds "$k: the domains' tree" \
		'.sched.domains | length == 2 and
		 all(.[]; .[0].span_weight == 2)'
}

without_scx() {
	local k=$1

	run_ktstr --kernel "$cache/kernels/$k" "$tmp/none.toml"
	holds "$k: that kernel ran" ".kernel.release | startswith(\"$k.\")"
	holds "$k: tasks ran" \
		'[.sched.nr_running.mean[]] | length == 2 and add > 0'
	holds "$k: of sched_ext nothing is available" \
		'.sched | .state == null and .events == {} and
		 .bypass_ns == null and .dsq_depth.max == null and .ops == {}'
	facts "$k: each sample could be read" \
		'.telemetry.failed == 0 and .telemetry.taken > 0'
	is "$k: a sample has no state, no scheduler, no counts" '[null,null,null]' \
		"$(tail -n 1 "$dir/samples.jsonl" |
		   jq -c '[.state, .ops, .scx_nr_running[0]]')"
}

scenario simple
scenario none
for k in 6.12 6.16 6.18; do
	kernel=$cache/kernels/$k
	if [ ! -e "$kernel/config" ]; then
		echo "# no kernel $k here: 'tools/setup --stage kernels'"
	elif grep -q '^CONFIG_SCHED_CLASS_EXT=y' "$kernel/config"; then
		with_scx $k
	else
		without_scx $k
	fi
done
if [ $seen -eq 0 ]; then
	echo "skipped: no older kernels; run 'tools/setup --stage kernels'"
	exit 4
fi
done_testing
