# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For the VM tests: each sources this, runs `ktstr`, and says "ok - WHAT" or
# "not ok - WHAT" for everything it looked at. `done_testing` sets the exit
# status: 0 all well, 1 something was not, 4 nothing could be run.

set -u
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# absolute: a test may go elsewhere
build=$(realpath "${KTSTR_BUILD:-$top/build}")
ktstr=$build/ktstr
cache=${KTSTR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ktstr}
sources=$cache/sources/default # parts of the kernel's, by tools/setup
tmp=$(mktemp -d "${TMPDIR:-/tmp}/ktstr-test-XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 129' HUP INT TERM
bad=0
seen=0

need_sources() {
	[ -e "$sources/COPYING" ] && return
	echo "skipped: no kernel sources in $sources; run" \
		"'tools/setup --stage sources'"
	exit 4
}

# ok STATUS WHAT: one thing that was looked at
ok() {
	seen=$((seen + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok - $2"
	else
		echo "not ok - $2"
		bad=$((bad + 1))
	fi
}

# is WHAT WANT GOT
is() {
	[ "$2" = "$3" ]
	local same=$?
	ok $same "$1"
	[ $same -eq 0 ] || echo "  want '$2', got '$3'"
}

# like WHAT PATTERN TEXT: an extended regular expression
like() {
	printf '%s' "$3" | grep -Eq -- "$2"
	local same=$?
	ok $same "$1"
	[ $same -eq 0 ] || echo "  want /$2/, got '$3'"
}

# holds WHAT JQ-EXPRESSION: of the last run's result.json
holds() {
	jq -e "$2" "$result" >/dev/null 2>&1
	local same=$?
	ok $same "$1"
	[ $same -eq 0 ] || echo "  $2 does not hold in $result"
}

# facts WHAT JQ-EXPRESSION: of the last run's facts.json, what was seen unjudged
facts() {
	jq -e "$2" "$dir/facts.json" >/dev/null 2>&1
	local same=$?
	ok $same "$1"
	[ $same -eq 0 ] || echo "  $2 does not hold in $dir/facts.json"
}

# blamed WHAT WORKLOAD CAUSE TEXT-PATTERN: of the last run, for that one's gap
blamed() {
	local one
	one=$(jq -c --arg m "$2.gap.max" \
		'[.blame[]? | select(.metric == $m)][0]' "$result")
	is "$1: cause" "$3" "$(jq -r .cause <<<"$one")"
	like "$1: evidence" "$4" "$(jq -r .text <<<"$one")"
}

# run_ktstr ARGS: sets status, out (stdout), err (stderr), dir, result
run_ktstr() {
	seen_runs=$((${seen_runs:-0} + 1))
	dir=$tmp/run-$seen_runs
	result=$dir/result.json
	"$ktstr" run --out "$dir" "$@" >"$tmp/out" 2>"$tmp/err"
	status=$?
	out=$(cat "$tmp/out")
	err=$(cat "$tmp/err")
	if [ $status -eq 4 ]; then
		echo "skipped: $out $err"
		exit 4
	fi
	# a fault of the emulating machine says nothing of what is tested
	if [ $status -eq 6 ] && printf '%s%s' "$out" "$err" |
	   grep -q 'fault of the emulating machine'; then
		echo "machine fault: $out"
		exit 77
	fi
	tail -n 5 "$tmp/err" | sed 's/^/# /'
	sed 's/^/# /' "$tmp/out"
	if starved; then
		echo "machine fault: it was too busy to tell: $(reason)"
		exit 77
	fi
}

# Did the last run end inconclusive for nothing but what the emulating machine
# gave it: samples that came too late, a disk worker that did not run in time?
starved() {
	[ "$status" -eq 5 ] && jq -e '.vm.accel == "emulated" and
		([.checks[] | select(.verdict == "inconclusive")] | length > 0 and
		 all((.automatic | IN("telemetry", "disk")) or
		     (.metric | endswith(".delivered_ratio"))))' \
		"$result" >/dev/null 2>&1
}

reason() { jq -r .reason "$result" 2>/dev/null; }

done_testing() {
	if [ $bad -ne 0 ]; then
		echo "$bad of $seen did not hold"
		keep=${KTSTR_KEEP:-}
		[ -z "$keep" ] || { mkdir -p "$keep" && cp -r "$tmp" "$keep/"; }
		exit 1
	fi
	[ $seen -gt 0 ] || { echo "nothing was looked at"; exit 1; }
	exit 0
}
