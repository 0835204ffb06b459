#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Pressure stall times that the host reads: what /proc/pressure grows by in the
# guest, also in phases that are shorter than the two seconds after which the
# kernel adds them up. Two CPUs have four tasks that want all they can get, and
# a reader waits for a slow disk.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# Nobody in the guest looks in the first three phases: looking adds up.
cat >"$tmp/look" <<'T'
sleep 3.5
while :; do
	read -r from _ </proc/uptime
	read -r _ _ _ _ cpu </proc/pressure/cpu
	{ read -r _ _ _ _ some; read -r _ _ _ _ full; } </proc/pressure/io
	read -r to _ </proc/uptime
	echo "$from $to ${cpu#total=} ${some#total=} ${full#total=}"
	sleep 0.1
done
T
cat >"$tmp/psi.toml" <<T
schema = 1
name = "psi"
[vm]
topology = "1n1l2c1t"
memory = "512M"
deadline = "90s"
[[disk]]
name = "slow"
size = "16M"
throttle = { iops = 20 }
[scheduler]
builtin = "simple"
[[workload]]
name = "spin"
kind = "spin"
workers = 4
[[workload]]
name = "reader"
kind = "io_rand_read"
disk = "slow"
[[workload]]
name = "look"
kind = "exec"
exec = ["sh", "-c", '''
$(cat "$tmp/look")''']
add = ["sleep"]
[telemetry]
interval = "100ms"
[automatic]
fairness = false
T
for phase in a:1 b:1 c:1 d:2 e:3 f:2; do
	printf '[[phase]]\nname = "%s"\nduration = "%ss"\n' \
		"${phase%:*}" "${phase#*:}" >>"$tmp/psi.toml"
done

run_ktstr "$tmp/psi.toml"
facts "the run came to its end" '.end.kind == "done"'
for i in 0 1 2; do
	facts "phase $i, of a second: each CPU had a task waiting most of it" \
		".phases[$i] | .sched.psi.cpu_some_ns / .duration_ns |
		 . > 0.6 and . < 1.6"
done
holds "the measured phases' are added up" \
	'([.phases[].sched.psi.io_some_ns] | add) == .sched.psi.io_some_ns'
holds "memory was never short" \
	'.sched.psi | .memory_some_ns == 0 and .memory_full_ns == 0'

# Phase e: what the guest saw grow well within it, and from well before it to
# well after; in ms, and 50 of them for how the kernel weighs the CPUs.
read -r start end cpu some full < <(jq -r '.phases[4] |
	[.guest_start_ns, .guest_end_ns, .sched.psi.cpu_some_ns,
	 .sched.psi.io_some_ns, .sched.psi.io_full_ns] |
	map(. / 1000000 | floor) | @tsv' "$dir/facts.json")
echo "# phase e: $start to $end ms: cpu some $cpu, io some $some, full $full ms"
awk -v start="$start" -v end="$end" -v host="$cpu $some $full" '
	{
		from = $1 * 1000; to = $2 * 1000 + 10
		for (i = 1; i <= 3; i++) {
			ms = $(i + 2) / 1000
			if (from >= start && !inside++)
				for (k = 1; k <= 3; k++) first[k] = $(k + 2) / 1000
			if (to <= end) last[i] = ms
			if (to <= start - 500) before[i] = ms
			if (from >= end + 500 && !(i in after)) after[i] = ms
		}
	}
	END {
		split(host, h, " ")
		for (i = 1; i <= 3; i++) {
			least = last[i] - first[i] - 50
			most = after[i] - before[i] + 50
			print "#", h[i], "between", least, "and", most
			if (!(i in before) || !(i in after) || least < -50 ||
			    h[i] < least || h[i] > most)
				bad++
		}
		exit bad > 0
	}' "$dir/look.0.stdout"
ok $? "phase e: as /proc/pressure in the guest"
facts "phase e: there was pressure to see" \
	'.phases[4].sched.psi | .cpu_some_ns > 1500000000 and
	 .io_some_ns > 100000000'
done_testing
