/* SPDX-License-Identifier: GPL-2.0-only */
/* Variables of every type that agent/sched_set.c can and can't set. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

enum test_color { RED = 3, GREEN = 4 };
enum signed_color { COLD = -2, WARM = 2 };
enum test_wide { NARROW = 1, WIDE = 1ULL << 40 };
struct test_pair { int a, b; };
typedef const volatile __u32 tick_t;

const volatile __u64 slice_ns = 5000000;
const volatile __s64 s64_var;
const volatile __u8 u8_var;
const volatile __s8 s8_var = -1;
const volatile bool flag;
const volatile enum test_color color = RED;
const volatile enum signed_color signed_color;
const volatile enum test_wide wide;
const volatile char tag[8] = "old text";
const volatile __s16 numbers[3] = { 1, 2, 3 };
const volatile bool flags[2];
tick_t ticks;
const volatile struct test_pair pair;
const volatile __u64 __SCX_DSQ_LOCAL;
const volatile __u64 __SCX_GIVEN = 5;
const volatile __u64 __SCX_NOT_IN_THIS_KERNEL;

__u64 bss_var;
__u32 data_var = 7;
__u32 own_section SEC(".data.own") = 9;

SEC("socket")
int prog(void *ctx)
{
	return bss_var + data_var + own_section;
}
