#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# `git bisect run ktstr run --git-bisect` over a scheduler's history finds the
# commit that starves a worker, past one that does not compile.
. "$(dirname "$0")/lib.sh"

repo=$tmp/repo
first_bad=6
nr_commits=8

mkdir "$repo"
cd "$repo" || exit 1
cat >scenario.toml <<'T'
schema = 1
name = "bisect"
[vm]
topology = "1n1l2c1t"
memory = "512M"
deadline = "90s"
[scheduler]
source = "sched.bpf.c"
[[workload]]
name = "spin"
kind = "spin"
workers = 3
[[phase]]
name = "run"
duration = "1s"
[telemetry]
interval = "50ms"
T
cat >sched.bpf.c <<'T'
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

#define SLICE_NS 4000000

SEC("struct_ops/select_cpu")
s32 BPF_PROG(sched_select_cpu, struct task_struct *p, s32 prev_cpu,
	     u64 wake_flags)
{
	return prev_cpu;
}

SEC("struct_ops/enqueue")
void BPF_PROG(sched_enqueue, struct task_struct *p, u64 enq_flags)
{
	/* REGRESSION */
	scx_bpf_dsq_insert(p, SCX_DSQ_GLOBAL, SLICE_NS, enq_flags);
}

SEC(".struct_ops.link")
struct sched_ext_ops sched_ops = {
	.select_cpu = (void *)sched_select_cpu,
	.enqueue = (void *)sched_enqueue,
	.name = "sched",
};
T

# commit NUMBER SED-SCRIPT
commit() {
	sed -i "$2" sched.bpf.c
	git add -A && git -c user.name=t -c user.email=t@example.org \
		-c commit.gpgsign=false commit -q -m "change $1"
}
git init -q .
echo ktstr-results >.git/info/exclude
commit 1 ''
commit 2 's/4000000/5000000/'
commit 3 '5a /* A queue for all. */'
commit 4 's/return prev_cpu;/return prev_cpu/' # in the middle: tested first
commit 5 's/return prev_cpu$/return prev_cpu;/'
commit 6 's|/\* REGRESSION \*/|if (p->comm[4] == 0x2f \&\& p->comm[5] == 0x31)\n\t\treturn;|'
commit 7 's/5000000/6000000/'
commit 8 's/A queue for all/One queue for all/'
is "the history is there" $nr_commits "$(git rev-list --count HEAD)"

git bisect start HEAD HEAD~$((nr_commits - 1)) >"$tmp/log" 2>&1
git bisect run "$ktstr" run -q --git-bisect scenario.toml >>"$tmp/log" 2>&1
status=$?
grep -Ev '^ *[0-9|]' "$tmp/log" | sed 's/^/# /'
if grep -q 'fault of the emulating machine' "$tmp/log"; then
	echo "machine fault"
	exit 77
fi
! grep -q '^SKIP' "$tmp/log" || exit 4
is "git bisect run: exit status" 0 $status
like "the commit that starves a worker is found" "change $first_bad\$" \
	"$(git log -1 --format=%s refs/bisect/bad)"
like "git is sure of it" 'is the first bad commit' "$(cat "$tmp/log")"
is "the one that does not compile was skipped, not blamed" "change 4" \
	"$(git for-each-ref --format='%(subject)' 'refs/bisect/skip-*')"
like "the reason names the worker" 'FAIL bisect: .*worker 1' \
	"$(cat "$tmp/log")"
# the one that does not compile needs none
runs=$(find ktstr-results -maxdepth 2 -name result.json | wc -l)
[ "$runs" -ge 2 ] && [ "$runs" -le 4 ]
ok $? "two to four VMs were needed"

done_testing
