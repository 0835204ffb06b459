#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# A disk's latency and its planted faults, as both sides see them: one boot, a
# phase for each.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

cat >"$tmp/faults.toml" <<'END'
schema = 1
name = "disk-faults"

[vm]
topology = "1n1l2c1t"

[[disk]]
name = "data"
size = "16M"
throttle = { latency = "5ms", jitter = "2ms" }
queues = 2

[[workload]]
name = "reader"
kind = "io_rand_read"
workers = 2
disk = "data"

[[phase]]
name = "late"
duration = "1s"

[[phase]]
name = "rate"
duration = "1s"
do = [
	{ set_throttle = { disk = "data", latency = 0, jitter = 0 } },
	{ set_faults = { disk = "data", error_rate = "20%" } },
]

[[phase]]
name = "range"
duration = "1s"
do = [ { set_faults = { disk = "data", error_rate = 0, error_size = "8M" } } ]

[[phase]]
name = "stall"
duration = "1s"
do = [ { set_faults = { disk = "data", error_size = 0, stall = "300ms", stall_at = "300ms" } } ]

[telemetry]
interval = "100ms"

[[check]]
metric = "disk.data.service_time.p50"
phase = "late"
min = "5ms"
[[check]]
metric = "disk.data.errors"
phase = "late"
max = 0
[[check]]
metric = "disk.data.errors"
phase = "rate"
min = 10
[[check]]
metric = "disk.data.faults.range_errors"
phase = "range"
min = 10
[[check]]
metric = "disk.data.faults.stalls"
equals = 1
END

run_ktstr --seed 7 "$tmp/faults.toml"
is "exit status" 0 "$status"
holds "verdict" '.verdict == "pass"'
late='.phases[0]' rate='.phases[1]' range='.phases[2]' stall='.phases[3]'
holds "late: no read takes less than the latency" \
	"$late.workloads.reader.io_latency_ns.count > 20 and
	 $late.workloads.reader.io_latency_ns.p50 >= 5e6"
holds "late: the disk says so too, and what was asked" \
	"$late.disks.data.service_time_ns.p50 >= 5e6 and
	 $late.disks.data.asked.latency_ns == 5000000"
holds "late: nothing fails" \
	"$late.disks.data.errors == 0 and $late.workloads.reader.errors == 0"
# a read may be on its way when the phase ends, one for each worker
# shellcheck disable=SC2016 # names of jq
both='. as [$d, $w] | ($d - $w) | fabs <= 2'
holds "rate: the disk and the readers count the same errors" \
	"[$rate.disks.data.errors, $rate.workloads.reader.errors] | $both"
holds "rate: all of them are the drawn ones" \
	"$rate.disks.data |
	 .faults.rate_errors == .errors and .faults.range_errors == 0"
holds "rate: about a fifth" \
	"$rate.disks.data | .errors / .reads | . > 0.1 and . < 0.35"
holds "range: the disk and the readers count the same errors" \
	"[$range.disks.data.errors, $range.workloads.reader.errors] | $both"
holds "range: all of them are of the range, half of the disk" \
	"$range.disks.data | .faults.range_errors == .errors and
	 .faults.rate_errors == 0 and (.errors / .reads | . > 0.3 and . < 0.7)"
holds "stall: one, seen by the readers, and no error" \
	"$stall | .disks.data.faults.stalls == 1 and .disks.data.errors == 0 and
	 .disks.data.faults.stalled_ns == 300000000 and
	 .workloads.reader.gap_ns.max > 290000000"
holds "without a rate there is nothing to judge the disk by" \
	'[.checks[] | select(.automatic == "disk")] | length == 0'
done_testing
