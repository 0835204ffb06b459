#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# ktstr exec: a command of this machine in a VM, as if it were here.
. "$(dirname "$0")/lib.sh"

# run_exec ARGS: sets status, out, err; stdin is the caller's
run_exec() {
	"$ktstr" exec "$@" >"$tmp/out" 2>"$tmp/err"
	status=$?
	out=$(cat "$tmp/out")
	err=$(cat "$tmp/err")
	case $status,$err in
	125,*"fault of the emulating machine"*) echo "machine fault: $err"; exit 77 ;;
	125,*"no QEMU"*) echo "skipped: $err"; exit 4 ;;
	esac
	sed 's/^/# /' "$tmp/err"
}

printf 'first\nrest 1\nrest 2' >"$tmp/in"
# shellcheck disable=SC2016 # the guest's shell is to expand them
run_exec --add cat -- sh -c 'read -r x; echo "got $x"; cat; echo err >&2; exit 7' <"$tmp/in"
is "exit status" 7 "$status"
is "stdin arrives, with its end" "got first
rest 1
rest 2" "$out"
is "stderr is apart" err "$err"

run_exec uname -r </dev/null
is "uname: exit status" 0 "$status"
like "uname: a kernel's release" '^[0-9]+\.[0-9]+' "$out"
[ "$out" != "$(uname -r)" ]
ok $? "uname: the guest's kernel, not this machine's"

# shellcheck disable=SC2016
run_exec sh -c 'kill -TERM $$' </dev/null
is "killed by a signal" 143 "$status"

printf '#!/bin/sh\nexit 5\n' >"$tmp/script"
chmod +x "$tmp/script"
run_exec --topology 1n1l4c1t "$tmp/script" </dev/null
is "a script is packed with its interpreter" 5 "$status"

run_exec no-such-command-here </dev/null
is "missing command" 127 "$status"
like "missing command: named" no-such-command-here "$err"
run_exec --kernel "$tmp/script" true </dev/null
is "ktstr's own failure" 125 "$status"

done_testing
