#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The kernel's own record of a scheduler's end, read from guest memory before it
# was freed: of a scheduler that stalls, and no error of one that does not.
. "$(dirname "$0")/lib.sh"

# scenario SCHEDULER DURATION: $tmp/SCHEDULER.toml
scenario() {
	cat >"$tmp/$1.toml" <<T
schema = 1
name = "exit-$1"
[vm]
topology = "1n1l2c1t"
memory = "512M"
deadline = "90s"
[scheduler]
builtin = "$1"
[[workload]]
name = "web"
kind = "bursty"
params = { burst = "2ms", sleep = "8ms" }
workers = 3
[[phase]]
name = "run"
duration = "$2"
[telemetry]
interval = "20ms"
T
}

scenario stall 20s
run_ktstr "$tmp/stall.toml"
is "stall: exit status" 1 "$status"
holds "stall: the kernel's kind, by number and by name" \
	'.sched.exit | .kind == 1026 and .kind_name == "error_stall"'
holds "stall: its message" \
	'.sched.exit | (.reason | test("stall")) and
	 (.message | test("failed to run for"))'
holds "stall: it is what the guest's log says" \
	'.sched.exit.message == .scheduler.exit.message'

scenario simple 500ms
run_ktstr "$tmp/simple.toml"
# The agent takes it off at the end, which may be seen, too: no error.
holds "simple: no error is recorded" \
	'.scheduler.final_state == "enabled" and
	 (.sched.exit.kind // 0) < 1024'
done_testing
