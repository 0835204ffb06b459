#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Ctrl-C and SIGTERM in the middle: results so far are written, and nothing is
# left behind: no process, no temporary file.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

cat >"$tmp/long.toml" <<'T'
schema = 1
name = "long"
[vm]
topology = "1n1l2c1t"
memory = "512M"
deadline = "120s"
[scheduler]
builtin = "simple"
[[workload]]
name = "spin"
kind = "spin"
workers = 2
[[phase]]
name = "first"
duration = "1s"
[[phase]]
name = "second"
duration = "60s"
T

# interrupt SIGNAL NUMBER: in the second phase
interrupt() {
	local dir=$tmp/out-$1 private=$tmp/private-$1 pid got
	mkdir "$private"
	# a background job of a script ignores SIGINT: take that back
	TMPDIR=$private perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' \
		"$ktstr" run "$tmp/long.toml" --out "$dir" \
		>"$tmp/out" 2>"$tmp/err" &
	pid=$!
	for _ in $(seq 600); do
		grep -q 'phase second' "$tmp/err" && break
		kill -0 $pid 2>/dev/null || break
		sleep 0.1
	done
	grep -q 'phase second' "$tmp/err"
	ok $? "$1: the second phase began"
	sleep 1
	kill -"$1" $pid
	wait $pid
	got=$?
	is "$1: exit status is 128 + signal" $((128 + $2)) $got
	[ -s "$dir/result.json" ]
	ok $? "$1: result.json was written"
	result=$dir/result.json
	holds "$1: the phase before is in it" \
		'.phases[0].workloads.spin.iterations > 0'
	is "$1: no temporary file is left" "" "$(ls -A "$private")"
	is "$1: no process is left" "" "$(pgrep -f -- "$dir" || true)"
}
interrupt INT 2
interrupt TERM 15

done_testing
