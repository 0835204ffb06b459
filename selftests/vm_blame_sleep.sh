#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Who is blamed: for workers that do not want to run, somebody who stopped them.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

# A program in the guest stops one of a pair, and one that spins. The other one
# of the pair sleeps, and is stopped too before its partner goes on, so that it
# is the one that waited longest. The program is not to wait for those that spin,
# and is to be done with it all before the phase ends.
cat >"$tmp/stop" <<'T'
#!/bin/sh
# the last of the workloads: all others were there before
left=3
p=$$
while [ $left -gt 0 ]; do
	p=$((p - 1))
	[ $p -gt 0 ] || exit 1
	[ -e /proc/$p/comm ] && read -r comm </proc/$p/comm || continue
	case $comm in
	pair/0) sleeper=$p ;;
	pair/1 | spin/0) stopped="$stopped $p" ;;
	*) continue ;;
	esac
	left=$((left - 1))
done
sleep 0.3
kill -STOP $stopped
sleep 1.5
kill -STOP $sleeper
kill -CONT $stopped
sleep 0.3
kill -CONT $sleeper
T
chmod +x "$tmp/stop"
cat >"$tmp/sleep.toml" <<'T'
schema = 1
name = "sleep"
[vm]
topology = "1n1l2c1t"
memory = "512M"
deadline = "120s"
[telemetry]
interval = "50ms"
[automatic]
gap = "800ms"
[scheduler]
builtin = "simple"
[[workload]]
name = "pair"
kind = "pipe"
workers = 2
[[workload]]
name = "spin"
kind = "spin"
[[workload]]
name = "stop"
kind = "exec"
exec = ["./stop"]
add = ["sleep"]
policy = "fifo:1"
[[phase]]
name = "run"
duration = "5s"
T
run_ktstr "$tmp/sleep.toml"
# ended by the phase: then all gaps do with it, and which is longest is chance
if jq -e '.vm.accel == "emulated" and
	  .workloads.stop.programs[0].end == "stopped"' "$result" >/dev/null; then
	echo "machine fault: the program was not done within the phase"
	exit 77
fi
holds "stopped: the program did it all" \
	'.workloads.stop.programs[0] | .end == "exited" and .code == 0'
is "stopped: exit status" 1 "$status"
holds "stopped: nothing failed but two gaps" \
	'[.checks[] | select(.verdict == "fail") | .metric] | sort ==
	 ["pair.gap.max", "spin.gap.max"]'
blamed "the partner of one that was stopped" pair sleep \
	'Worst hit was pair worker 0.* asleep, and nobody woke it: in [0-9]+ of [0-9]+ samples.* partner, pair worker 1\[[0-9]+\], was stopped in'
blamed "one that was stopped" spin stopped \
	'stopped, by a signal or a tracer: in [0-9]+ of [0-9]+ samples of its wait'

done_testing
