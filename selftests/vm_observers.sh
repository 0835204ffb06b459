#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Observers in the guest: what they count is what happened, what they cost is
# told, and nothing of them is there unless it is asked for.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

# scenario NAME OBSERVERS: $tmp/NAME.toml; the rest of it comes from stdin
scenario() {
	cat >"$tmp/$1.toml" <<T
schema = 1
name = "$1"
[vm]
topology = "1n1l2c1t"
memory = "512M"
deadline = "90s"
[telemetry]
interval = "50ms"
observers = [$2]
$(cat)
T
}

# --- wake_latency: beside what the workers counted themselves ---

scenario wake '"wake_latency"' <<'T'
[scheduler]
builtin = "simple"
[[workload]]
name = "web"
kind = "bursty"
params = { burst = "1ms", sleep = "8ms" }
workers = 3
[[workload]]
name = "hog"
kind = "spin"
workers = 2
[[phase]]
name = "run"
duration = "1500ms"
T
run_ktstr "$tmp/wake.toml"
holds "as many wake-ups as the workers counted, within 2 %" \
	'.workloads.web | .wake_latency_ns.count as $own |
	 .observed.wake_latency_ns.count | . > 100 and
	 (. - $own | fabs) <= $own * 0.02 + 3'
holds "of the spinners none but the first" \
	'.workloads.hog.observed.wake_latency_ns.count <= 2'
holds "a wait that the kernel saw is no longer than the worker's own" \
	'.workloads.web | .observed.wake_latency_ns.p50 > 0 and
	 .observed.wake_latency_ns.p50 <= .wake_latency_ns.p50 * 1.04'
holds "what it cost" \
	'.observers.wake_latency | .state == "attached" and .programs == 4 and
	 .run_count > 200 and .run_ns > 0 and .missed == 0 and
	 .cpu_ratio > 0 and .cpu_ratio < 0.5'
like "and it is printed" "observers: wake_latency took .* % of the CPUs' time" \
	"$out"
facts "its programs, and no others" '.agent.tracing_programs == 4'

# --- nothing without being asked ---

scenario none '' <<'T'
[scheduler]
builtin = "simple"
[[workload]]
name = "web"
kind = "spin"
workers = 2
[[phase]]
name = "run"
duration = "100ms"
T
run_ktstr "$tmp/none.toml"
facts "without observers the guest has no tracing program" \
	'.agent.tracing_programs == 0'
holds "nor does the result" \
	'has("observers") or (.workloads.web | has("observed")) | not'

done_testing
