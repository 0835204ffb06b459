#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The live line: on a terminal it shows phase and disk rate, and is erased in
# the end and by Ctrl-C; in a pipe there is not one escape byte.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# scenario FILE DURATION
scenario() {
	cat >"$1" <<T
schema = 1
name = "live"
[vm]
topology = "1n1l2c1t"
memory = "512M"
deadline = "120s"
[scheduler]
builtin = "simple"
[[disk]]
name = "data"
size = "16M"
throttle = { iops = 20 }
[[workload]]
name = "reader"
kind = "io_rand_read"
disk = "data"
workers = 2
[[phase]]
name = "warm"
duration = "300ms"
measure = false
[[phase]]
name = "steady"
duration = "$2"
[telemetry]
interval = "50ms"
T
}
scenario "$tmp/short.toml" 2s
scenario "$tmp/long.toml" 60s

# on_terminal NAME SCENARIO: stdin is typed. What a terminal got in $tmp/NAME,
# what is on it in the end in $tmp/NAME.screen.
on_terminal() {
	printf 'stty cols 100\nTERM=xterm "%s" run "%s" --out "%s"\n' \
		"$ktstr" "$2" "$tmp/run-$1" >"$tmp/$1.sh"
	printf 'echo "exit status $?"\n' >>"$tmp/$1.sh"
	script -qfc "bash $tmp/$1.sh" "$tmp/$1" >/dev/null
	if grep -q 'fault of the emulating machine' "$tmp/$1"; then
		echo "machine fault"
		exit 77
	fi
	perl -pe 's/\r\n/\n/; s/.*\r\e\[K//' "$tmp/$1" >"$tmp/$1.screen"
	sed 's/^/# /' "$tmp/$1.screen"
}

on_terminal whole "$tmp/short.toml" </dev/null
lines=$(tr '\r' '\n' <"$tmp/whole" | grep $'^\033\\[K')
like "a line shows boot" '^.\[Klive: booting, [0-9]+s, 2\.3s to go$' "$lines"
like "a line shows phase, time left, scheduler, disk rate" \
	'^.\[Klive: phase 2/2 steady, [01]\.[0-9]s to go, simple enabled,.* data [1-9][0-9]*/s [0-9.]+KB/s$' \
	"$lines"
[ "$(grep -c 'phase 2/2 steady' <<<"$lines")" -ge 4 ]
ok $? "it is drawn some times a second"
[ "$(awk '{ print length }' <<<"$lines" | sort -n | tail -n 1)" -le 102 ]
ok $? "no line is wider than the terminal"
screen=$(cat "$tmp/whole.screen")
like "the log is whole" '^ktstr: phase steady: 2\.0 s$' "$screen"
like "the report is there" '^[A-Z]+ +live:|^[A-Z]+ +live$' "$screen"
is "nothing of the line is left" "" "$(grep -e ' to go' -e $'\033' <<<"$screen")"

# Ctrl-C is typed once the line shows the second phase
mkfifo "$tmp/keys"
on_terminal stopped "$tmp/long.toml" <"$tmp/keys" &
pid=$!
exec 7>"$tmp/keys"
for _ in $(seq 900); do
	grep -q 'phase 2/2 steady' "$tmp/stopped" 2>/dev/null && break
	kill -0 $pid 2>/dev/null || break
	sleep 0.1
done
printf '\003' >&7
for _ in $(seq 300); do
	kill -0 $pid 2>/dev/null || break
	sleep 0.1
done
exec 7>&-
wait $pid
[ $? -ne 77 ] || exit 77
screen=$(cat "$tmp/stopped.screen")
like "Ctrl-C: the line says so" 'live: stopping' "$(cat "$tmp/stopped")"
like "Ctrl-C: exit status" '^exit status 130$' "$screen"
is "Ctrl-C: nothing of the line is left" "" \
	"$(grep -e ' to go' -e ': stopping' -e $'\033' <<<"$screen")"

scenario "$tmp/pipe.toml" 300ms
TERM=xterm run_ktstr "$tmp/pipe.toml"
like "in a pipe: a line per phase" '^ktstr: phase steady: 0\.3 s$' "$err"
is "in a pipe: no escape byte, no progress" "" \
	"$(printf '%s%s' "$out" "$err" | tr -d '\n\t[:print:]')"

done_testing
