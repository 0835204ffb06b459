#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Looks at the frozen VM: at a step, at an interval, and when the scheduler
# dies; and that frozen time counts nowhere. The looks show what write_map
# steps wrote.
. "$(dirname "$0")/lib.sh"

# scenario NAME PHASE-LINES
scenario() {
	cat >"$tmp/$1.toml" <<T
schema = 1
name = "$1"
[vm]
topology = "1n1l2c1t"
memory = "512M"
deadline = "90s"
[scheduler]
builtin = "simple"
[[workload]]
name = "spin"
kind = "spin"
workers = 3
[[workload]]
name = "burst"
kind = "bursty"
params = { burst = "2ms", sleep = "8ms" }
workers = 1
[[phase]]
name = "run"
$2
[telemetry]
interval = "50ms"
# a busy machine misses samples, and none is looked at here
[automatic]
telemetry = 0.5
T
}

# look JQ-EXPRESSION: of all lines of looks.jsonl
look() { jq -es "$1" "$dir/looks.jsonl" >/dev/null 2>&1; }

scenario steps 'duration = "2s"
do = [ { write_map = { var = "nr_enabled", value = 7000000 } },
	{ write_map = { map = "stats", key = 2, value = 5000000 } },
	{ freeze = { name = "before" } }, { freeze = { name = "mid", after = "700ms" } } ]'
run_ktstr "$tmp/steps.toml" --freeze-every 200ms
is "steps: exit status" 0 "$status"
holds "steps: every look was taken" \
	'.looks.taken >= 4 and .looks.not_parked == 0'
holds "steps: the named ones came in order" \
	'[.looks.list[] | select(.why == "step") | .name] == ["before", "mid"]'
holds "steps: the others came each 200 ms" \
	'[.looks.list[] | select(.why == "every")] | length >= 5'
look 'all(.[]; .outcome == "frozen" and (.nr_running | length) == 2 and
	.state == "enabled" and (.maps | length) > 0 and (.workers | length) == 4)'
ok $? "steps: each look has run queues, scheduler, maps and workers"
look '[.[] | .maps[] | .entries[]? | select(.unstable == true)] | length == 0'
ok $? "steps: nothing that was read frozen is torn"
look '[.[] | .workers[0].last_progress_ns] | . == sort and .[0] < .[-1]'
ok $? "steps: the workers went on between the looks"
holds "steps: the phase was frozen, and its time is without that" \
	'.phases[0] | .frozen_ns > 0 and .duration_ns + .frozen_ns >= 1990000000 and .duration_ns < 2000000000 + .frozen_ns'
holds "steps: what was frozen is more in all than in the phase" \
	'.looks.frozen_ns > .phases[0].frozen_ns'
holds "steps: nobody was charged for frozen time: three spinners on two CPUs" \
	'([.workloads[].cpu_time_ns] | add) / (2 * .phases[0].duration_ns) |
	 . > 0.5 and . <= 1.02'
echo "# CPU time against what two CPUs have: $(jq '([.workloads[].cpu_time_ns] |
	add) / (2 * .phases[0].duration_ns)' "$result"), frozen" \
	"$(jq '.phases[0].frozen_ns / .phases[0].duration_ns' "$result") of the phase"

look '.[0].maps["simple.bss"].entries[0].value.nr_enabled >= 7000000'
ok $? "steps: a variable was written before the look after it"
look '.[0].maps.stats.entries[] | select(.key == 2) | .values | all(.[]; . >= 5000000)'
ok $? "steps: an entry of a per-CPU map was written for all CPUs"
look '.[-1].maps["simple.bss"].entries[0].value | .nr_running > 0 and .nr_running < 7000000'
ok $? "steps: no other variable of that section was"

# A program of two tasks, which are nobody's workers, has both CPUs all the time.
cat >"$tmp/program.toml" <<'T'
schema = 1
name = "program"
[vm]
topology = "1n1l2c1t"
memory = "512M"
deadline = "90s"
[scheduler]
builtin = "simple"
[[workload]]
name = "prog"
kind = "exec"
exec = ["sh", "-c", "while :; do :; done & while :; do :; done"]
[[phase]]
name = "run"
duration = "1500ms"
# hardly thawed when it is frozen again: that leaves few samples, or none
[automatic]
telemetry = false
T
run_ktstr "$tmp/program.toml" --freeze-every 50ms
is "program: exit status" 0 "$status"
holds "program: it was frozen often" \
	'.looks.taken >= 5 and .phases[0].frozen_ns > 0'
echo "# CPU time against what two CPUs have: $(jq '.workloads.prog.cpu_time_ns /
	(2 * .phases[0].duration_ns)' "$result"), frozen" \
	"$(jq '.phases[0].frozen_ns / .phases[0].duration_ns' "$result") of the phase"
holds "program: it was charged for no frozen time" \
	'.workloads.prog.cpu_time_ns / (2 * .phases[0].duration_ns) |
	 . > 0.5 and . <= 1.02'
holds "program: what CPUs counted by the guest's clock is not known" \
	'.phases[0].sched | (.schedstat | length == 2 and
	 all(.[]; .cpu_time_ns == null and .run_delay_ns == null and
	     .switches > 0)) and .psi == null'

scenario death 'duration = "9s"
do = [ { write_map = { var = "slice_ns", value = 1 } }, { write_map = { map = "nope", key = 0, value = 1 } } ]'
sed -i 's/^builtin.*/builtin = "stall"/' "$tmp/death.toml"
run_ktstr "$tmp/death.toml"
is "death: exit status" 1 "$status"
holds "death: what can't be written is said, step by step" \
	'[.checks[] | select(.automatic == "steps") | .reason] |
	 length == 2 and (.[0] | contains("slice_ns is const")) and
	 (.[1] | contains("no map nope"))'
holds "death: the stall is the verdict" '.scheduler.exit.kind == 1026'
# the emulated host's CPUs have watchpoints, which not every KVM hands out
holds "death: one look, and it says who saw the end" \
	'([.looks.list[] | select(.why == "death") | .seen_by] == ["watchpoint"]) or
	 (.vm.accel != "emulated" and
	  [.looks.list[] | select(.why == "death") | .seen_by] == ["sample"])'
holds "death: stopped at the write, before the kernel went on" \
	'.looks.list[] | select(.why == "death") |
	 .seen_by != "watchpoint" or .state == "enabled"'
echo "# the end was seen by a $(jq -r '.looks.list[-1].seen_by' "$result")," \
	"the looks froze $(jq .looks.frozen_ns "$result") ns in all"
holds "death: the look has the exit kind" \
	'.looks.list[] | select(.why == "death") | .exit_kind == 1026'
holds "death: each CPU shows who ran there, and some task waited" \
	'.looks.list[] | select(.why == "death") | .tasks |
	 ([.[] | select(.running)] | length) == 2 and any(.[]; .running == false)'
holds "death: the stall is explained, with where the task waited" \
	'.blame[] | select(.metric == "scheduler") | .text |
	 test("task [0-9]+ waited on CPU [01], on")'
look '[.[] | select(.why == "death")] | all(.[]; (.maps | length) > 0)'
ok $? "death: it has the dying scheduler's maps"

done_testing
