#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Who is blamed: for each cause that can be planted in a VM a worker that does
# not get on for that reason, and the frozen look that is taken while it waits.
# "kept" is in vm_reader.sh and vm_freeze.sh, "bypass" in vm_blame_sched.sh,
# "sleep" and "stopped" in vm_blame_sleep.sh, the host's steal in vm_steal.sh.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

# scenario NAME LINES: two CPUs, and gaps of half a second fail
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
[automatic]
gap = "500ms"
[[phase]]
name = "run"
duration = "3s"
$2
T
}

scenario leak '
[scheduler]
builtin = "idle_leak"
set = { slice_ns = 400000000 }
[[disk]]
name = "slow"
size = "64M"
throttle = { iops = 1 }
[[workload]]
name = "spin"
kind = "spin"
workers = 4
[[workload]]
name = "reader"
kind = "io_rand_read"
disk = "slow"
cpus = [1]'
run_ktstr "$tmp/leak.toml"
is "idle_leak: exit status" 1 "$status"
blamed "idle_leak" spin idle 'while a task waited elsewhere'
like "idle_leak: the queue and who had the CPU are told" \
	'on the 0 queue with up to [0-9]+ tasks.*its CPU then' \
	"$(jq -r '.blame[] | select(.metric == "spin.gap.max") | .text' "$result")"
blamed "throttled disk" reader disk \
	'blocked while slow had requests to serve.*throttle of slow held'
holds "looks were taken at gaps, each of another worker, and few" \
	'[.looks.list[] | select(.why == "gap") | .name] |
	 length >= 1 and length <= 3 and (unique | length) == length and
	 all(test("^(spin|reader)/[0-3]$"))'
holds "each of them shows who was on the two CPUs" \
	'all(.looks.list[] | select(.why == "gap"); .outcome == "frozen" and
	     ([.tasks[] | select(.running)] | length) == 2)'
facts "each gap has samples of its worker, within it and in order" \
	'.gaps | length > 0 and all(.samples > 0 and .from_ns < .to_ns and
	 ([.seen[].at_ns] | . == sort and .[0] >= 100000000))'

scenario late '
[scheduler]
builtin = "late_kworker"
[[disk]]
name = "log"
size = "64M"
[[workload]]
name = "writer"
kind = "io_sync_write"
disk = "log"
cpus = [0]
[[workload]]
name = "hog"
kind = "spin"
policy = "fifo:1"
cpus = [1]
[[workload]]
name = "victim"
kind = "spin"
cpus = [1]'
run_ktstr "$tmp/late.toml"
is "late_kworker: exit status" 1 "$status"
blamed "held kworkers" writer completion \
	'blocked while disk log had nothing to do.*kworker/0:.* waited for CPU 0'
blamed "a FIFO task on its CPU" victim others \
	'most often hog/0\[[0-9]+\]'

scenario wake '
[scheduler]
builtin = "delay_io"
set = { strength = 800 }
[[disk]]
name = "data"
size = "64M"
[[workload]]
name = "reader"
kind = "io_rand_read"
disk = "data"
workers = 2'
run_ktstr "$tmp/wake.toml" --set automatic.look=false
is "delay_io: exit status" 1 "$status"
blamed "delay_io" reader wakeup \
	'not run after its disk: disk data was done'
like "delay_io: it was on the queue of those that are held" \
	'on the 1 queue with up to [12] tasks' \
	"$(jq -r '.blame[0].text' "$result")"
holds "no look is taken where none is wanted" '.looks == null'

done_testing
