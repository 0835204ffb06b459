#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Guest kernels, the newest and older ones: of each the host reads the same, and
# what a kernel does not have is not available, in no place a zero.
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
# For pressure of IO
[[disk]]
name = "slow"
size = "16M"
throttle = { iops = 20 }
[[workload]]
name = "reader"
kind = "io_rand_read"
disk = "slow"
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

# Where what is read of the kernel may be 0: nobody asked for what is counted
# there, or it was not so at that moment.
cat >"$tmp/zeros" <<'T'
^idle_while_waiting_ratio$ no sample saw that
^nr_running\.(mean|max)\.#$ nobody ran on that CPU when it was looked at
^dsq_depth\.max$ nobody waited in a local queue when it was looked at
^schedstat\.#\.yields$ no workload yields
^psi\.memory_(some|full)_ns$ there is enough memory
^events\.SCX_EV_[A-Z_]+$ the scheduler does well: see the samples for another proof
^bypass_ns$ nothing went wrong in the phase: see the samples, likewise
^ops\.(init|exit|enable|disable|init_task|exit_task)\.(count|ns)$ not in a phase
^dsqs\.#\.(id|node|depth|head_age_ns)$ the first queue, the first node, nobody or just now
^exit\.code$ it was not for an error that the scheduler ended
T

# Every field of sched that is 0 for the whole run is one that may be.
zeros_are_true() {
	local wrong

	cut -d' ' -f1 "$tmp/zeros" >"$tmp/zeros.re"
	wrong=$(jq -r '.sched | paths(. == 0) |
		map(if type == "number" then "#" else . end) | join(".")' \
		"$result" | sort -u | grep -vEf "$tmp/zeros.re" || [ $? -eq 1 ] ||
		echo "grep failed")
	is "$1: what is 0 there was so" "" "$wrong"
	holds "$1: pressure, of CPUs and of IO" \
		'.sched.psi | .cpu_some_ns > 0 and .io_some_ns > 0'
}

# Counts of what a run under sched_ext must show, whatever the kernel.
with_scx() {
	local k=$1

	run_ktstr --kernel "$kernel" "$tmp/simple.toml"
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
	# Tasks are switched over in bypass when a scheduler is enabled.
	is "$k: event counters and time in bypass count" true \
		"$(jq -s 'map(select(.phase == 0)) | length > 0 and all(.events |
		   .SCX_EV_BYPASS_ACTIVATE > 0 and .SCX_EV_BYPASS_DURATION > 0)' \
		   "$dir/samples.jsonl")"
	zeros_are_true "$k"
	holds "$k: each CPU switched tasks" \
		'.sched.schedstat | length == 2 and all(.[]; .switches > 0)'
	holds "$k: the domains' tree" \
		'.sched.domains | length == 2 and
		 all(.[]; .[0].span_weight == 2)'
}

without_scx() {
	local k=$1

	run_ktstr --kernel "$kernel" "$tmp/none.toml"
	holds "$k: that kernel ran" ".kernel.release | startswith(\"$k.\")"
	holds "$k: tasks ran" \
		'[.sched.nr_running.mean[]] | length == 2 and add > 0'
	holds "$k: of sched_ext nothing is available" \
		'.sched | .state == null and .events == {} and
		 .bypass_ns == null and .dsq_depth.max == null and .ops == {}'
	holds "$k: no scheduler, and no time that it took" \
		'.timing | .scheduler_ms == null and .boot_ms > 0'
	zeros_are_true "$k"
	facts "$k: each sample could be read" \
		'.telemetry.failed == 0 and .telemetry.taken > 0'
	is "$k: a sample has no state, no scheduler, no counts" '[null,null,null]' \
		"$(tail -n 1 "$dir/samples.jsonl" |
		   jq -c '[.state, .ops, .scx_nr_running[0]]')"
}

scenario simple
scenario none
for k in 6.12 6.16 6.18 default; do
	kernel=$cache/kernels/$k
	release=$(readlink -f "$kernel")
	k=$(expr "${release##*/}" : '\([0-9]*\.[0-9]*\)')
	if [ ! -e "$kernel/config" ]; then
		echo "# no kernel $kernel here: 'tools/setup --stage kernels'"
	elif grep -q '^CONFIG_SCHED_CLASS_EXT=y' "$kernel/config"; then
		with_scx "$k"
	else
		without_scx "$k"
	fi
done
if [ $seen -eq 0 ]; then
	echo "skipped: no older kernels; run 'tools/setup --stage kernels'"
	exit 4
fi
done_testing
