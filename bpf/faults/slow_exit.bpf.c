/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * simple.bpf.c, but a while after it is attached it leaves, and takes its time:
 * each task that it is asked to let go costs it @strength milliseconds of CPU.
 * Until the last is gone the kernel has it bypassed, at a priority above all of
 * its tasks. Caught by the gap of whoever shares that CPU.
 */
#include "bpf/vtime.h"

#define NSEC_PER_MSEC 1000000ull
#define STEPS_MAX (1 << 23)	/* the most that bpf_loop() takes */
#define READS_A_STEP 8		/* of the clock: it may be a fast one */

char _license[] SEC("license") = "GPL";

const volatile u64 exit_after_ns = 1000000000;
const volatile u32 strength = 20; /* 0: as fast as simple, which never leaves */

/* As a string that is not const: the kernel's type asks for that. */
static char why[] SEC(".data.why") = "enough";

u64 attached_ns;
u64 nr_let_go;
u32 leaving;

struct burn {
	u64 until_ns;
};

static long burn_step(u64 nr, void *ctx)
{
	const struct burn *b = ctx;
	int i;

	for (i = 0; i < READS_A_STEP; i++) {
		if (!ktstr_before(bpf_ktime_get_ns(), b->until_ns))
			return 1;
	}
	return 0;
}

static bool is_time(void)
{
	return strength && attached_ns &&
	       bpf_ktime_get_ns() - attached_ns >= exit_after_ns;
}

s32 SCX_OP(slow_exit_select_cpu, struct task_struct *p, s32 prev_cpu,
	   u64 wake_flags)
{
	return vtime_select_cpu(p, prev_cpu, wake_flags);
}

void SCX_OP(slow_exit_enqueue, struct task_struct *p, u64 enq_flags)
{
	unsigned long long no_args = 0;

	if (!leaving && is_time()) {
		leaving = 1;
		scx_bpf_exit_bstr(0, why, &no_args, 0);
	}
	vtime_enqueue(p, enq_flags);
}

void SCX_OP(slow_exit_dispatch, s32 cpu, struct task_struct *prev)
{
	vtime_dispatch(prev);
}

/* The kernel holds the lock of the task's run queue meanwhile. */
void SCX_OP(slow_exit_exit_task, struct task_struct *p,
	    struct scx_exit_task_args *args)
{
	struct burn b = {
		.until_ns = bpf_ktime_get_ns() + strength * NSEC_PER_MSEC,
	};

	/* one that ends by itself is let go as well */
	if (!leaving)
		return;
	bpf_loop(STEPS_MAX, burn_step, &b, 0);
	__sync_fetch_and_add(&nr_let_go, 1);
}

s32 SCX_OP_SLEEPABLE(slow_exit_init)
{
	attached_ns = bpf_ktime_get_ns();
	return scx_bpf_create_dsq(VTIME_DSQ, -1);
}

SEC(".struct_ops.link")
struct sched_ext_ops slow_exit_ops = {
	.select_cpu = (void *)slow_exit_select_cpu,
	.enqueue = (void *)slow_exit_enqueue,
	.dispatch = (void *)slow_exit_dispatch,
	.running = (void *)vtime_running,
	.stopping = (void *)vtime_stopping,
	.exit_task = (void *)slow_exit_exit_task,
	.enable = (void *)vtime_enable,
	.init = (void *)slow_exit_init,
	.exit = (void *)vtime_exit,
	.name = "slow_exit",
};
