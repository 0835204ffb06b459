// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings and chains: the input is a queue's set-up and then words that a guest
 * writes into its rings, with a look by the device now and then.
 */
#include "vmm/fuzz/fuzz.h"

#include "vmm/virtqueue.h"

#include <linux/virtio_ring.h>

#include <errno.h>

#define RAM 8192u
#define SIZE 8u

static _Alignas(4096) uint8_t ram[2][RAM]; /* with a hole between */

static const struct guest_mem mem = {
	.regions = {
		{ .gpa = 0, .len_bytes = RAM, .hva = ram[0] },
		{ .gpa = 2 * RAM, .len_bytes = RAM, .hva = ram[1] },
	},
	.nr = 2,
};

static void check_iovecs(const struct iovec *v, unsigned int nr, uint64_t sum)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		const uintptr_t at = (uintptr_t)v[i].iov_base;
		const uintptr_t first = (uintptr_t)ram[0];
		const uintptr_t second = (uintptr_t)ram[1];

		must(v[i].iov_len);
		must((at >= first && v[i].iov_len <= RAM &&
		      at - first <= RAM - v[i].iov_len) ||
		     (at >= second && v[i].iov_len <= RAM &&
		      at - second <= RAM - v[i].iov_len));
		sum -= v[i].iov_len;
	}
	must(!sum);
}

/* Take at most a queue size of chains, as a device does. */
static void look(struct virtqueue *vq)
{
	static struct vq_chain chain;
	unsigned int i;

	for (i = 0; i < SIZE; i++) {
		int ret = vq_peek(vq, &chain);

		must(ret == 1 || ret == 0 || ret == -EBADMSG ||
		     ret == -EPROTO);
		must(vq->broken == (ret == -EPROTO));
		if (ret == 0 || ret == -EPROTO)
			break;
		must(chain.head < vq->size);
		if (ret == 1) {
			must(chain.nr_out + chain.nr_in <= vq->size);
			check_iovecs(chain.out, chain.nr_out, chain.out_bytes);
			check_iovecs(chain.in, chain.nr_in, chain.in_bytes);
		}
		vq_consume(vq);
		vq_push(vq, chain.head, ret == 1 ? chain.in_bytes : 0);
	}
	vq_should_interrupt(vq);
	vq_enable_kicks(vq);
}

void fuzz_chain(const uint8_t *data, size_t len)
{
	struct fuzz_in in = { data, len };
	struct virtio_queue_setup setup = {
		.size = 1u << (fuzz_take(&in, 1) % 4),
		.desc_gpa = 0,
		.avail_gpa = 1024,
		.used_gpa = 2048,
	};
	struct virtqueue vq;
	uint64_t features;

	memset(ram, 0, sizeof(ram));
	features = fuzz_take(&in, 1) << 24;
	if (fuzz_take(&in, 1) == 0xff) {
		setup.size = fuzz_take(&in, 2);
		setup.desc_gpa = fuzz_take(&in, 8);
		setup.avail_gpa = fuzz_take(&in, 8);
		setup.used_gpa = fuzz_take(&in, 8);
	}
	if (vq_init(&vq, &mem, &setup, features))
		return;
	while (in.len) {
		const uint8_t op = fuzz_take(&in, 1);
		struct vring_desc desc;
		uint32_t at;

		switch (op % 4) {
		case 0:
			look(&vq);
			break;
		case 1: /* a descriptor, in the table or an indirect one */
			at = fuzz_take(&in, 1) * 16u + op / 4 % 4;
			desc.addr = fuzz_take(&in, 2);
			desc.len = fuzz_take(&in, 2);
			desc.flags = fuzz_take(&in, 1);
			desc.next = fuzz_take(&in, 1);
			if (op & 128)
				desc.addr = (int64_t)(int16_t)desc.addr;
			if (op & 64)
				desc.len <<= 16;
			memcpy(ram[0] + at, &desc, sizeof(desc));
			break;
		case 2: /* publish a head */
			at = vq.avail->idx;
			vq.avail->ring[at % vq.size] = fuzz_take(&in, 1);
			vq.avail->idx = at + 1;
			break;
		case 3: /* any word, two-byte aligned */
			at = fuzz_take(&in, 2) % RAM & ~1u;
			ram[0][at] = fuzz_take(&in, 1);
			ram[0][at + 1] = fuzz_take(&in, 1);
			break;
		}
	}
	look(&vq);
}
