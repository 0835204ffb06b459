#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Both virtio transports with a stock kernel: disk and agent's port work, and
# the exits of the measured phase are those that the transport costs. By mmio
# the guest reads and acknowledges each interrupt, by MSI-X nothing leaves it;
# a kick is no exit with either.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

cat >"$tmp/transport.toml" <<'T'
schema = 1
name = "transport"
[vm]
topology = "1n1l1c1t"
memory = "512M"
deadline = "90s"
[[disk]]
name = "data"
size = "16M"
[[workload]]
name = "reader"
kind = "io_rand_read"
workers = 2
disk = "data"
[[phase]]
name = "run"
duration = "1s"
[telemetry]
interval = "250ms"
T

for t in pci mmio; do
	run_ktstr "$tmp/transport.toml" --transport $t
	facts "$t: the agent came to its end over its port" '.end.kind == "done"'
	facts "$t: the disk served reads, and interrupted" \
		'.disks.data | .reads > 20 and .interrupts > 20 and .errors == 0'
	holds "$t: is in the result" ".vm.transport == \"$t\""
	holds "$t: exits by reason stand in the result, of the run and its phase" \
		'all(.host.vcpus, .phases[0].vcpus; length == 1 and
		 (.[0] | .exits == .mmio + .io + .hlt + .intr + .other))'
	jq -c '.phases[0] | {exits: .vcpus[0],
		interrupts: .disks.data.interrupts, kicks: .disks.data.kicks}' \
		"$dir/facts.json" | sed 's/^/# /'
done
# several may be told by one: no more than that can be said of two for each
facts "mmio: interrupts are read and acknowledged by exits" \
	'.phases[0] | .vcpus[0].mmio >= .disks.data.interrupts'
dir=$tmp/run-1
facts "pci: not one exit by MMIO in the phase" \
	'.phases[0].vcpus[0].mmio == 0'

# of the kernel's modules only the disk's is needed
out=$("$ktstr" exec --transport pci --add cat -- cat /proc/modules \
	</dev/null 2>"$tmp/err")
like "exec, pci: the disk's module is in" '^virtio_blk ' "$out"
is "exec, pci: and none of a transport" "" \
	"$(grep -E '^virtio_(mmio|pci)' <<<"$out")"

done_testing
