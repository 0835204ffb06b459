#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The largest VM: 16 vCPUs in two nodes and four LLCs, with SMT, and 16 GiB. Each
# CPU has a worker that may run nowhere else. The emulated host has 6 GiB, so
# that it runs there shows that the memory is reserved and not touched.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

cat >"$tmp/big.toml" <<'T'
schema = 1
name = "big"
[vm]
topology = "2n4l2c2t"
memory = "16G"
deadline = "200s"
[[phase]]
name = "run"
duration = "500ms"
[telemetry]
interval = "100ms"
T
for cpu in {0..15}; do
	cat >>"$tmp/big.toml" <<T
[[workload]]
name = "cpu$cpu"
kind = "spin"
cpus = [$cpu]
T
done

run_ktstr "$tmp/big.toml"
facts "the run came to its end" '.end.kind == "done"'
facts "it had 16 GiB" '.vm.memory_bytes == 16 * 1024 * 1024 * 1024'
facts "sysfs shows what was asked for" '.agent.topology_ok == true'
facts "16 workers, each on the one CPU that is its own" \
	'[.workloads[] | select(.cpus_used == 1 and .cpuset_violations == 0)] |
	 length == 16'
facts "each of the 16 CPUs did work" \
	'[.phases[0].workloads[] | select(.iterations > 0)] | length == 16'
facts "each of the 16 vCPUs ran" \
	'[.host.vcpus[] | select(.run_ns > 0)] | length == 16'

done_testing
