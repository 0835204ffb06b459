// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/msix.h"

#include <errno.h>
#include <string.h>

#include <linux/pci_regs.h>

#include "lib/log.h"

enum { ADDRESS_LOW, ADDRESS_HIGH, DATA, CONTROL };

int msix_init(struct msix *m, unsigned int nr, const struct msix_ops *ops,
	      void *ctx)
{
	unsigned int v;

	if (nr > MSIX_MAX_VECTORS)
		return -EINVAL;
	memset(m, 0, sizeof(*m));
	m->ops = ops;
	m->ctx = ctx;
	m->nr = nr;
	for (v = 0; v < nr; v++)
		m->entries[v].words[CONTROL] = PCI_MSIX_ENTRY_CTRL_MASKBIT;
	return -pthread_mutex_init(&m->lock, NULL);
}

void msix_fini(struct msix *m)
{
	pthread_mutex_destroy(&m->lock);
}

static bool is_open(const struct msix *m, unsigned int v)
{
	return (m->control & (PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL)) ==
		       PCI_MSIX_FLAGS_ENABLE &&
	       !(m->entries[v].words[CONTROL] & PCI_MSIX_ENTRY_CTRL_MASKBIT);
}

static void failed(struct msix *m, const char *what, unsigned int v, int err)
{
	if (!m->failed)
		log_err("msix: vector %u: %s: %s (logged once)", v, what,
			strerror(-err));
	m->failed = true;
}

/* Have an open vector's message be the one in the table. */
static bool route(struct msix *m, unsigned int v)
{
	struct msix_entry *e = &m->entries[v];
	const uint64_t address = (uint64_t)e->words[ADDRESS_HIGH] << 32 |
				 e->words[ADDRESS_LOW];
	int err;

	if (e->routed && e->routed_address == address &&
	    e->routed_data == e->words[DATA])
		return true;
	err = m->ops->route(m->ctx, v, address, e->words[DATA]);
	if (err) {
		failed(m, "route", v, err);
		return false;
	}
	e->routed = true;
	e->routed_address = address;
	e->routed_data = e->words[DATA];
	return true;
}

/* After any change: what is open is routed, and sent if it waited. */
static void settle(struct msix *m, unsigned int v)
{
	const uint64_t bit = 1ULL << v;
	int err;

	if (!is_open(m, v) || !route(m, v) || !(m->pending & bit))
		return;
	m->pending &= ~bit;
	err = m->ops->fire(m->ctx, v);
	if (err)
		failed(m, "fire", v, err);
}

void msix_set_control(struct msix *m, uint16_t control)
{
	unsigned int v;

	pthread_mutex_lock(&m->lock);
	m->control = control;
	if (!(control & PCI_MSIX_FLAGS_ENABLE))
		m->pending = 0;
	for (v = 0; v < m->nr; v++)
		settle(m, v);
	pthread_mutex_unlock(&m->lock);
}

/* Source: PCI Local Bus 3.0, 6.8.2: aligned words, or two of them. */
static bool access_good(uint64_t off, uint32_t len, uint64_t bytes)
{
	return (len == 4 || len == 8) && off < bytes && !(off % len);
}

bool msix_table_read(struct msix *m, uint64_t off, void *data, uint32_t len)
{
	memset(data, 0, len);
	if (!access_good(off, len, m->nr * MSIX_ENTRY_BYTES))
		return false;
	pthread_mutex_lock(&m->lock);
	memcpy(data, &m->entries[off / MSIX_ENTRY_BYTES].words[off / 4 % 4],
	       len);
	pthread_mutex_unlock(&m->lock);
	return true;
}

bool msix_table_write(struct msix *m, uint64_t off, const void *data,
		      uint32_t len)
{
	const unsigned int v = off / MSIX_ENTRY_BYTES;

	if (!access_good(off, len, m->nr * MSIX_ENTRY_BYTES))
		return false;
	pthread_mutex_lock(&m->lock);
	memcpy(&m->entries[v].words[off / 4 % 4], data, len);
	m->entries[v].words[CONTROL] &= PCI_MSIX_ENTRY_CTRL_MASKBIT;
	settle(m, v);
	pthread_mutex_unlock(&m->lock);
	return true;
}

bool msix_pba_read(struct msix *m, uint64_t off, void *data, uint32_t len)
{
	memset(data, 0, len);
	if (!access_good(off, len, MSIX_PBA_BYTES))
		return false;
	pthread_mutex_lock(&m->lock);
	memcpy(data, (const char *)&m->pending + off, len);
	pthread_mutex_unlock(&m->lock);
	return true;
}

void msix_fire(struct msix *m, unsigned int v)
{
	pthread_mutex_lock(&m->lock);
	if (v < m->nr && m->control & PCI_MSIX_FLAGS_ENABLE) {
		m->pending |= 1ULL << v;
		settle(m, v);
	}
	pthread_mutex_unlock(&m->lock);
}
