// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/virtio_console.h"

#include "lib/log.h"
#include "vmm/virtqueue.h"

#include <linux/virtio_config.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * Port 0 comes first in the layout of the queues (virtio 1.4, 5.3.2). It is
 * never announced, because hosts keep that id for the system console; the
 * agent's port is number 1.
 */
#define PORT_ID 1u
#define MAX_PORTS 2

enum {
	Q_PORT0_IN, Q_PORT0_OUT,	/* _IN: the guest receives */
	Q_CONTROL_IN, Q_CONTROL_OUT,
	Q_PORT_IN, Q_PORT_OUT,
	NR_QUEUES
};

#define FEATURES (1ULL << VIRTIO_F_VERSION_1 |                              \
		  1ULL << VIRTIO_RING_F_EVENT_IDX |                         \
		  1ULL << VIRTIO_RING_F_INDIRECT_DESC |                     \
		  1ULL << VIRTIO_CONSOLE_F_MULTIPORT)

/* The longest chain from the guest; Linux's are up to 1 MiB, by splice. */
#define CHAIN_MAX (1u << 20)
/* Looks at one queue, and bytes from the guest, in one call of serve. */
#define LOOKS_MAX (2 * VIRTIO_QUEUE_MAX)
#define SERVE_BYTES_MAX (16u << 20)
/* Messages to the guest that can wait: each is sent once per activation. */
#define CONTROL_MAX 3

enum counter {
	RX_BYTES, TX_BYTES, RX_DROPPED, TX_DROPPED,
	BAD_CHAINS, BAD_CONTROL, DROPPED_CONTROL, BROKEN,
	NR_COUNTERS
};

static const char *const counter_names[NR_COUNTERS] = {
	[RX_DROPPED] = "dropped what the guest wrote to a closed port",
	[TX_DROPPED] = "dropped what the guest did not read before it closed",
	[BAD_CHAINS] = "malformed or empty chain",
	[BAD_CONTROL] = "bad control message",
	[DROPPED_CONTROL] = "no room in the guest's buffer for a message",
	[BROKEN] = "broken ring, needs a reset",
};

struct control {
	struct virtio_console_control hdr;
	bool with_name;		/* the port's name follows */
};

struct virtio_console {
	const struct guest_mem *mem;	/* borrowed, as are the next three */
	const struct virtio_console_ops *ops;
	void *ctx;
	struct virtio_irq *irq;
	char name[VIRTIO_CONSOLE_NAME_MAX + 1];
	int kick_fd;		/* of all queues, and our own reminder */

	_Atomic uint64_t counters[NR_COUNTERS];	/* any thread */

	/* all below: under the lock */
	pthread_mutex_t lock;
	bool live[NR_QUEUES];	/* false for all: not active, or broken */
	struct virtqueue vqs[NR_QUEUES];
	bool device_ready, port_ready, open;
	bool close_due;		/* a reset closed it; serve has to tell */
	struct control control[CONTROL_MAX];
	unsigned int nr_control;
	uint8_t *pending;	/* ring of PENDING_MAX bytes for the guest */
	size_t pending_at, pending_len;
	uint8_t *scratch;	/* CHAIN_MAX bytes from the guest */
	struct vq_chain chain;	/* not kept over an unlock */
};

/* What one call may still do. */
struct budget {
	unsigned int looks[NR_QUEUES];
	size_t bytes;
};

static void budget_init(struct budget *b)
{
	unsigned int q;

	for (q = 0; q < NR_QUEUES; q++)
		b->looks[q] = LOOKS_MAX;
	b->bytes = SERVE_BYTES_MAX;
}

static void count(struct virtio_console *c, enum counter n, uint64_t by)
{
	if (!by)
		return;
	if (!atomic_fetch_add_explicit(&c->counters[n], by,
				       memory_order_relaxed) &&
	    counter_names[n])
		log_warn("virtio-console: %s: %s (logged once)", c->name,
			 counter_names[n]);
}

static void poke(struct virtio_console *c)
{
	const uint64_t one = 1;

	/* EAGAIN: the counter is full, so the fd is readable as it is */
	if (write(c->kick_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_err("virtio-console: %s: eventfd write: %s", c->name,
			strerror(errno));
}

/* The driver lied about a ring: touch nothing until it resets us. */
static void fail(struct virtio_console *c)
{
	memset(c->live, 0, sizeof(c->live));
	count(c, BROKEN, 1);
	c->irq->needs_reset(c->irq);
}

static void interrupt(struct virtio_console *c, unsigned int q)
{
	if (c->live[q] && vq_should_interrupt(&c->vqs[q]))
		c->irq->used(c->irq, q);
}

/* Give the chain that was looked at last back, with @len bytes written. */
static void retire(struct virtio_console *c, unsigned int q, uint32_t len)
{
	vq_consume(&c->vqs[q]);
	vq_push(&c->vqs[q], c->chain.head, len);
}

/* Is the chain one that its queue is for? */
static bool chain_fits(const struct vq_chain *chain, unsigned int q)
{
	if (q == Q_CONTROL_IN || q == Q_PORT_IN)
		return chain->in_bytes;
	return chain->out_bytes && chain->out_bytes <= CHAIN_MAX;
}

/*
 * Look at the next chain of a queue, unconsumed; what can't be used is given
 * back. Counts its looks, because a driver can make us look for ever.
 *
 * Return: true and c->chain; false: none, kicks are on; or none for now, and
 * b->looks[q] is 0.
 */
static bool next_chain(struct virtio_console *c, unsigned int q,
		       struct budget *b)
{
	struct virtqueue *vq = &c->vqs[q];
	int ret;

	while (c->live[q] && b->looks[q]) {
		b->looks[q]--;
		ret = vq_peek(vq, &c->chain);
		if (ret == 1 && chain_fits(&c->chain, q))
			return true;
		if (!ret && !vq_enable_kicks(vq))
			return false;
		if (ret == -EPROTO) {
			fail(c);
		} else if (ret) {
			count(c, BAD_CHAINS, 1);
			retire(c, q, 0);
		}
	}
	return false;
}

static bool has_work(const struct virtio_console *c, unsigned int q)
{
	return c->live[q] && vq_has_work(&c->vqs[q]);
}

/* Copy the first @len bytes of the readable part; it has as many. */
static void chain_read(const struct vq_chain *chain, void *buf, size_t len)
{
	const struct iovec *v = chain->out;
	size_t n;

	for (; len; v++, len -= n, buf = (char *)buf + n) {
		n = v->iov_len < len ? v->iov_len : len;
		memcpy(buf, v->iov_base, n);
	}
}

/* Write to the writable part from byte @off on; it has room. */
static void chain_write(const struct vq_chain *chain, size_t off,
			const void *buf, size_t len)
{
	const struct iovec *v = chain->in;
	size_t n;

	for (; off >= v->iov_len && len; v++)
		off -= v->iov_len;
	for (; len; v++, off = 0, len -= n, buf = (const char *)buf + n) {
		n = v->iov_len - off < len ? v->iov_len - off : len;
		memcpy((char *)v->iov_base + off, buf, n);
	}
}

/* Bytes from the guest */

/* Return: how many bytes went from the port's queue to the scratch buffer. */
static size_t port_collect(struct virtio_console *c, struct budget *b)
{
	size_t len = 0;

	if (c->live[Q_PORT_OUT])
		vq_suppress_kicks(&c->vqs[Q_PORT_OUT]);
	while (b->bytes && next_chain(c, Q_PORT_OUT, b)) {
		const size_t n = c->chain.out_bytes;

		if (n > CHAIN_MAX - len)
			break;
		chain_read(&c->chain, c->scratch + len, n);
		retire(c, Q_PORT_OUT, 0);
		len += n;
		b->bytes -= n < b->bytes ? n : b->bytes;
	}
	interrupt(c, Q_PORT_OUT);
	return len;
}

/* Drops the lock for the callback. */
static void port_drain(struct virtio_console *c, struct budget *b)
{
	size_t len;

	while ((len = port_collect(c, b))) {
		if (!c->open) {
			count(c, RX_DROPPED, len);
			continue;
		}
		count(c, RX_BYTES, len);
		if (!c->ops->data)
			continue;
		pthread_mutex_unlock(&c->lock);
		c->ops->data(c->ctx, c->scratch, len);
		pthread_mutex_lock(&c->lock);
	}
}

/* Bytes to the guest */

static void pending_drop(struct virtio_console *c)
{
	count(c, TX_DROPPED, c->pending_len);
	c->pending_at = 0;
	c->pending_len = 0;
}

/* Move the oldest @len bytes to the chain: at most two pieces of the ring. */
static void pending_take(struct virtio_console *c, size_t len)
{
	const size_t to_end = VIRTIO_CONSOLE_PENDING_MAX - c->pending_at;
	const size_t first = len < to_end ? len : to_end;

	chain_write(&c->chain, 0, c->pending + c->pending_at, first);
	chain_write(&c->chain, first, c->pending, len - first);
	c->pending_at = (c->pending_at + len) % VIRTIO_CONSOLE_PENDING_MAX;
	c->pending_len -= len;
	count(c, TX_BYTES, len);
}

static void pending_put(struct virtio_console *c, const void *data, size_t len)
{
	const size_t at = (c->pending_at + c->pending_len) %
			  VIRTIO_CONSOLE_PENDING_MAX;
	const size_t to_end = VIRTIO_CONSOLE_PENDING_MAX - at;
	const size_t first = len < to_end ? len : to_end;

	memcpy(c->pending + at, data, first);
	memcpy(c->pending, (const char *)data + first, len - first);
	c->pending_len += len;
}

/* Linux throws away what comes while nobody has the port open: so wait. */
static void port_flush(struct virtio_console *c, struct budget *b)
{
	while (c->open && c->pending_len && next_chain(c, Q_PORT_IN, b)) {
		const size_t n = c->chain.in_bytes < c->pending_len ?
				 c->chain.in_bytes : c->pending_len;

		pending_take(c, n);
		retire(c, Q_PORT_IN, n);
	}
	if (c->live[Q_PORT_IN] && !c->pending_len)
		vq_suppress_kicks(&c->vqs[Q_PORT_IN]);
	interrupt(c, Q_PORT_IN);
}

/* Control messages */

static void control_queue(struct virtio_console *c, uint16_t event,
			  bool with_name)
{
	assert(c->nr_control < CONTROL_MAX);
	c->control[c->nr_control++] = (struct control){
		.hdr = { .id = PORT_ID, .event = event, .value = 1 },
		.with_name = with_name,
	};
}

static void control_send(struct virtio_console *c, const struct control *msg)
{
	const size_t name_len = msg->with_name ? strlen(c->name) : 0;
	const size_t len = sizeof(msg->hdr) + name_len;

	if (c->chain.in_bytes < len) {
		count(c, DROPPED_CONTROL, 1);
		retire(c, Q_CONTROL_IN, 0);
		return;
	}
	chain_write(&c->chain, 0, &msg->hdr, sizeof(msg->hdr));
	chain_write(&c->chain, sizeof(msg->hdr), c->name, name_len);
	retire(c, Q_CONTROL_IN, len);
}

static void control_flush(struct virtio_console *c, struct budget *b)
{
	while (c->nr_control && next_chain(c, Q_CONTROL_IN, b)) {
		control_send(c, &c->control[0]);
		c->nr_control--;
		memmove(c->control, c->control + 1,
			c->nr_control * sizeof(c->control[0]));
	}
	if (c->live[Q_CONTROL_IN] && !c->nr_control)
		vq_suppress_kicks(&c->vqs[Q_CONTROL_IN]);
	interrupt(c, Q_CONTROL_IN);
}

/* Drops the lock for the callback. */
static void tell_open(struct virtio_console *c, bool open)
{
	if (!c->ops->open)
		return;
	pthread_mutex_unlock(&c->lock);
	c->ops->open(c->ctx, open);
	pthread_mutex_lock(&c->lock);
}

/* A reset closed the port on another thread. Drops the lock. */
static void settle_close(struct virtio_console *c)
{
	c->close_due = false;
	tell_open(c, false);
}

/* Each takes a message; false: it is none that may come now. */

static bool on_device_ready(struct virtio_console *c,
			    const struct virtio_console_control *msg)
{
	if (c->device_ready || msg->value != 1)
		return false;
	c->device_ready = true;
	control_queue(c, VIRTIO_CONSOLE_PORT_ADD, false);
	return true;
}

static bool on_port_ready(struct virtio_console *c,
			  const struct virtio_console_control *msg)
{
	if (!c->device_ready || c->port_ready || msg->id != PORT_ID ||
	    msg->value != 1)
		return false;
	c->port_ready = true;
	control_queue(c, VIRTIO_CONSOLE_PORT_NAME, true);
	control_queue(c, VIRTIO_CONSOLE_PORT_OPEN, false);
	return true;
}

/* May come before PORT_READY: Linux makes the port's node first. */
static bool on_port_open(struct virtio_console *c,
			 const struct virtio_console_control *msg)
{
	if (!c->device_ready || msg->id != PORT_ID || msg->value > 1 ||
	    c->open == msg->value)
		return false;
	c->open = msg->value;
	if (!c->open)
		pending_drop(c);
	tell_open(c, msg->value);
	return true;
}

static bool (*const control_events[])(struct virtio_console *c,
		const struct virtio_console_control *msg) = {
	[VIRTIO_CONSOLE_DEVICE_READY] = on_device_ready,
	[VIRTIO_CONSOLE_PORT_READY] = on_port_ready,
	[VIRTIO_CONSOLE_PORT_OPEN] = on_port_open,
}; /* no entry: the device sends it, or nobody does */

#define NR_EVENTS (sizeof(control_events) / sizeof(control_events[0]))

static void control_handle(struct virtio_console *c,
			   const struct virtio_console_control *msg)
{
	if (msg->event >= NR_EVENTS || !control_events[msg->event] ||
	    !control_events[msg->event](c, msg))
		count(c, BAD_CONTROL, 1);
}

/*
 * What was written before a close comes to the owner before the close, and
 * that a reset closed the port before it hears that the port is open again.
 * Who drops the lock has to look at the chain again: it may be another.
 */
static void control_drain(struct virtio_console *c, struct budget *b)
{
	struct virtio_console_control msg;

	while (next_chain(c, Q_CONTROL_OUT, b)) {
		if (c->close_due) {
			settle_close(c);
			continue;
		}
		if (c->chain.out_bytes < sizeof(msg)) {
			count(c, BAD_CONTROL, 1);
			retire(c, Q_CONTROL_OUT, 0);
			continue;
		}
		chain_read(&c->chain, &msg, sizeof(msg));
		if (msg.event == VIRTIO_CONSOLE_PORT_OPEN && !msg.value &&
		    has_work(c, Q_PORT_OUT)) {
			port_drain(c, b);
			if (has_work(c, Q_PORT_OUT))
				break; /* budget spent: the close waits */
			continue;
		}
		retire(c, Q_CONTROL_OUT, 0);
		interrupt(c, Q_CONTROL_OUT);
		control_handle(c, &msg);
	}
	interrupt(c, Q_CONTROL_OUT);
}

/* Nobody announced port 0: give back what comes there. */
static void port0_drain(struct virtio_console *c, struct budget *b)
{
	while (next_chain(c, Q_PORT0_OUT, b)) {
		count(c, BAD_CHAINS, 1);
		retire(c, Q_PORT0_OUT, 0);
	}
	interrupt(c, Q_PORT0_OUT);
}

static bool budget_spent(const struct budget *b)
{
	unsigned int q;

	for (q = 0; q < NR_QUEUES; q++) {
		if (!b->looks[q])
			return true;
	}
	return !b->bytes;
}

void virtio_console_serve(struct virtio_console *c)
{
	struct budget b;
	uint64_t kicks;

	budget_init(&b);
	/* before the look at the rings, so that a later kick counts anew */
	if (read(c->kick_fd, &kicks, sizeof(kicks)) < 0 && errno != EAGAIN)
		log_err("virtio-console: %s: eventfd read: %s", c->name,
			strerror(errno));
	pthread_mutex_lock(&c->lock);
	if (c->close_due)
		settle_close(c);
	port_drain(c, &b);
	control_drain(c, &b);
	control_flush(c, &b);
	port_flush(c, &b);
	port0_drain(c, &b);
	if (budget_spent(&b))
		poke(c);
	pthread_mutex_unlock(&c->lock);
}

int virtio_console_send(struct virtio_console *c, const void *data, size_t len)
{
	struct budget b;
	int err = 0;

	budget_init(&b);
	pthread_mutex_lock(&c->lock);
	if (len > VIRTIO_CONSOLE_PENDING_MAX - c->pending_len) {
		err = -ENOBUFS;
	} else {
		pending_put(c, data, len);
		port_flush(c, &b);
		if (budget_spent(&b))
			poke(c);
	}
	pthread_mutex_unlock(&c->lock);
	return err;
}

/* The transport's side */

static uint64_t dev_features(void *dev)
{
	return FEATURES;
}

static void dev_config_read(void *dev, uint32_t off, void *data, size_t len)
{
	const struct virtio_console_config config = {
		.max_nr_ports = MAX_PORTS,
	};
	const size_t room = off < sizeof(config) ? sizeof(config) - off : 0;
	const size_t n = len < room ? len : room;

	memset(data, 0, len);
	if (n)
		memcpy(data, (const char *)&config + off, n);
}

static void dev_config_write(void *dev, uint32_t off, const void *data,
			     size_t len)
{
	/* only emerg_wr is writable, and that feature is not offered */
}

static int dev_activate(void *dev, uint64_t features,
			const struct virtio_queue_setup *queues,
			unsigned int nr)
{
	struct virtio_console *c = dev;
	unsigned int q;

	pthread_mutex_lock(&c->lock);
	for (q = 0; q < nr && q < NR_QUEUES; q++) {
		/* C1: a queue that is not ready is not looked at */
		if (!queues[q].ready)
			continue;
		if (vq_init(&c->vqs[q], c->mem, &queues[q], features)) {
			fail(c);
			break;
		}
		c->live[q] = true;
	}
	pthread_mutex_unlock(&c->lock);
	poke(c); /* kicks from before may be lost, and they are still off */
	return 0;
}

static void dev_reset(void *dev)
{
	struct virtio_console *c = dev;

	pthread_mutex_lock(&c->lock);
	memset(c->live, 0, sizeof(c->live));
	c->device_ready = false;
	c->port_ready = false;
	c->nr_control = 0;
	if (c->open) {
		c->open = false;
		c->close_due = true;
		pending_drop(c);
		poke(c);
	}
	pthread_mutex_unlock(&c->lock);
}

static int dev_kick_fd(void *dev, unsigned int q)
{
	return ((struct virtio_console *)dev)->kick_fd;
}

const struct virtio_dev_ops virtio_console_dev_ops = {
	.device_id = VIRTIO_ID_CONSOLE,
	.nr_queues = NR_QUEUES,
	.features = dev_features,
	.config_read = dev_config_read,
	.config_write = dev_config_write,
	.activate = dev_activate,
	.reset = dev_reset,
	.kick_fd = dev_kick_fd,
};

int virtio_console_new(const struct guest_mem *mem, const char *name,
		       const struct virtio_console_ops *ops, void *ctx,
		       struct virtio_console **res)
{
	struct virtio_console *c;
	int err = -ENOMEM;

	if (!*name || strlen(name) > VIRTIO_CONSOLE_NAME_MAX)
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->mem = mem;
	c->ops = ops;
	c->ctx = ctx;
	strcpy(c->name, name);
	c->pending = malloc(VIRTIO_CONSOLE_PENDING_MAX);
	c->scratch = malloc(CHAIN_MAX);
	if (!c->pending || !c->scratch)
		goto free_buffers;
	c->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->kick_fd < 0) {
		err = -errno;
		goto free_buffers;
	}
	err = -pthread_mutex_init(&c->lock, NULL);
	if (err)
		goto close_kick;
	*res = c;
	return 0;

close_kick:
	close(c->kick_fd);
free_buffers:
	free(c->pending);
	free(c->scratch);
	free(c);
	return err;
}

void virtio_console_free(struct virtio_console *c)
{
	if (!c)
		return;
	pthread_mutex_destroy(&c->lock);
	close(c->kick_fd);
	free(c->pending);
	free(c->scratch);
	free(c);
}

void virtio_console_set_irq(struct virtio_console *c, struct virtio_irq *irq)
{
	c->irq = irq;
}

int virtio_console_poll_fd(struct virtio_console *c)
{
	return c->kick_fd;
}

static uint64_t counter(const struct virtio_console *c, enum counter n)
{
	return atomic_load_explicit(&c->counters[n], memory_order_relaxed);
}

void virtio_console_stats_read(const struct virtio_console *c,
			       struct virtio_console_stats *st)
{
	*st = (struct virtio_console_stats){
		.rx_bytes = counter(c, RX_BYTES),
		.tx_bytes = counter(c, TX_BYTES),
		.rx_dropped = counter(c, RX_DROPPED),
		.tx_dropped = counter(c, TX_DROPPED),
		.bad_chains = counter(c, BAD_CHAINS),
		.bad_control = counter(c, BAD_CONTROL),
		.dropped_control = counter(c, DROPPED_CONTROL),
		.broken = counter(c, BROKEN),
	};
}
