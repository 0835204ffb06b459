/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM's table of what each GSI means: the IOAPIC's pins, and from
 * LAYOUT_GSI_MSI on the messages of MSI-X vectors. KVM takes it whole.
 */
#ifndef KTSTR_VMM_MSI_ROUTES_H
#define KTSTR_VMM_MSI_ROUTES_H

#include <pthread.h>
#include <stdint.h>

struct kvm_irq_routing;

struct msi_routes {
	int vm_fd;		/* borrowed */
	unsigned int nr;	/* GSIs for messages */
	pthread_mutex_t lock;	/* for what @table points to; vCPU threads */
	struct kvm_irq_routing *table; /* owned */
};

/**
 * msi_routes_init() - @nr messages, none of them routed yet
 *
 * Tells KVM nothing: the table it starts with has the IOAPIC's pins.
 *
 * Return: 0 or -errno.
 */
int msi_routes_init(struct msi_routes *r, int vm_fd, unsigned int nr);
void msi_routes_fini(struct msi_routes *r);

/**
 * msi_routes_set() - an irqfd of GSI LAYOUT_GSI_MSI + @msi sends this
 *
 * Any thread. Return: 0 or -errno; what was routed before stays then.
 */
int msi_routes_set(struct msi_routes *r, unsigned int msi, uint64_t address,
		   uint32_t data);

#endif
