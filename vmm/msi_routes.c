// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/msi_routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include "vmm/layout.h"

int msi_routes_init(struct msi_routes *r, int vm_fd, unsigned int nr)
{
	struct kvm_irq_routing *t;
	unsigned int pin;
	int err;

	t = calloc(1, sizeof(*t) + (LAYOUT_GSIS + nr) * sizeof(t->entries[0]));
	if (!t)
		return -ENOMEM;
	for (pin = 0; pin < LAYOUT_GSIS; pin++)
		t->entries[t->nr++] = (struct kvm_irq_routing_entry){
			.gsi = pin,
			.type = KVM_IRQ_ROUTING_IRQCHIP,
			.u.irqchip = { KVM_IRQCHIP_IOAPIC, pin },
		};
	err = -pthread_mutex_init(&r->lock, NULL);
	if (err) {
		free(t);
		return err;
	}
	r->vm_fd = vm_fd;
	r->nr = nr;
	r->table = t;
	return 0;
}

void msi_routes_fini(struct msi_routes *r)
{
	if (!r->table)
		return;
	pthread_mutex_destroy(&r->lock);
	free(r->table);
	r->table = NULL;
}

/* The entry of @gsi, or the first free one. */
static struct kvm_irq_routing_entry *entry_of(struct kvm_irq_routing *t,
					      uint32_t gsi)
{
	unsigned int i;

	for (i = LAYOUT_GSIS; i < t->nr; i++)
		if (t->entries[i].gsi == gsi)
			break;
	return &t->entries[i];
}

int msi_routes_set(struct msi_routes *r, unsigned int msi, uint64_t address,
		   uint32_t data)
{
	const struct kvm_irq_routing_entry new = {
		.gsi = LAYOUT_GSI_MSI + msi,
		.type = KVM_IRQ_ROUTING_MSI,
		.u.msi = {
			.address_lo = address,
			.address_hi = address >> 32,
			.data = data,
		},
	};
	struct kvm_irq_routing_entry *e, old;
	uint32_t nr;
	int err = 0;

	if (msi >= r->nr)
		return -EINVAL;
	pthread_mutex_lock(&r->lock);
	e = entry_of(r->table, new.gsi);
	nr = r->table->nr;
	old = *e;
	*e = new;
	if (e == &r->table->entries[nr])
		r->table->nr++;
	if (ioctl(r->vm_fd, KVM_SET_GSI_ROUTING, r->table) < 0) {
		err = -errno;
		*e = old;
		r->table->nr = nr;
	}
	pthread_mutex_unlock(&r->lock);
	return err;
}
