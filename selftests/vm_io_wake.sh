#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# From a disk's completion on the host to the reader's next instruction in the
# guest: a delay that is planted there is measured as long as it is, and beside
# a saturated throttle no other latency shows it.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
scenario=$top/scenarios/io-wake.toml

# planted MS: sets wake_ns, latency_ns
planted() {
	run_ktstr "$scenario" --scheduler delay_io --set scheduler.set.strength="$1"
	holds "$1 ms: the clocks' relation is known, with its error" \
		'.host.clock | .error_ns > 0 and .error_ns < 2000000 and has("drift_ppb")'
	holds "$1 ms: nearly all reads found their completion" \
		'.workloads.reader.io_wake_pairing | .paired >= 150 and .unpaired + .lost <= .paired / 20'
	holds "$1 ms: the disk was saturated" \
		'.disks.data.delivered.ratio > 0.95 and .disks.data.delivered.ratio < 1.05'
	wake_ns=$(jq '.workloads.reader.io_wake_ns.p50' "$result")
	latency_ns=$(jq '.workloads.reader.io_latency_ns.p50' "$result")
}

planted 0
base_ns=$wake_ns
base_latency_ns=$latency_ns
for ms in 5 20; do
	planted $ms
	jq -ne "($wake_ns - $base_ns - $ms * 1e6) | fabs <= 2e6 + $ms * 1e5" \
		>/dev/null
	ok $? "$ms ms planted: the medians differ by it, within 2 ms + 10 %"
	echo "# median without $base_ns ns, with $ms ms planted $wake_ns ns"
	jq -ne "$latency_ns <= $base_latency_ns * 1.05" >/dev/null
	ok $? "$ms ms planted: io_latency does not show it"
	echo "# io_latency: without $base_latency_ns ns, with $latency_ns ns"
done

# A limit on time is judged only where ten times the time floor is below it.
too_slow=0
slow_machine() {
	[ "$status" -eq 5 ] || return 1
	echo "# not judged: $(reason)"
	too_slow=1
}

run_ktstr "$scenario"
slow_machine || is "simple: exit status" 0 "$status"

run_ktstr "$scenario" --scheduler delay_io
if ! slow_machine; then
	is "delay_io: exit status" 1 "$status"
	holds "delay_io: io_wake fails, and nothing else" \
		'[.checks[] | select(.verdict == "fail") | .metric] == ["reader.io_wake.p50"]'
	holds "delay_io: blamed on the wake-up, not on the disk" \
		'[.blame[] | .cause] == ["wakeup"]'
fi

[ $bad -ne 0 ] || [ $too_slow -eq 0 ] || exit 5
done_testing
