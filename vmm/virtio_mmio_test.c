// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/virtio_mmio.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/test_run.h"
#include "vmm/test_virtio_dev.h"

#define ACK 1u
#define DRIVER 2u
#define DRIVER_OK 4u
#define FEATURES_OK 8u
#define NEEDS_RESET 64u
#define FAILED 128u

static struct virtio_mmio *t;
static int irq_fd;
static unsigned int log_lines;

static uint32_t rd(uint64_t off)
{
	uint32_t v = 0xdeadbeef;

	virtio_mmio_read(t, off, &v, 4);
	return v;
}

static void wr(uint64_t off, uint32_t v)
{
	virtio_mmio_write(t, off, &v, 4);
}

static uint32_t status(void)
{
	return rd(VIRTIO_MMIO_STATUS);
}

static void set_status(uint32_t v)
{
	wr(VIRTIO_MMIO_STATUS, v);
}

static struct virtio_stats stats(void)
{
	struct virtio_stats st;

	virtio_mmio_stats_read(t, &st);
	return st;
}

static uint64_t bad_total(void)
{
	const struct virtio_stats st = stats();

	return bad_of(&st);
}

static void count_lines(void *ctx, enum log_level level, const char *line)
{
	log_lines++;
}

static void setup(void)
{
	fake_open();
	irq_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ck_assert_int_ge(irq_fd, 0);
	log_set_sink(count_lines, NULL);
	ck_assert_int_eq(0, virtio_mmio_new(&fake_ops, &fake, irq_fd, &t));
	fake.irq = virtio_mmio_irq(t);
}

static void teardown(void)
{
	fake_reset(&fake);
	virtio_mmio_free(t);
	virtio_mmio_free(NULL);
	close(irq_fd);
	fake_close();
}

static void set_features(uint64_t features)
{
	wr(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	wr(VIRTIO_MMIO_DRIVER_FEATURES, features >> 32);
	wr(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	wr(VIRTIO_MMIO_DRIVER_FEATURES, features);
}

/* As Linux's virtio_mmio.c and virtio.c do it, up to FEATURES_OK. */
static void driver_negotiate(void)
{
	set_status(0);
	set_status(ACK);
	set_status(ACK | DRIVER);
	set_features(OFFERED);
	set_status(ACK | DRIVER | FEATURES_OK);
	ck_assert_uint_eq(ACK | DRIVER | FEATURES_OK, status());
}

static void driver_queue(unsigned int q, uint32_t size, uint64_t base)
{
	wr(VIRTIO_MMIO_QUEUE_SEL, q);
	ck_assert_uint_eq(0, rd(VIRTIO_MMIO_QUEUE_READY));
	ck_assert_uint_eq(VIRTIO_QUEUE_MAX, rd(VIRTIO_MMIO_QUEUE_NUM_MAX));
	wr(VIRTIO_MMIO_QUEUE_NUM, size);
	wr(VIRTIO_MMIO_QUEUE_DESC_LOW, base);
	wr(VIRTIO_MMIO_QUEUE_DESC_HIGH, base >> 32);
	wr(VIRTIO_MMIO_QUEUE_AVAIL_LOW, base + 0x1000);
	wr(VIRTIO_MMIO_QUEUE_AVAIL_HIGH, base >> 32);
	wr(VIRTIO_MMIO_QUEUE_USED_LOW, base + 0x2000);
	wr(VIRTIO_MMIO_QUEUE_USED_HIGH, base >> 32);
	wr(VIRTIO_MMIO_QUEUE_READY, 1);
	ck_assert_uint_eq(1, rd(VIRTIO_MMIO_QUEUE_READY));
}

static void driver_start(void)
{
	driver_negotiate();
	driver_queue(0, 128, 0x123400000ULL);
	driver_queue(1, 256, 0x567800000ULL);
	set_status(ACK | DRIVER | FEATURES_OK | DRIVER_OK);
}

START_TEST(a_driver_like_linux_gets_through)
{
	ck_assert_uint_eq(0x74726976, rd(VIRTIO_MMIO_MAGIC_VALUE));
	ck_assert_uint_eq(2, rd(VIRTIO_MMIO_VERSION));
	ck_assert_uint_eq(2, rd(VIRTIO_MMIO_DEVICE_ID));
	wr(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	ck_assert_uint_eq(OFFERED >> 32, rd(VIRTIO_MMIO_DEVICE_FEATURES));
	wr(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	ck_assert_uint_eq((uint32_t)OFFERED, rd(VIRTIO_MMIO_DEVICE_FEATURES));
	driver_start();
	ck_assert_uint_eq(15, status());
	ck_assert_uint_eq(1, fake.activated);
	ck_assert_uint_eq(1, fake.resets);
	ck_assert_uint_eq(OFFERED, fake.features);
	ck_assert_uint_eq(NR_QUEUES, fake.nr);
	ck_assert_uint_eq(128, fake.queues[0].size);
	ck_assert(fake.queues[0].ready);
	ck_assert_uint_eq(0x123400000ULL, fake.queues[0].desc_gpa);
	ck_assert_uint_eq(256, fake.queues[1].size);
	ck_assert_uint_eq(0x567800000ULL, fake.queues[1].desc_gpa);
	ck_assert_uint_eq(0x567801000ULL, fake.queues[1].avail_gpa);
	ck_assert_uint_eq(0x567802000ULL, fake.queues[1].used_gpa);
	ck_assert_uint_eq(0, rd(VIRTIO_MMIO_INTERRUPT_STATUS));
	ck_assert_uint_eq(0, taken(irq_fd));

	/* and out again: reset, then vm_del_vq() for each queue */
	set_status(0);
	ck_assert_uint_eq(0, status());
	ck_assert_uint_eq(2, fake.resets);
	wr(VIRTIO_MMIO_QUEUE_SEL, 0);
	wr(VIRTIO_MMIO_QUEUE_READY, 0);
	ck_assert_uint_eq(0, rd(VIRTIO_MMIO_QUEUE_READY));
	ck_assert_uint_eq(0, bad_total());
	ck_assert_uint_eq(0, log_lines);

	driver_start();
	ck_assert_uint_eq(15, status());
	ck_assert_uint_eq(2, fake.activated);
	ck_assert_uint_eq(0, bad_total());
}
END_TEST

START_TEST(registers_a_driver_probes_read_as_the_spec_says)
{
	uint64_t off;

	/* no shared memory region */
	for (off = VIRTIO_MMIO_SHM_LEN_LOW; off <= VIRTIO_MMIO_SHM_BASE_HIGH;
	     off += 4)
		ck_assert_uint_eq(UINT32_MAX, rd(off));
	wr(VIRTIO_MMIO_SHM_SEL, 3);
	ck_assert_uint_eq(0, bad_total());
	wr(VIRTIO_MMIO_QUEUE_SEL, NR_QUEUES);
	ck_assert_uint_eq(0, rd(VIRTIO_MMIO_QUEUE_NUM_MAX));
	ck_assert_uint_eq(0, rd(VIRTIO_MMIO_QUEUE_READY));
	/* Linux asks for 128 bits where there may be as many */
	wr(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 3);
	ck_assert_uint_eq(0, rd(VIRTIO_MMIO_DEVICE_FEATURES));
	ck_assert_uint_eq(1, stats().bad_select);
	wr(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 4);
	ck_assert_uint_eq(0, rd(VIRTIO_MMIO_DEVICE_FEATURES));
	wr(VIRTIO_MMIO_DEVICE_FEATURES_SEL, UINT32_MAX);
	ck_assert_uint_eq(0, rd(VIRTIO_MMIO_DEVICE_FEATURES));
	ck_assert_uint_eq(3, stats().bad_select);
}
END_TEST

/* section 9: register access of the wrong width or alignment */
START_TEST(wrong_widths_are_refused_below_config_space)
{
	static const struct {
		uint64_t off;
		uint32_t len;
	} cases[] = {
		{ VIRTIO_MMIO_STATUS, 1 },	{ VIRTIO_MMIO_STATUS, 2 },
		{ VIRTIO_MMIO_STATUS, 8 },	{ VIRTIO_MMIO_STATUS, 0 },
		{ VIRTIO_MMIO_STATUS + 1, 4 },	{ VIRTIO_MMIO_STATUS - 2, 4 },
		{ VIRTIO_MMIO_STATUS + 3, 1 },	{ 0xfc, 8 },
		{ 0xfe, 4 },			{ VIRTIO_MMIO_BYTES, 4 },
		{ VIRTIO_MMIO_BYTES - 2, 4 },	{ UINT64_MAX, 4 },
		{ UINT64_MAX - 3, 4 },		{ UINT64_MAX & ~3ULL, 1 },
	};
	unsigned int i, j;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t data[8];

		memset(data, 0xff, sizeof(data));
		virtio_mmio_read(t, cases[i].off, data, cases[i].len);
		for (j = 0; j < 8; j++)
			ck_assert_uint_eq(j < cases[i].len ? 0 : 0xff, data[j]);
		memset(data, 1, sizeof(data));
		virtio_mmio_write(t, cases[i].off, data, cases[i].len);
		ck_assert_uint_eq(2 * (i + 1), stats().bad_width);
	}
	ck_assert_uint_eq(0, status());
	ck_assert_uint_eq(1, log_lines); /* each kind once */
}
END_TEST

START_TEST(config_space_takes_any_width)
{
	uint8_t data[16];
	unsigned int off, len, i;

	for (i = 0; i < CONFIG_BYTES; i++)
		fake.config[i] = i + 1;
	for (off = 0; off < CONFIG_BYTES; off++) {
		for (len = 1; len <= 8; len++) {
			memset(data, 0xff, sizeof(data));
			virtio_mmio_read(t, 0x100 + off, data, len);
			for (i = 0; i < len; i++)
				ck_assert_uint_eq(off + i < CONFIG_BYTES ?
						  off + i + 1 : 0, data[i]);
			ck_assert_uint_eq(0xff, data[len]);
		}
	}
	memset(data, 0xff, sizeof(data));
	virtio_mmio_read(t, VIRTIO_MMIO_BYTES - 1, data, 1);
	ck_assert_uint_eq(0, data[0]);
	virtio_mmio_write(t, 0x103, "\x7f", 1);
	ck_assert_uint_eq(0x7f, fake.config[3]);
	ck_assert_uint_eq(5, fake.config[4]);
	ck_assert_uint_eq(0, bad_total());
}
END_TEST

/* section 9: registers that do not exist, or only the other way round */
START_TEST(other_registers_are_refused)
{
	static const uint64_t no_read[] = {
		VIRTIO_MMIO_QUEUE_NUM, VIRTIO_MMIO_QUEUE_NOTIFY,
		VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0x0c0, 0x0f8, 0x01c, 0x048
	};
	static const uint64_t no_write[] = {
		VIRTIO_MMIO_MAGIC_VALUE, VIRTIO_MMIO_INTERRUPT_STATUS,
		VIRTIO_MMIO_QUEUE_NUM_MAX, VIRTIO_MMIO_CONFIG_GENERATION,
		0x028 /* GuestPageSize of version 1 */, 0x040, 0x0c0
	};
	unsigned int i;

	for (i = 0; i < 7; i++)
		ck_assert_uint_eq(0, rd(no_read[i]));
	ck_assert_uint_eq(7, stats().bad_register);
	for (i = 0; i < 7; i++)
		wr(no_write[i], 1);
	ck_assert_uint_eq(14, stats().bad_register);
	ck_assert_uint_eq(0x74726976, rd(VIRTIO_MMIO_MAGIC_VALUE));
	ck_assert_uint_eq(14, bad_total());
}
END_TEST

/* section 9: features never offered or VERSION_1 missing */
START_TEST(bad_features_are_not_ok)
{
	static const uint64_t bad_features[] = {
		0, 1, OFFERED & ~(1ULL << VIRTIO_F_VERSION_1), OFFERED | 2,
		OFFERED | 1ULL << 63, UINT64_MAX
	};
	unsigned int i;

	for (i = 0; i < 6; i++) {
		set_status(0);
		set_status(ACK);
		set_status(ACK | DRIVER);
		set_features(bad_features[i]);
		set_status(ACK | DRIVER | FEATURES_OK);
		ck_assert_uint_eq(ACK | DRIVER, status());
		ck_assert_uint_eq(i + 1, stats().bad_features);
		/* and who does not look comes no further */
		set_status(ACK | DRIVER | FEATURES_OK | DRIVER_OK);
		ck_assert_uint_eq(ACK | DRIVER, status());
		ck_assert_uint_eq(i + 1, stats().bad_status);
		ck_assert_uint_eq(0, fake.activated);
		/* better ones may follow */
		set_features(1ULL << VIRTIO_F_VERSION_1);
		set_status(ACK | DRIVER | FEATURES_OK);
		ck_assert_uint_eq(ACK | DRIVER | FEATURES_OK, status());
	}
	ck_assert_uint_eq(0, stats().bad_phase);
}
END_TEST

START_TEST(features_over_bit_63_are_not_ok)
{
	set_status(ACK);
	set_status(ACK | DRIVER);
	set_features(OFFERED);
	wr(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 2);
	wr(VIRTIO_MMIO_DRIVER_FEATURES, 0); /* asks for nothing */
	wr(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 4);
	wr(VIRTIO_MMIO_DRIVER_FEATURES, 1);
	set_status(ACK | DRIVER | FEATURES_OK);
	ck_assert_uint_eq(ACK | DRIVER, status());
	ck_assert_uint_eq(1, stats().bad_features);
	ck_assert_uint_eq(1, stats().bad_select);
	set_status(0);
	driver_negotiate();
}
END_TEST

START_TEST(features_are_taken_in_their_phase_only)
{
	wr(VIRTIO_MMIO_DRIVER_FEATURES, 1); /* before ACK */
	set_status(ACK);
	wr(VIRTIO_MMIO_DRIVER_FEATURES, 1); /* before DRIVER */
	ck_assert_uint_eq(2, stats().bad_phase);
	driver_negotiate();
	set_features(1ULL << VIRTIO_F_VERSION_1 | 1);
	ck_assert_uint_eq(4, stats().bad_phase);
	driver_queue(0, 8, 0);
	set_status(15);
	set_features(0);
	ck_assert_uint_eq(6, stats().bad_phase);
	ck_assert_uint_eq(OFFERED, fake.features);
}
END_TEST

/* section 9: status bits skipped, cleared, unknown */
START_TEST(status_goes_on_one_step_at_a_time)
{
	static const struct {
		uint32_t at;
		uint8_t next[4]; /* what may be written besides @at and 0 */
	} states[] = {
		{ 0, { ACK, FAILED } },
		{ ACK, { ACK | DRIVER, ACK | FAILED } },
		{ ACK | DRIVER, { 11, 3 | FAILED } },
		{ 11, { 15, 11 | FAILED } },
		{ 15, { 15 | FAILED } },
	};
	unsigned int i, v;
	uint64_t bad = 0;

	for (i = 0; i < 5; i++) {
		for (v = 1; v < 1024; v++) {
			uint32_t at = states[i].at;
			bool good = v == at || (v < 256 && memchr(
				states[i].next, v, 4));

			set_status(0);
			if (at)
				set_status(ACK);
			if (at & DRIVER) {
				set_status(ACK | DRIVER);
				set_features(OFFERED);
			}
			if (at & FEATURES_OK)
				set_status(11);
			if (at & DRIVER_OK)
				set_status(15);
			ck_assert_uint_eq(at, status());
			set_status(v);
			ck_assert_uint_eq(good ? v : at, status());
			bad += !good;
			ck_assert_uint_eq(bad, stats().bad_status);
		}
	}
	set_status(0);
	set_status(0x80000001);
	ck_assert_uint_eq(0, status());
}
END_TEST

/* section 9: FAILED sticks until reset */
START_TEST(failed_sticks_until_reset)
{
	unsigned int v;

	driver_negotiate();
	driver_queue(0, 8, 0);
	set_status(11 | FAILED);
	for (v = 1; v < 256; v++) {
		set_status(v);
		ck_assert_uint_eq(11 | FAILED, status());
	}
	ck_assert_uint_eq(0, fake.activated);
	wr(VIRTIO_MMIO_QUEUE_READY, 0);
	ck_assert_uint_eq(1, rd(VIRTIO_MMIO_QUEUE_READY));
	ck_assert_uint_eq(1, stats().bad_phase);
	set_status(0);
	ck_assert_uint_eq(0, status());
	ck_assert_uint_eq(0, rd(VIRTIO_MMIO_QUEUE_READY));
	driver_start();
	ck_assert_uint_eq(1, fake.activated);
}
END_TEST

static const uint64_t queue_regs[] = {
	VIRTIO_MMIO_QUEUE_NUM, VIRTIO_MMIO_QUEUE_DESC_LOW,
	VIRTIO_MMIO_QUEUE_DESC_HIGH, VIRTIO_MMIO_QUEUE_AVAIL_LOW,
	VIRTIO_MMIO_QUEUE_AVAIL_HIGH, VIRTIO_MMIO_QUEUE_USED_LOW,
	VIRTIO_MMIO_QUEUE_USED_HIGH, VIRTIO_MMIO_QUEUE_READY,
};

#define NR_QUEUE_REGS (sizeof(queue_regs) / sizeof(queue_regs[0]))

static void write_queue_regs(uint32_t v)
{
	unsigned int i;

	for (i = 0; i < NR_QUEUE_REGS; i++)
		wr(queue_regs[i], v);
}

/* section 9: queue writes outside their phase */
START_TEST(queues_are_set_up_in_their_phase_only)
{
	uint64_t bad = 0;

	write_queue_regs(1);
	set_status(ACK);
	write_queue_regs(1);
	set_status(ACK | DRIVER);
	write_queue_regs(1);
	bad += 3 * NR_QUEUE_REGS;
	ck_assert_uint_eq(bad, stats().bad_phase);
	set_status(0);
	driver_negotiate();
	driver_queue(1, 64, 0x1000000); /* nothing stuck */
	write_queue_regs(1); /* ready */
	bad += NR_QUEUE_REGS;
	ck_assert_uint_eq(bad, stats().bad_phase);

	/* a driver may change its mind until DRIVER_OK */
	wr(VIRTIO_MMIO_QUEUE_READY, 0);
	ck_assert_uint_eq(0, rd(VIRTIO_MMIO_QUEUE_READY));
	wr(VIRTIO_MMIO_QUEUE_NUM, 32);
	wr(VIRTIO_MMIO_QUEUE_READY, 1);
	ck_assert_uint_eq(bad, stats().bad_phase);

	set_status(15);
	write_queue_regs(1);
	wr(VIRTIO_MMIO_QUEUE_READY, 0);
	ck_assert_uint_eq(1, rd(VIRTIO_MMIO_QUEUE_READY));
	bad += NR_QUEUE_REGS + 1;
	ck_assert_uint_eq(bad, stats().bad_phase);
	ck_assert_uint_eq(32, fake.queues[1].size);
	ck_assert_uint_eq(0x1000000, fake.queues[1].desc_gpa);
	ck_assert(!fake.queues[0].ready);
	ck_assert_uint_eq(0, fake.queues[0].size);
}
END_TEST

START_TEST(queue_values_are_not_cut_to_fit)
{
	driver_negotiate();
	wr(VIRTIO_MMIO_QUEUE_NUM, 0x10008);
	wr(VIRTIO_MMIO_QUEUE_READY, 2);
	ck_assert_uint_eq(0, rd(VIRTIO_MMIO_QUEUE_READY));
	ck_assert_uint_eq(1, stats().bad_register);
	wr(VIRTIO_MMIO_QUEUE_READY, 1);
	set_status(15);
	ck_assert_uint_eq(0, fake.queues[0].size);
}
END_TEST

/* section 9: select out of range */
START_TEST(a_queue_that_is_not_there_takes_no_writes)
{
	static const uint32_t sels[] = { NR_QUEUES, VIRTIO_MAX_QUEUES, 255,
					 UINT32_MAX };
	unsigned int i;

	driver_negotiate();
	for (i = 0; i < 4; i++) {
		wr(VIRTIO_MMIO_QUEUE_SEL, sels[i]);
		write_queue_regs(1);
		ck_assert_uint_eq(0, rd(VIRTIO_MMIO_QUEUE_READY));
		ck_assert_uint_eq((i + 1) * (NR_QUEUE_REGS + 1),
				  stats().bad_select);
	}
	set_status(15);
	ck_assert(!fake.queues[0].ready && !fake.queues[1].ready);
}
END_TEST

/* section 9: notify before DRIVER_OK or for no queue */
START_TEST(a_notify_reaches_a_live_queue_only)
{
	static const uint32_t bad[] = { 0, NR_QUEUES, 255, 0x10001,
					UINT32_MAX };
	unsigned int i;

	driver_negotiate();
	driver_queue(1, 8, 0);
	wr(VIRTIO_MMIO_QUEUE_NOTIFY, 1);
	ck_assert_uint_eq(1, stats().bad_notify);
	ck_assert_uint_eq(0, taken(fake.kick_fds[1]));
	set_status(15);
	wr(VIRTIO_MMIO_QUEUE_NOTIFY, 1);
	wr(VIRTIO_MMIO_QUEUE_NOTIFY, 1);
	ck_assert_uint_eq(2, taken(fake.kick_fds[1]));
	ck_assert_uint_eq(1, stats().bad_notify);
	for (i = 0; i < 5; i++)
		wr(VIRTIO_MMIO_QUEUE_NOTIFY, bad[i]);
	ck_assert_uint_eq(6, stats().bad_notify);
	ck_assert_uint_eq(0, taken(fake.kick_fds[0]));
	ck_assert_uint_eq(0, taken(fake.kick_fds[1]));
	set_status(0);
	wr(VIRTIO_MMIO_QUEUE_NOTIFY, 1);
	ck_assert_uint_eq(7, stats().bad_notify);
}
END_TEST

/* C6: the bit before the interrupt; fires again although not acknowledged */
START_TEST(interrupts_set_their_bit_and_fire)
{
	struct virtio_irq *irq = virtio_mmio_irq(t);

	driver_start();
	irq->used(irq, 0);
	ck_assert_uint_eq(1, taken(irq_fd));
	ck_assert_uint_eq(1, rd(VIRTIO_MMIO_INTERRUPT_STATUS));
	irq->used(irq, 1);
	ck_assert_uint_eq(1, taken(irq_fd));
	irq->config_changed(irq);
	ck_assert_uint_eq(1, taken(irq_fd));
	ck_assert_uint_eq(3, rd(VIRTIO_MMIO_INTERRUPT_STATUS));
	wr(VIRTIO_MMIO_INTERRUPT_ACK, 1);
	ck_assert_uint_eq(2, rd(VIRTIO_MMIO_INTERRUPT_STATUS));
	wr(VIRTIO_MMIO_INTERRUPT_ACK, ~3u);
	ck_assert_uint_eq(2, rd(VIRTIO_MMIO_INTERRUPT_STATUS));
	wr(VIRTIO_MMIO_INTERRUPT_ACK, 3);
	ck_assert_uint_eq(0, rd(VIRTIO_MMIO_INTERRUPT_STATUS));
	ck_assert_uint_eq(3, stats().interrupts);
	ck_assert_uint_eq(0, bad_total());
}
END_TEST

START_TEST(a_config_change_bumps_the_generation)
{
	struct virtio_irq *irq = virtio_mmio_irq(t);
	uint32_t was = rd(VIRTIO_MMIO_CONFIG_GENERATION);

	irq->used(irq, 0);
	ck_assert_uint_eq(was, rd(VIRTIO_MMIO_CONFIG_GENERATION));
	irq->config_changed(irq);
	ck_assert_uint_eq(was + 1, rd(VIRTIO_MMIO_CONFIG_GENERATION));
	set_status(0); /* must not go back: a reader may be half through */
	ck_assert_uint_eq(was + 1, rd(VIRTIO_MMIO_CONFIG_GENERATION));
}
END_TEST

START_TEST(needs_reset_shows_until_reset)
{
	struct virtio_irq *irq = virtio_mmio_irq(t);

	driver_start();
	set_status(15 | NEEDS_RESET); /* not the driver's to say */
	ck_assert_uint_eq(15, status());
	ck_assert_uint_eq(1, stats().bad_status);
	irq->needs_reset(irq);
	ck_assert_uint_eq(1, taken(irq_fd));
	ck_assert_uint_eq(15 | NEEDS_RESET, status());
	ck_assert_uint_eq(2, rd(VIRTIO_MMIO_INTERRUPT_STATUS));
	/* Linux adds FAILED to what it read, or to what it read earlier */
	set_status(15 | NEEDS_RESET);
	set_status(15 | NEEDS_RESET | FAILED);
	ck_assert_uint_eq(15 | NEEDS_RESET | FAILED, status());
	set_status(15 | FAILED);
	ck_assert_uint_eq(15 | NEEDS_RESET | FAILED, status());
	ck_assert_uint_eq(1, stats().bad_status);
	set_status(0);
	ck_assert_uint_eq(0, status());
	ck_assert_uint_eq(0, rd(VIRTIO_MMIO_INTERRUPT_STATUS));
}
END_TEST

START_TEST(a_failed_activation_needs_reset)
{
	fake.activate_err = -EMFILE;
	driver_start();
	ck_assert_uint_eq(1, fake.activated);
	ck_assert_uint_eq(15 | NEEDS_RESET, status());
	ck_assert_uint_eq(1, taken(irq_fd));
	fake.activate_err = 0;
	driver_start();
	ck_assert_uint_eq(15, status());
	fake.refuse = true; /* the device itself says so, lock held */
	driver_start();
	ck_assert_uint_eq(15 | NEEDS_RESET, status());
}
END_TEST

/* C9: quiet when the write returns; two resets in a row */
START_TEST(reset_joins_the_device)
{
	uint64_t fired;
	int i;

	fake.with_worker = true;
	for (i = 1; i <= 100; i++) {
		driver_start();
		ck_assert(fake.running);
		while (!fake.raised)
			;
		set_status(0);
		ck_assert(!fake.running);
		fired = fake.raised;
		taken(irq_fd);
		ck_assert_uint_eq(0, rd(VIRTIO_MMIO_INTERRUPT_STATUS));
		ck_assert_uint_eq(0, status());
		set_status(0);
		ck_assert_uint_eq(0, taken(irq_fd));
		ck_assert_uint_eq(fired, fake.raised);
		ck_assert_uint_eq(3 * i, fake.resets);
		fake.raised = 0;
	}
	ck_assert_uint_eq(0, bad_total());
}
END_TEST

START_TEST(an_interrupt_that_cannot_be_sent_is_logged_once)
{
	struct virtio_mmio *broken;
	struct virtio_irq *irq;

	ck_assert_int_eq(0, virtio_mmio_new(&fake_ops, &fake, -1, &broken));
	irq = virtio_mmio_irq(broken);
	irq->used(irq, 0);
	irq->used(irq, 0);
	ck_assert_uint_eq(1, log_lines);
	virtio_mmio_free(broken);
}
END_TEST

START_TEST(too_many_queues_are_our_own_error)
{
	struct virtio_dev_ops ops = fake_ops;
	struct virtio_mmio *none;

	ops.nr_queues = VIRTIO_MAX_QUEUES + 1;
	ck_assert_int_eq(-EINVAL, virtio_mmio_new(&ops, &fake, -1, &none));
}
END_TEST

static void *hammer(void *arg)
{
	uint64_t x = (uintptr_t)arg;
	unsigned int i;

	for (i = 0; i < 20000; i++) {
		uint8_t data[8] = { 0 };
		uint32_t off;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		off = x >> 8 & 0x1ff;
		data[0] = x >> 20;
		if (x & 64) /* most accesses mean something */
			off &= 0xfc;
		if (x & 1)
			virtio_mmio_write(t, off, data, x & 64 ? 4 : x >> 30 & 7);
		else
			virtio_mmio_read(t, off, data, x & 64 ? 4 : x >> 30 & 7);
	}
	return NULL;
}

static void *boot_and_reset(void *arg)
{
	unsigned int i;

	for (i = 0; i < 300; i++) {
		set_status(0);
		set_status(ACK);
		set_status(ACK | DRIVER);
		set_features(OFFERED);
		set_status(11);
		wr(VIRTIO_MMIO_QUEUE_READY, 1);
		set_status(15);
		wr(VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	}
	return NULL;
}

/* section 9: reset storm, from several vCPUs, with a worker that fires */
START_TEST(several_vcpus_do_what_they_like)
{
	struct virtio_stats st;
	pthread_t threads[4];
	uintptr_t i;

	fake.with_worker = true;
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(0, pthread_create(&threads[i], NULL,
						   i < 2 ? hammer :
						   boot_and_reset,
						   (void *)(i + 12345)));
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	st = stats();
	ck_assert_uint_eq(40000 + 2 * 300 * 11, st.reads + st.writes);
	/* and the device is as good as new */
	driver_start();
	ck_assert_uint_eq(15, status() & 15);
	set_status(0);
	ck_assert(!fake.running);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("virtio_mmio");
	TCase *tc = tcase_create("virtio_mmio");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_driver_like_linux_gets_through);
	tcase_add_test(tc, registers_a_driver_probes_read_as_the_spec_says);
	tcase_add_test(tc, wrong_widths_are_refused_below_config_space);
	tcase_add_test(tc, config_space_takes_any_width);
	tcase_add_test(tc, other_registers_are_refused);
	tcase_add_test(tc, bad_features_are_not_ok);
	tcase_add_test(tc, features_over_bit_63_are_not_ok);
	tcase_add_test(tc, features_are_taken_in_their_phase_only);
	tcase_add_test(tc, status_goes_on_one_step_at_a_time);
	tcase_add_test(tc, failed_sticks_until_reset);
	tcase_add_test(tc, queues_are_set_up_in_their_phase_only);
	tcase_add_test(tc, queue_values_are_not_cut_to_fit);
	tcase_add_test(tc, a_queue_that_is_not_there_takes_no_writes);
	tcase_add_test(tc, a_notify_reaches_a_live_queue_only);
	tcase_add_test(tc, interrupts_set_their_bit_and_fire);
	tcase_add_test(tc, a_config_change_bumps_the_generation);
	tcase_add_test(tc, needs_reset_shows_until_reset);
	tcase_add_test(tc, a_failed_activation_needs_reset);
	tcase_add_test(tc, reset_joins_the_device);
	tcase_add_test(tc, an_interrupt_that_cannot_be_sent_is_logged_once);
	tcase_add_test(tc, too_many_queues_are_our_own_error);
	tcase_add_test(tc, several_vcpus_do_what_they_like);
	suite_add_tcase(s, tc);
	return test_run(s);
}
