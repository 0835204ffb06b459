#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# unfair and idle_leak are caught, each by the check that is meant for it, and
# the good per_llc passes where they fail.
. "$(dirname "$0")/lib.sh"
fair=$top/scenarios/spin-fairness.toml
busy=$top/scenarios/work-conservation.toml

run_ktstr "$fair" --scheduler unfair
is "unfair: exit status" 1 "$status"
like "unfair: the automatic check names the cgroup" \
	'cgroup spinner: 8 CPU-bound workers shared unfairly' "$(reason)"
holds "unfair: nothing but fairness failed" \
	'[.checks[] | select(.verdict == "fail") | .metric] | length > 0 and all(. == "spinner.fairness")'

run_ktstr "$busy" --scheduler idle_leak
is "idle_leak: exit status" 1 "$status"
holds "idle_leak: CPUs were seen idle while tasks waited" \
	'.checks[] | select(.metric == "sched.idle_while_waiting") | .verdict == "fail" and .value > 0.8'

run_ktstr "$busy" --scheduler per_llc --set vm.topology=1n2l2c1t
is "per_llc: leaves no work undone" 0 "$status"
holds "per_llc: CPUs hardly ever idled while tasks waited" \
	'.sched.idle_while_waiting_ratio < 0.3'
holds "per_llc: it has a queue for each LLC" \
	'.maps["per_llc.bss"].entries[0].value.nr_llcs == 2 or
	 ([.maps[] | .entries[]?.value | objects | .nr_llcs? // empty] == [2])'

run_ktstr "$fair" --scheduler per_llc --set vm.topology=1n2l2c1t
is "per_llc: is fair" 0 "$status"

done_testing
