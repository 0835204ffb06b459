#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# A ratio to the kernel's default scheduler: a good scheduler holds it, and one
# that leaves a CPU unused does not, on the same machine at the same speed.
. "$(dirname "$0")/lib.sh"

cat >"$tmp/ratio.toml" <<'T'
schema = 1
name = "ratio"
[vm]
topology = "1n1l2c1t"
memory = "512M"
deadline = "120s"
[scheduler]
builtin = "simple"
[[workload]]
name = "spinner"
kind = "spin"
workers = 4
[[phase]]
name = "warm"
duration = "1s"
measure = false
[[phase]]
name = "run"
duration = "3s"
[telemetry]
interval = "50ms"
[[check]]
metric = "spinner.cpu_share"
min_ratio_to_control = 0.75
T

# 7 is odd: the control begins
run_ktstr "$tmp/ratio.toml" --seed 7
is "simple: exit status" 0 "$status"
holds "simple: the check has both values and their ratio" \
	'.checks[] | select(.op == "min_ratio_to_control") | .verdict == "pass" and .value > 0 and .value_control > 0 and .ratio > 0.75'
holds "simple: one pair claims no interval" \
	'[.checks[] | select(has("interval"))] == []'
holds "simple: the control's conditions held, and it has its loads" \
	'.control.verdict == "pass" and .control.workloads.spinner.iterations > 0'
holds "simple: the control began, with the same seed" \
	'[.control.runs[] | .arm] == ["control", "scheduler"] and all(.control.runs[]; .seed == 7)'
[ -s "$dir/control/samples.jsonl" ]
ok $? "simple: the control left its files"
holds "simple: no scheduler was loaded in the control" \
	'.scheduler.name == "simple" and (.scheduler.final_state == "enabled")'
jq -e '.scheduler == null' "$dir/control/facts.json" >/dev/null
ok $? "simple: nor did the control's facts know of one"

run_ktstr "$tmp/ratio.toml" --seed 8 --scheduler idle_leak
is "a scheduler at half speed: exit status" 1 "$status"
holds "a scheduler at half speed: the ratio is what failed" \
	'[.checks[] | select(.verdict == "fail") | .op] == ["min_ratio_to_control"]'
like "a scheduler at half speed: the reason is the ratio" \
	'x the control is less than 0.75' "$(reason)"
holds "a scheduler at half speed: it began" \
	'[.control.runs[] | .arm] == ["scheduler", "control"]'

done_testing
