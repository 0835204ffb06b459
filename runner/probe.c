// SPDX-License-Identifier: GPL-2.0-only
/* ktstr __probe: can this machine's KVM run a kernel? For tools/. */
#include "runner/cmd.h"
#include "vmm/vmm.h"

#include <stdio.h>

int cmd_probe(int argc, char **argv)
{
	struct vm_kvm_probe probe;

	vm_kvm_probe(&probe);
	puts(probe.state == VM_KVM_GOOD ? "good" : probe.why);
	return probe.state == VM_KVM_GOOD ? KTSTR_EXIT_PASS : KTSTR_EXIT_SKIP;
}
