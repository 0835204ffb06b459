#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The agent compares sysfs with the request at every boot; here every shape
# that matters is requested once: LLC is not package, SMT, two NUMA nodes, eight
# CPUs, and one whose CPUs are not a power of two.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

for t in 1n1l1c1t 1n2l2c1t 1n1l2c2t 2n2l2c1t 1n3l1c1t 2n4l1c2t; do
	cat >"$tmp/$t.toml" <<T
schema = 1
name = "topology-$t"
[vm]
topology = "$t"
memory = "512M"
deadline = "90s"
[[workload]]
name = "spin"
kind = "spin"
[[phase]]
name = "run"
duration = "200ms"
[telemetry]
interval = "50ms"
T
	run_ktstr "$tmp/$t.toml"
	facts "$t: sysfs shows what was asked for" '.agent.topology_ok == true'
	facts "$t: the run came to its end" '.end.kind == "done"'
done

done_testing
