#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# A disk's latency and its planted faults, as both sides see them: one boot, a
# phase for each. Then one that ends while writes are on their way.
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
# A read may be on its way when the phase ends, one for each worker; and the
# disk's phase is from message to message on the host, the readers' from stamp to
# stamp in the guest: a tenth of a second apart on a busy machine.
# shellcheck disable=SC2016 # names of jq
both='. as [$d, $w] | $w > 0 and (($d - $w) | fabs) <= 2 + $d / 10'
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

# Nothing that is written is done before the end of the run: each writer has its
# first request in flight then, from the start of its half of the file on.
truncate -s 16M "$tmp/torn.img"
cat >"$tmp/torn.toml" <<'END'
schema = 1
name = "disk-torn"

[vm]
topology = "1n1l2c1t"

[[disk]]
name = "data"
image = "torn.img"
keep_writes = true

[[workload]]
name = "writer"
kind = "io_seq_write"
workers = 2
disk = "data"
params = { block = "64K" }

[[phase]]
name = "run"
duration = "500ms"
do = [
	{ set_throttle = { disk = "data", latency = "60s" } },
	{ set_faults = { disk = "data", torn_writes = true } },
]

[telemetry]
interval = "100ms"
END

# whole OFFSET: how many of a request's sectors were written, if the first ones
# were and no other
whole() {
	local image=$tmp/torn.img

	od -An -v -tx8 -w512 -j "$1" -N 65536 "$image" | awk '
		{ written = /[1-9a-f]/ }
		written && NR != n + 1 { scattered = 1 }
		written { n++ }
		END { print scattered ? "scattered" : n + 0 }'
}

run_ktstr --seed 7 "$tmp/torn.toml"
holds "torn: each write that was in flight at the end is counted" \
	'.disks.data | .faults.torn_writes == 2 and .writes == 0'
for offset in 0 8388608; do
	n=$(whole $offset)
	like "torn: at $offset the first sectors are on the disk" \
		'^[1-9][0-9]*$' "$n"
	[ "${n/scattered/128}" -lt 128 ]
	ok $? "torn: at $offset the last are not, $n of 128 are"
done
is "torn: and nothing else" 0 "$(for from in 65536 8454144; do
	tail -c +$((from + 1)) "$tmp/torn.img" | head -c $((8323072))
done | tr -d '\0' | wc -c)"
done_testing
