// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/virtio_blk.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "vmm/blk_state.h"

_Static_assert(VM_MAX_DISK_QUEUES == VIRTIO_MAX_QUEUES, "see vmm.h");

#define FEATURE(bit) (1ULL << (bit))

/* Linux makes its segments no larger and no more than these. */
#define BLK_SIZE_MAX (1u << 20)
#define BLK_SEG_MAX (VIRTIO_QUEUE_MAX - 2) /* header and status need two */
#define BLK_DISCARD_ALIGN_SECTORS 8 /* the page of the memory file */

static const struct virtio_dev_ops blk_dev_ops;

struct virtio_blk {
	struct blk_shared sh;
	struct blk_state *state; /* owned; NULL while the worker has it */
	struct virtio_blk_config config; /* constant */
	uint64_t features;	/* offered, constant */
	struct virtio_dev_ops ops; /* constant */
};

static void fill_config(struct virtio_blk *b, const struct vm_disk_config *cfg)
{
	b->features = FEATURE(VIRTIO_F_VERSION_1) |
		      FEATURE(VIRTIO_RING_F_EVENT_IDX) |
		      FEATURE(VIRTIO_RING_F_INDIRECT_DESC) |
		      FEATURE(VIRTIO_BLK_F_SIZE_MAX) |
		      FEATURE(VIRTIO_BLK_F_SEG_MAX) |
		      FEATURE(VIRTIO_BLK_F_BLK_SIZE) |
		      FEATURE(VIRTIO_BLK_F_FLUSH);
	b->config = (struct virtio_blk_config){
		.capacity = htole64(cfg->size_bytes >> BLK_SECTOR_SHIFT),
		.size_max = htole32(BLK_SIZE_MAX),
		.seg_max = htole32(BLK_SEG_MAX),
		.blk_size = htole32(BLK_SECTOR_BYTES),
	};
	if (cfg->queues > 1) {
		b->features |= FEATURE(VIRTIO_BLK_F_MQ);
		b->config.num_queues = htole16(cfg->queues);
	}
	if (cfg->read_only) {
		b->features |= FEATURE(VIRTIO_BLK_F_RO);
		return;
	}
	b->features |= FEATURE(VIRTIO_BLK_F_DISCARD) |
		       FEATURE(VIRTIO_BLK_F_WRITE_ZEROES);
	b->config.max_discard_sectors = htole32(BLK_MAX_DISCARD_SECTORS);
	b->config.max_discard_seg = htole32(BLK_MAX_RANGES);
	b->config.discard_sector_alignment =
		htole32(BLK_DISCARD_ALIGN_SECTORS);
	b->config.max_write_zeroes_sectors = htole32(BLK_MAX_ZERO_SECTORS);
	b->config.max_write_zeroes_seg = htole32(1);
	b->config.write_zeroes_may_unmap = 1;
}

static bool config_good(const struct vm_disk_config *cfg)
{
	size_t len = cfg->name ? strlen(cfg->name) : 0;

	return len && len <= VIRTIO_BLK_ID_BYTES && cfg->size_bytes &&
	       !(cfg->size_bytes % BLK_SECTOR_BYTES) &&
	       cfg->queues <= VM_MAX_DISK_QUEUES;
}

static int shared_init(struct blk_shared *sh, const struct guest_mem *mem,
		       const struct vm_disk_config *cfg, const cpu_set_t *cpus)
{
	struct blk_placement placement = { .has_mask = cpus };

	if (cpus)
		placement.mask = *cpus;
	sh->sys = &blk_sys_host;
	atomic_init(&sh->mem, mem);
	atomic_init(&sh->irq, NULL);
	blk_limits_init(&sh->limits, &cfg->throttle);
	return blk_worker_init(&sh->worker, sh->sys, sh->sys_ctx,
			       &blk_state_client, &placement);
}

static void shared_fini(struct blk_shared *sh)
{
	blk_worker_fini(&sh->worker);
	blk_limits_fini(&sh->limits);
}

int virtio_blk_new(const struct guest_mem *mem,
		   const struct vm_disk_config *cfg, const cpu_set_t *cpus,
		   struct virtio_blk **b)
{
	struct virtio_blk *new;
	int err;

	if (!config_good(cfg))
		return -EINVAL;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	fill_config(new, cfg);
	new->ops = blk_dev_ops;
	if (cfg->queues)
		new->ops.nr_queues = cfg->queues;
	err = shared_init(&new->sh, mem, cfg, cpus);
	if (err)
		goto fini_shared;
	new->state = malloc(sizeof(*new->state));
	if (!new->state) {
		err = -ENOMEM;
		goto fini_shared;
	}
	err = blk_state_init(new->state, &new->sh, cfg);
	if (err)
		goto free_state;
	*b = new;
	return 0;

free_state:
	free(new->state);
fini_shared:
	shared_fini(&new->sh);
	free(new);
	return err;
}

/* End the worker, if there is one; the state is ours then. */
static void take_state(struct virtio_blk *b)
{
	struct blk_state *s = blk_worker_stop(&b->sh.worker);

	if (s)
		b->state = s;
}

void virtio_blk_free(struct virtio_blk *b)
{
	if (!b)
		return;
	take_state(b);
	blk_state_fini(b->state);
	free(b->state);
	shared_fini(&b->sh);
	free(b);
}

void virtio_blk_set_irq(struct virtio_blk *b, struct virtio_irq *irq)
{
	atomic_store_explicit(&b->sh.irq, irq, memory_order_release);
}

void virtio_blk_set_mem(struct virtio_blk *b, const struct guest_mem *mem)
{
	/* Release: the regions in it. Pairs with guest_mem_of(). */
	atomic_store_explicit(&b->sh.mem, mem, memory_order_release);
	blk_worker_poke(&b->sh.worker);
}

struct blk_gate *virtio_blk_gate(struct virtio_blk *b)
{
	return &b->sh.worker.gate;
}

void virtio_blk_set_throttle(struct virtio_blk *b, const struct vm_throttle *t)
{
	blk_limits_publish(&b->sh.limits, t);
	blk_worker_poke(&b->sh.worker);
}

void virtio_blk_set_faults(struct virtio_blk *b, const struct vm_disk_faults *f)
{
	blk_limits_publish_faults(&b->sh.limits, f);
	blk_worker_poke(&b->sh.worker);
}

void virtio_blk_stats_read(const struct virtio_blk *b, struct vm_disk_stats *st)
{
	blk_stats_read(&b->sh.stats, b->sh.sys->now_ns(b->sh.sys_ctx), st);
}

void virtio_blk_hist_read(const struct virtio_blk *b, enum vm_disk_hist which,
			  struct ktstr_hist *h)
{
	blk_stats_hist_read(&b->sh.stats, which, h);
}

size_t virtio_blk_trace_read(struct virtio_blk *b, struct vm_disk_io *io,
			     size_t max, uint64_t *dropped)
{
	return blk_trace_read(&b->sh.trace, io, max, dropped);
}

uint64_t virtio_blk_worker_wait_ns(const struct virtio_blk *b)
{
	return blk_worker_wait_ns(&b->sh.worker);
}

static uint64_t dev_features(void *dev)
{
	const struct virtio_blk *b = dev;

	return b->features;
}

static void dev_config_read(void *dev, uint32_t off, void *data, size_t len)
{
	const struct virtio_blk *b = dev;
	size_t n;

	memset(data, 0, len);
	if (off >= sizeof(b->config))
		return;
	n = sizeof(b->config) - off;
	memcpy(data, (const char *)&b->config + off, n < len ? n : len);
}

/* Nothing in it is writable without CONFIG_WCE. */
static void dev_config_write(void *dev, uint32_t off, const void *data,
			     size_t len)
{
}

static void refuse_ring(struct virtio_blk *b)
{
	struct virtio_irq *irq = atomic_load_explicit(&b->sh.irq,
						      memory_order_acquire);

	if (irq)
		irq->needs_reset(irq);
}

static int dev_activate(void *dev, uint64_t features,
			const struct virtio_queue_setup *queues,
			unsigned int nr)
{
	struct virtio_blk *b = dev;
	int err;

	if (!b->state)
		return -EBUSY;
	err = blk_state_activate(b->state, features, queues, nr);
	if (err == -EINVAL) {
		refuse_ring(b);
		return 0;
	}
	if (err)
		return err;
	/* The first look: a driver may have filled the ring before. */
	blk_worker_poke(&b->sh.worker);
	err = blk_worker_start(&b->sh.worker, b->state);
	if (err) {
		log_err("vblk: start the worker: %s", strerror(-err));
		return err;
	}
	b->state = NULL;
	return 0;
}

static void dev_reset(void *dev)
{
	struct virtio_blk *b = dev;

	take_state(b);
	blk_state_reset(b->state);
}

void virtio_blk_power_off(struct virtio_blk *b)
{
	take_state(b);
	blk_state_power_off(b->state);
	blk_state_reset(b->state);
}

static int dev_kick_fd(void *dev, unsigned int q)
{
	const struct virtio_blk *b = dev;

	return b->sh.worker.kick_fd;
}

static const struct virtio_dev_ops blk_dev_ops = {
	.device_id = VIRTIO_ID_BLOCK,
	.nr_queues = 1, /* or what the configuration says */
	.features = dev_features,
	.config_read = dev_config_read,
	.config_write = dev_config_write,
	.activate = dev_activate,
	.reset = dev_reset,
	.kick_fd = dev_kick_fd,
};

const struct virtio_dev_ops *virtio_blk_ops(const struct virtio_blk *b)
{
	return &b->ops;
}
