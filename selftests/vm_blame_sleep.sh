#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Who is blamed: for workers that do not want to run, somebody who stopped them.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

# A program in the guest stops one of a pair, and one that spins. The other one
# of the pair sleeps, and is stopped too before its partner goes on, so that it
# is the one that waited longest.
cat >"$tmp/stop" <<'T'
#!/bin/sh
pid_of() {
	for p in /proc/[0-9]*; do
		read -r comm <"$p/comm" || continue
		[ "$comm" = "$1" ] && echo "${p#/proc/}"
	done
}
sleeper=$(pid_of pair/0)
stopped="$(pid_of pair/1) $(pid_of spin/0)"
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
deadline = "90s"
[telemetry]
interval = "50ms"
[automatic]
gap = "500ms"
[scheduler]
builtin = "simple"
[[workload]]
name = "stop"
kind = "exec"
exec = ["./stop"]
add = ["sleep"]
[[workload]]
name = "pair"
kind = "pipe"
workers = 2
[[workload]]
name = "spin"
kind = "spin"
[[phase]]
name = "run"
duration = "4s"
T
run_ktstr "$tmp/sleep.toml"
is "stopped: exit status" 1 "$status"
holds "stopped: nothing failed but two gaps" \
	'[.checks[] | select(.verdict == "fail") | .metric] | sort ==
	 ["pair.gap.max", "spin.gap.max"]'
blamed "the partner of one that was stopped" pair sleep \
	'Worst hit was pair worker 0.* asleep, and nobody woke it: in [0-9]+ of [0-9]+ samples.* partner, pair worker 1\[[0-9]+\], was stopped in'
blamed "one that was stopped" spin stopped \
	'stopped, by a signal or a tracer: in [0-9]+ of [0-9]+ samples of its wait'

done_testing
