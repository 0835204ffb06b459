#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Who is blamed: a scheduler that is bypassed while it leaves. What one that is
# in charge, and a disk, can do is in vm_blame.sh.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

# One CPU: the kernel's thread that takes the scheduler off has it all the while.
cat >"$tmp/bypass.toml" <<'T'
schema = 1
name = "bypass"
[vm]
topology = "1n1l1c1t"
memory = "512M"
deadline = "120s"
[telemetry]
interval = "50ms"
[automatic]
gap = "800ms"
[scheduler]
builtin = "slow_exit"
expect = "exit"
set = { exit_after_ns = 1500000000, strength = 25 }
[[workload]]
name = "spin"
kind = "spin"
[[phase]]
name = "run"
duration = "4s"
T
run_ktstr "$tmp/bypass.toml"
is "slow_exit: exit status" 1 "$status"
holds "slow_exit: it left by itself, as expected" \
	'.checks[] | select(.automatic == "scheduler") |
	 .verdict == "pass" and .value == "exit"'
blamed "slow_exit" spin bypass \
	'not in charge: in [0-9]+ of [0-9]+ samples of its wait the kernel had it bypassed'
blamed "slow_exit: the queue and who had the CPU" spin bypass \
	'on the bypass queue with up to [0-9]+ tasks \(at least [0-9]+ ms at a stretch, without running\); its CPU then ran sched_ext_helpe\['
blamed "slow_exit: the look" spin bypass \
	'frozen look at its wait, task [0-9]+ waited on CPU 0, on the bypass queue.* ran sched_ext_helpe\['
facts "slow_exit: its workers were served until then" \
	'any(.gaps[]; .from_ns >= 100000000)'

done_testing
