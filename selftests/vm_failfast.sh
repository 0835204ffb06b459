#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# What can't work says so at once, and says the right thing.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

cat >"$tmp/small.toml" <<'T'
schema = 1
name = "small"
[vm]
topology = "1n1l2c1t"
memory = "512M"
deadline = "60s"
[[workload]]
name = "spin"
kind = "spin"
workers = 2
[[phase]]
name = "run"
duration = "1s"
T

# a scheduler that the verifier turns down: it follows a pointer unchecked
cat >"$tmp/reject.bpf.c" <<'T'
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
char _license[] SEC("license") = "GPL";
SEC("struct_ops/enqueue")
void BPF_PROG(reject_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 *wild = (u64 *)enq_flags;

	*wild = 1;
}
SEC(".struct_ops.link")
struct sched_ext_ops reject_ops = {
	.enqueue = (void *)reject_enqueue,
	.name = "reject",
};
T
sed '/^\[\[workload/i [scheduler]\nsource = "reject.bpf.c"' "$tmp/small.toml" \
	>"$tmp/reject.toml"
run_ktstr "$tmp/reject.toml"
is "verifier rejection: exit status" 1 "$status"
like "verifier rejection: named as one" 'verif|load' "$(reason)"
like "verifier rejection: the end of its log is there" \
	'R[0-9].*(invalid|scalar)|invalid mem access' \
	"$(jq -r '.scheduler.failed.log' "$result")$(reason)"
holds "verifier rejection: reported within 10 s of the agent's start" \
	'.timing.total_ms - .timing.boot_ms < 10000'

run_ktstr "$tmp/small.toml" --scheduler "$tmp/missing.bpf.o"
is "missing object: exit status" 2 "$status"
like "missing object: named" 'missing.bpf.o' "$out$err"
is "missing object: no VM was started" no \
	"$([ -e "$dir/console.log" ] && echo yes || echo no)"

# real-time hogs on every CPU, above the agent: nothing in the guest moves
sed 's/^workers = 2/workers = 2\npolicy = "fifo:99"/' "$tmp/small.toml" \
	>"$tmp/hog.toml"
run_ktstr "$tmp/hog.toml" --set vm.deadline=30s
is "hung guest: exit status" 1 "$status"
like "hung guest: the reason says so" 'longer than asked' "$(reason)"

# kernels that never come to be one
asm() {
	printf '.globl _start\n_start:\n%s\n' "$2" >"$tmp/$1.S"
	gcc -nostdlib -static -Wl,-Ttext=0x1000000 -Wl,--build-id=none \
		-o "$tmp/$1.elf" "$tmp/$1.S"
}
asm triple 'lidt none(%rip)
ud2
.balign 8
none: .skip 16'
# shellcheck disable=SC2016 # assembler, not shell
asm panic 'mov $0x3f8, %dx
lea text(%rip), %rsi
1: lodsb
test %al, %al
jz 2f
outb %al, %dx
jmp 1b
2: mov $0xfe, %al
outb %al, $0x64
3: jmp 3b
text: .asciz "Kernel panic - not syncing: planted\r\n"'
run_ktstr "$tmp/small.toml" --kernel "$tmp/triple.elf"
is "triple fault at boot: exit status" 6 "$status"
like "triple fault at boot: named" 'triple' "$(reason)"
run_ktstr "$tmp/small.toml" --kernel "$tmp/panic.elf"
is "panic at boot: exit status" 6 "$status"
like "panic at boot: named" 'panic' "$(reason)"
like "panic at boot: the console's end is shown" 'not syncing: planted' \
	"$out$(jq -r '.end.console_tail[]?' "$dir/facts.json")"

done_testing
