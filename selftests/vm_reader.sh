#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The default scenario, end to end: a good scheduler on a throttled disk passes,
# the kernel's own passes too, and the three planted faults are caught by name.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
scenario=$top/scenarios/throttled-reader.toml

run_ktstr "$scenario"
is "simple: exit status" 0 "$status"
holds "simple: verdict" '.verdict == "pass"'
holds "simple: schema" '.schema == "ktstr.result/1"'
holds "simple: delivered rate within 5 % of the asked one" \
	'.disks.data.delivered.ratio > 0.95 and .disks.data.delivered.ratio < 1.05'
holds "simple: wake latencies with their count" \
	'.workloads.web.wake_latency_ns.count > 50 and .workloads.web.wake_latency_ns.p50 > 0'
facts "simple: a typed map field moved" \
	'[.map_numbers[] | .delta] | map(select(. != null and . > 0)) | length > 0'
holds "simple: maps were read by the host" \
	'.maps | length > 0 and all(.[]; .source == "host" or .readable == false)'
holds "simple: the scheduler was in charge to the end" \
	'.scheduler.final_state == "enabled"'
[ "$(wc -l <"$dir/samples.jsonl")" -gt 10 ]
ok $? "simple: samples.jsonl has samples"
jq -es 'all(.[]; (.nr_running | length) > 0 and (.disks.data | has("throttled")))' \
	"$dir/samples.jsonl" >/dev/null
ok $? "simple: each sample has run queues and the disk's gauge"
is "simple: each has of every CPU its clock, its own queue and if it idles" true \
	"$(jq -s '[.[] | select(.phase != null)] | length > 10 and
		all(.[]; (.nr_running | length) as $n | .bypass_depth == 0 and
		    ([.rq_clock, .idle, .local_dsq_depth] | all(length == $n)) and
		    all(.rq_clock[]; . > 0) and
		    all(.local_dsq_depth[]; . < 100)) and
		([.[].idle[]] | any and (all | not)) and
		([.[].rq_clock] | transpose | all(.[]; . == sort and .[0] < .[-1]))' \
		"$dir/samples.jsonl")"

run_ktstr "$scenario" --scheduler starve_one
is "starve_one: exit status" 1 "$status"
like "starve_one: the reason names workload and worker" \
	'(web|reader).*worker [0-9]+' "$(reason)"

holds "starve_one: blamed on the scheduler, not on the disk, naming the worker" \
	'.blame | length > 0 and all(.[]; (.cause | IN("kept", "idle", "others")) and
	 (.text | test("worker [0-9]+\\[[0-9]+\\]")))'

run_ktstr "$scenario" --scheduler stall
is "stall: exit status" 1 "$status"
like "stall: the reason says stall" 'stall' "$(reason)"
holds "stall: the exit kind is the kernel's" '.scheduler.exit.kind == 1026'
like "stall: a task is named" '[a-z_]+(/[0-9]+)?\[[0-9]+\]' \
	"$(jq -r '.scheduler.exit | (.message // "") + (.reason // "")' "$result") $(reason)"

holds "stall: the blame says where the task waited when it died" \
	'.blame[] | select(.metric == "scheduler") | .text |
	 test("In the frozen look when the scheduler died, task [0-9]+ ")'

run_ktstr "$scenario" --scheduler map_lies
is "map_lies: exit status" 1 "$status"
holds "map_lies: the map check is what failed" \
	'[.checks[] | select(.verdict == "fail") | .metric] | length > 0 and all(startswith("map."))'

run_ktstr "$scenario" --scheduler none
is "none: exit status" 0 "$status"
holds "none: checks of the scheduler's maps are skipped" \
	'[.checks[] | select(.metric | startswith("map.")) | .verdict] | length > 0 and all(. == "skip")'

done_testing
