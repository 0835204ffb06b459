#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The host withholds a CPU: while a VM runs, a SCHED_FIFO process on its host
# takes the CPU of the vCPU on which a worker is bound, for a second or two.
# The host is blamed, by how long that vCPU waited; and it is not in the same
# scenario without it. Where the VM's host is an emulated one, so is the thief's.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

cc -O2 -Wall -Werror -static -o "$tmp/hog" "$top/selftests/steal_hog.c"
ok $? "the thief compiles"

emu_pid=''
hog_pid=''
# A thief that is left behind would steal from the next VM.
# shellcheck disable=SC2317 # by a trap
end_all() {
	if [ -n "$hog_pid" ]; then
		kill "$hog_pid" 2>/dev/null
		wait "$hog_pid"
	fi
	if [ -n "$emu_pid" ]; then
		exec {emu_in}>&- # it ends with its stdin
		wait "$emu_pid"
	fi
	rm -rf "$tmp"
}
trap end_all EXIT

# Both in one host: that of the batch, or one of our own.
own_host() {
	local line
	mkdir "$tmp/emu" && mkfifo "$tmp/emu-in" "$tmp/emu-out"
	"$ktstr" __emu-serve "$tmp/emu" <"$tmp/emu-in" >"$tmp/emu-out" \
		2>"$tmp/emu-err" &
	emu_pid=$!
	exec {emu_in}>"$tmp/emu-in"
	if ! read -r -t 180 line <"$tmp/emu-out" || [ "$line" != READY ]; then
		cat "$tmp/emu-err"
		echo "skipped: no emulated host"
		exit 4
	fi
	export KTSTR_EMU_HOST=$tmp/emu
}

# How long, and what a gap may be: more where time is bad, since checks of time
# are judged from ten times the time floor on.
hog=("$tmp/hog")
if "$ktstr" __probe >/dev/null 2>&1; then
	if ! chrt -f 1 true 2>/dev/null || [ "$(nproc)" -lt 2 ]; then
		echo "skipped: needs SCHED_FIFO and two CPUs"
		exit 5
	fi
	gap=500ms
	hog+=(900 120 "$tmp/run-")
else
	[ -n "${KTSTR_EMU_HOST:-}" ] || own_host
	gap=1500ms
	hog=("$ktstr" __emu-exec --timeout 150 -- "${hog[@]}" 2500 120 "")
fi

cat >"$tmp/steal.toml" <<T
schema = 1
name = "steal"
[vm]
topology = "1n1l2c1t"
memory = "512M"
deadline = "90s"
[telemetry]
interval = "50ms"
[automatic]
gap = "$gap"
noise = 0.5
telemetry = 0.5
[[phase]]
name = "run"
duration = "5s"
do = [{ freeze = { name = "go", after = "300ms" } }]
[[workload]]
name = "victim"
kind = "spin"
cpus = [1]
T

# judged: above a time floor of 150 ms nobody can tell
judged() {
	if [ "$status" -eq 5 ] && reason | grep -q 'the time floor of this machine'; then
		echo "machine fault: it was too slow to tell: $(reason)"
		exit 77
	fi
}

"${hog[@]}" >"$tmp/hog-out" 2>&1 &
hog_pid=$!
run_ktstr "$tmp/steal.toml"
wait "$hog_pid"
is "the thief did its work" 0 $?
hog_pid=''
sed 's/^/# /' "$tmp/hog-out"
judged
is "planted: exit status" 1 "$status"
holds "planted: the gap is what failed" \
	'[.checks[] | select(.verdict == "fail") | .metric] == ["victim.gap.max"]'
is "planted: cause" host \
	"$(jq -r '.blame[]? | select(.metric == "victim.gap.max") | .cause' "$result")"
like "planted: evidence" \
	'The host withheld its CPU: in [0-9]+ of [0-9]+ ms of its wait vCPU 1 waited for a host CPU' \
	"$(jq -r '.blame[]?.text' "$result")"
facts "planted: most of the victim's gap was that wait, and no more than all" \
	'[.gaps[] | select(.workload == "victim")] | length == 1 and
	 all(.host_wait_ns > .gap_ns / 2 and .host_wait_ns <= .gap_ns and
	     .gap_ns > 500000000)'
facts "planted: samples tell of it as it grows" \
	'.gaps[] | select(.workload == "victim") | [.seen[].host_wait_ns] |
	 . == sort and last > 0'
holds "planted: the VM was not frozen for a look meanwhile" \
	'[.looks.list[]? | select(.rendezvous_ns > 300000000)] == []'

run_ktstr "$tmp/steal.toml"
holds "control: the host is not blamed" \
	'[.blame[]? | select(.cause == "host")] == []'
# a busy emulating machine may withhold a CPU for a short while, and tell so
facts "control: no long gap was that wait" \
	'[.gaps[] | select(.gap_ns > 750000000 and
			  .host_wait_ns > .gap_ns / 2)] == []'

done_testing
