#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Observers in the guest: what they count is what happened, what they cost is
# told, and nothing of them is there unless it is asked for.
# shellcheck disable=SC2016 # $x is jq's own
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

# observe NAME SCHEDULER MILLISECONDS OBSERVERS: run it; the loads are stdin's
observe() {
	cat >"$tmp/$1.toml" <<T
schema = 1
name = "$1"
[vm]
topology = "1n1l2c1t"
memory = "512M"
deadline = "90s"
[telemetry]
interval = "50ms"
observers = [$4]
[[phase]]
name = "run"
duration = "$3ms"
[scheduler]
builtin = "$2"
$(cat)
T
	run_ktstr "$tmp/$1.toml"
}

# --- a busy CPU, sleepers come between; the other is idle and not allowed ---

observe busy simple 1500 '"wake_latency", "who_ran", "work_conservation"' <<'T'
[[workload]]
name = "web"
kind = "bursty"
params = { burst = "1ms", sleep = "8ms" }
workers = 3
cpus = [0]
[[workload]]
name = "hog"
kind = "spin"
workers = 2
cpus = [0]
T
holds "as many wake-ups as the workers counted, within 2 %" \
	'.workloads.web | .wake_latency_ns.count as $own |
	 .observed.wake_latency_ns.count | . > 40 and
	 (. - $own | fabs) <= $own * 0.02 + 3'
holds "of the spinners none but the first" \
	'.workloads.hog.observed.wake_latency_ns.count <= 2'
holds "the kernel's wait is not longer than the worker's own" \
	'.workloads.web | .observed.wake_latency_ns.p50 > 0 and
	 .observed.wake_latency_ns.p50 <= .wake_latency_ns.p50 * 1.04'
holds "who_ran: the wait is the longest of wake_latency" \
	'.workloads.web.observed | .who_ran.wait_ns as $wait |
	 .wake_latency_ns | [.max, .waiting_max // 0] | max |
	 (. - $wait | fabs) <= 1e6 + . * 0.1'
holds "who_ran: who waited is a sleeper, by its pid" \
	'.workloads.web | .observed.who_ran.pid as $pid |
	 any(.workers_detail[]; .pid == $pid)'
holds "who_ran: meanwhile a spinner ran" \
	'([.workloads.hog.workers_detail[].pid]) as $hogs |
	 .workloads.web.observed.who_ran.ran |
	 any(.[]; .workload == "hog" and .ns > 0 and
	     (.pid | IN($hogs[])) and (.comm | length > 0))'
holds "who_ran: the spans are the wait, when there are no more" \
	'.workloads.web.observed.who_ran | .more > 0 or
	 ([.ran[].ns] | add) == .wait_ns'
holds "work_conservation: nobody waits for a CPU where it may not run" \
	'.sched.observed | .idle_while_waiting_ratio < 0.15 and .events > 100 and
	 .idle_while_waiting_ns.max <= .idle_while_waiting_ns.sum'
holds "what each cost" \
	'.observers | length == 3 and all(.[]; .state == "attached" and
	 .run_count > 100 and .run_ns > 0 and .missed == 0 and
	 .cpu_ratio > 0 and .cpu_ratio < 0.5)'
like "and it is printed" "observers: wake_latency took .* % of the CPUs' time" \
	"$out"
# the iterator that work_conservation begins with is one too
facts "their programs, and no others" \
	'.agent.tracing_programs == ([.observers[].programs] | add)'

# --- a CPU that takes no work ---

observe leak idle_leak 700 '"work_conservation"' <<'T'
[[workload]]
name = "hog"
kind = "spin"
workers = 3
T
holds "work_conservation: idle_leak leaves a CPU idle with work queued" \
	'.sched.observed.idle_while_waiting_ratio > 0.7'
holds "work_conservation: and for long" \
	'.sched.observed.idle_while_waiting_ns.max > 1e7'

# --- a delay planted between wake-up and run ---

reads() {
	cat <<T
${1:-}
[[disk]]
name = "data"
size = "64M"
throttle = { iops = 150, latency = "3ms" }
[[workload]]
name = "reader"
kind = "io_rand_read"
workers = 2
disk = "data"
T
}

observe io delay_io 1500 '"io_completion"' < <(reads 'set = { strength = 5 }')
holds "nearly each read was seen" \
	'.workloads.reader.observed.io_pairing | .paired >= 100 and
	 .unpaired + .lost <= .paired / 20'
holds "the planted 5 ms are between wake-up and run" \
	'.workloads.reader.observed.io_ns.run.p50 | . > 3.5e6 and . < 2e7'
holds "and in no stage before" \
	'.workloads.reader.observed.io_ns | .run.p50 > 2 * .complete.p50 and
	 .run.p50 > 2 * .wake.p50'
holds "each stage has every IO, but those without an interrupt of its own" \
	'.workloads.reader.observed | .io_pairing as $p | .io_ns |
	 ([.complete.count, .wake.count, .run.count, .total.count] |
	  all(. == $p.paired)) and .interrupt.count == .block.count and
	 .interrupt.count + $p.no_interrupt == $p.paired'
holds "an interrupt told of nearly each" \
	'.workloads.reader.observed.io_pairing | .no_interrupt <= .paired / 10'
holds "it took time to come, and to be handled" \
	'.workloads.reader.observed.io_ns | .interrupt.sum > 0 and .block.sum > 0'
holds "the stages are the whole" \
	'.workloads.reader.observed | .io_pairing.no_interrupt as $none | .io_ns |
	 .complete.sum + .wake.sum + .run.sum == .total.sum and
	 (.complete.sum - .interrupt.sum - .block.sum |
	  if $none == 0 then . == 0 else . >= 0 end) and
	 ([.[].max] | max) == .total.max'
holds "the stages are what io_wake has, but for the way to user space" \
	'.workloads.reader | .observed.io_ns.total.p50 > 0 and
	 .observed.io_ns.total.p50 <= .io_wake_ns.p50 * 1.04'

# A kernel that has not what the interrupts are seen by: the name of it in this
# copy of the command's observer is one that no kernel has.
mkdir "$tmp/other" && cp "$ktstr" "$tmp/other/ktstr" &&
	sed -i 's|fentry/blk_mq_complete_request|fentry/blk_mq_complete_nothing|' \
		"$tmp/other/ktstr"
own=$ktstr
ktstr=$tmp/other/ktstr
observe without simple 500 '"io_completion"' < <(reads)
ktstr=$own
holds "without interrupts the other stages are there, and it says why" \
	'.workloads.reader.observed | .io_pairing as $p | .io_ns |
	 .complete.count == $p.paired and .run.count == $p.paired and
	 $p.paired > 20 and .complete.sum + .wake.sum + .run.sum == .total.sum and
	 .interrupt.count == null and .block.sum == null and
	 $p.no_interrupt == null and (.block.why | contains("complete_nothing"))'
holds "and the observer is attached" '.observers.io_completion |
	.state == "attached" and (.without | contains("complete_nothing"))'

# --- a task that is woken and never runs ---

observe starved starve_one 300 '"wake_latency", "who_ran"' <<'T'
[[workload]]
name = "hog"
kind = "spin"
workers = 3
T
holds "a wait that does not end is told of" \
	'.workloads.hog.observed.wake_latency_ns | .waiting == 1 and
	 .waiting_max > 2e8'
holds "who_ran: it is the one that the scheduler starves" \
	'[.maps[].entries[]?.value | objects | .victim_pid // empty] as $victims |
	 .workloads.hog.observed.who_ran.pid | IN($victims[])'
holds "who_ran: meanwhile others of its workload ran" \
	'.workloads.hog.observed.who_ran | .pid as $pid | .waiting and
	 .wait_ns > 2e8 and any(.ran[]; .workload == "hog" and .pid != $pid)'

# --- nothing without being asked ---

observe none simple 100 '' <<'T'
[[workload]]
name = "web"
kind = "spin"
workers = 2
T
facts "without observers the guest has no tracing program" \
	'.agent.tracing_programs == 0'
holds "nor does the result" \
	'has("observers") or (.workloads.web | has("observed")) or
	 (.sched | has("observed")) | not'

done_testing
