// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/watch.h"

#include <linux/kvm.h>

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

/* DR7 for breakpoint 0. Source: AMD APM volume 2, 13.1.1.4 */
#define DR7_FIXED (1 << 10)
#define DR7_GLOBAL0 (1 << 1)
#define DR7_WRITE0 (1 << 16)
#define DR7_LEN0_SHIFT 18

int watch_fill(uint64_t gva, unsigned int len, struct kvm_guest_debug *dbg)
{
	static const int8_t codes[] = { [1] = 0, [2] = 1, [4] = 3, [8] = 2,
					[3] = -1, [5] = -1, [6] = -1,
					[7] = -1 };

	*dbg = (struct kvm_guest_debug){ 0 };
	if (!len)
		return 0;
	if (len >= sizeof(codes) || codes[len] < 0 || gva % len)
		return -EINVAL;
	dbg->control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
	dbg->arch.debugreg[0] = gva;
	dbg->arch.debugreg[7] = DR7_FIXED | DR7_GLOBAL0 | DR7_WRITE0 |
		(uint64_t)codes[len] << DR7_LEN0_SHIFT;
	return 0;
}

int watch_set(int vcpu_fd, uint64_t gva, unsigned int len)
{
	struct kvm_guest_debug dbg;
	int err = watch_fill(gva, len, &dbg);

	if (!err && ioctl(vcpu_fd, KVM_SET_GUEST_DEBUG, &dbg) < 0)
		err = -errno;
	return err;
}
