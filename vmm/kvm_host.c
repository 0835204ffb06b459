// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/kvm_host.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/layout.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	int cap;
	const char *name;
} needed_caps[] = {
	{ KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY" },
	{ KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR" },
	{ KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID" },
	{ KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP (kernel option KVM_IOAPIC)" },
	{ KVM_CAP_IRQFD, "KVM_CAP_IRQFD" },
	{ KVM_CAP_IRQ_ROUTING, "KVM_CAP_IRQ_ROUTING" },
	{ KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD" },
	{ KVM_CAP_IOEVENTFD_ANY_LENGTH, "KVM_CAP_IOEVENTFD_ANY_LENGTH" },
	{ KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT" },
	{ KVM_CAP_TSC_DEADLINE_TIMER, "KVM_CAP_TSC_DEADLINE_TIMER" },
};

const char *kvm_host_missing_cap(int fd)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(needed_caps); i++)
		if (ioctl(fd, KVM_CHECK_EXTENSION, needed_caps[i].cap) <= 0)
			return needed_caps[i].name;
	return NULL;
}

/* Several errors, two answers: the message keeps which it was. */
static int open_failed(int err)
{
	switch (err) {
	case -EACCES:
	case -EPERM:
		return -EACCES;
	case -ENOENT:
	case -ENXIO:
		return -ENODEV;
	default:
		return err;
	}
}

int kvm_host_open(const char *path, int *fd, const struct errmsg *e)
{
	const char *missing;
	int kvm, version;

	kvm = open(path, O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		return open_failed(errmsg_errno(e, -errno, "open %s", path));
	version = ioctl(kvm, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION) {
		close(kvm);
		return errmsg_set(e, -ENODEV, "%s speaks version %d, not %d",
				  path, version, KVM_API_VERSION);
	}
	missing = kvm_host_missing_cap(kvm);
	if (missing) {
		close(kvm);
		return errmsg_set(e, -ENODEV, "%s lacks %s", path, missing);
	}
	*fd = kvm;
	return 0;
}

int kvm_host_cpuid(int fd, struct cpuid_table *t)
{
	t->head = (struct kvm_cpuid2){ .nent = CPUID_MAX_ENTRIES };
	return ioctl(fd, KVM_GET_SUPPORTED_CPUID, &t->head) < 0 ? -errno : 0;
}

static int regions_set(int vm_fd, const struct guest_mem *mem)
{
	unsigned int i;

	for (i = 0; i < mem->nr; i++) {
		struct kvm_userspace_memory_region r = {
			.slot = i,
			.guest_phys_addr = mem->regions[i].gpa,
			.memory_size = mem->regions[i].len_bytes,
			.userspace_addr = (uintptr_t)mem->regions[i].hva,
		};

		if (ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &r) < 0)
			return -errno;
	}
	return 0;
}

/* The guest's counters would be the host's: not offered in CPUID, so off. */
static void pmu_disable(int kvm_fd, int vm_fd)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_PMU_CAPABILITY,
		.args = { KVM_PMU_CAP_DISABLE },
	};

	if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, cap.cap) > 0)
		(void)ioctl(vm_fd, KVM_ENABLE_CAP, &cap);
}

int kvm_host_create_vm(int kvm_fd, const struct guest_mem *mem, bool irqchip,
		       int *vm_fd, const struct errmsg *e)
{
	uint64_t identity = LAYOUT_IDENTITY_MAP;
	int fd, err;

	do {
		fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
	} while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return errmsg_errno(e, -errno, "KVM_CREATE_VM");
	if (ioctl(fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0) {
		err = errmsg_errno(e, -errno, "KVM_SET_IDENTITY_MAP_ADDR");
		goto close_vm;
	}
	if (ioctl(fd, KVM_SET_TSS_ADDR, LAYOUT_TSS) < 0) {
		err = errmsg_errno(e, -errno, "KVM_SET_TSS_ADDR");
		goto close_vm;
	}
	pmu_disable(kvm_fd, fd);
	if (irqchip && ioctl(fd, KVM_CREATE_IRQCHIP, 0) < 0) {
		err = errmsg_errno(e, -errno, "KVM_CREATE_IRQCHIP");
		goto close_vm;
	}
	err = regions_set(fd, mem);
	if (err) {
		errmsg_errno(e, err, "KVM_SET_USER_MEMORY_REGION");
		goto close_vm;
	}
	*vm_fd = fd;
	return 0;

close_vm:
	close(fd);
	return err;
}
