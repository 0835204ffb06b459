#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# ktstr exec while it runs: Ctrl-C, the deadline, a scheduler beneath it, and
# input that is typed while the command reads.
. "$(dirname "$0")/lib.sh"

# start_exec ARGS: in the background; sets pid. stdin is the caller's.
start_exec() {
	# a background job of a script ignores SIGINT: take that back
	TMPDIR=$tmp/private perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' \
		"$ktstr" exec "$@" >"$tmp/out" 2>"$tmp/err" &
	pid=$!
}

# end_exec: waits; sets status, out, err
end_exec() {
	wait $pid
	status=$?
	out=$(cat "$tmp/out")
	err=$(cat "$tmp/err")
	case $status,$err in
	125,*"fault of the emulating machine"*) echo "machine fault: $err"; exit 77 ;;
	125,*"no QEMU"*) echo "skipped: $err"; exit 4 ;;
	esac
	sed 's/^/# /' "$tmp/err"
}

# until_said TEXT: on its stdout, or it has ended
until_said() {
	for _ in $(seq 900); do
		grep -q "$1" "$tmp/out" && return
		kill -0 $pid 2>/dev/null || return
		sleep 0.1
	done
}

mkdir "$tmp/private"
start_exec --add sleep -- sh -c 'echo up; sleep 1000' </dev/null
until_said up
is "Ctrl-C: the command was up" up "$(cat "$tmp/out")"
kill -INT $pid
end_exec
is "Ctrl-C: exit status is 128 + signal" 130 "$status"
is "Ctrl-C: what was written before is there" up "$out"
is "Ctrl-C: no temporary file is left" "" "$(ls -A "$tmp/private")"

start_exec --deadline 20s --add sleep -- sh -c 'echo up; sleep 1000' </dev/null
end_exec
is "deadline: exit status is ktstr's own" 125 "$status"
is "deadline: what was written before is there" up "$out"
like "deadline: said" 'did not come to its end: .*deadline' "$err"

start_exec --scheduler simple cat /sys/kernel/sched_ext/state \
	/sys/kernel/sched_ext/root/ops </dev/null
end_exec
is "scheduler: exit status" 0 "$status"
is "scheduler: it is in charge when the command runs" "enabled
simple" "$out"

# In the emulated host the input goes ahead as a file: nothing is live there.
if "$ktstr" __probe >/dev/null 2>&1; then
	mkfifo "$tmp/in"
	# shellcheck disable=SC2016 # the guest's shell is to expand them
	start_exec sh -c 'read -r a; echo "got $a"; read -r b; echo "got $b"' \
		<"$tmp/in"
	exec 7>"$tmp/in"
	echo one >&7
	until_said 'got one'
	is "typed: answered before the next line is there" "got one" \
		"$(cat "$tmp/out")"
	echo two >&7
	exec 7>&-
	end_exec
	is "typed: both lines" "got one
got two" "$out"
fi

done_testing
