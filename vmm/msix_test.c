// SPDX-License-Identifier: GPL-2.0-only
/* MSI-X: what is masked waits, what is off is lost, what is open is sent. */
#include "vmm/msix.h"

#include <check.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <linux/pci_regs.h>

#include "lib/log.h"
#include "lib/test_run.h"

#define NR 3
#define ON PCI_MSIX_FLAGS_ENABLE
#define ALL PCI_MSIX_FLAGS_MASKALL
#define CONTROL 12
#define MASKED PCI_MSIX_ENTRY_CTRL_MASKBIT

static struct fake {
	uint64_t address[NR];
	uint32_t data[NR];
	_Atomic unsigned int routed[NR], fired[NR];
	int route_err, fire_err;
} fake;

static struct msix m;
static unsigned int log_lines;

static int fake_route(void *ctx, unsigned int v, uint64_t address,
		      uint32_t data)
{
	struct fake *f = ctx;

	ck_assert_uint_lt(v, NR);
	if (f->route_err)
		return f->route_err;
	f->routed[v]++;
	f->address[v] = address;
	f->data[v] = data;
	return 0;
}

static int fake_fire(void *ctx, unsigned int v)
{
	struct fake *f = ctx;

	ck_assert_uint_gt(f->routed[v], 0);
	if (f->fire_err)
		return f->fire_err;
	f->fired[v]++;
	return 0;
}

static const struct msix_ops fake_ops = { fake_route, fake_fire };

static void count_lines(void *ctx, enum log_level level, const char *line)
{
	log_lines++;
}

static void setup(void)
{
	memset(&fake, 0, sizeof(fake));
	log_set_sink(count_lines, NULL);
	ck_assert_int_eq(0, msix_init(&m, NR, &fake_ops, &fake));
}

static void teardown(void)
{
	msix_fini(&m);
}

static uint64_t entry(unsigned int v)
{
	return v * MSIX_ENTRY_BYTES;
}

static void wr(uint64_t off, uint32_t v)
{
	ck_assert(msix_table_write(&m, off, &v, 4));
}

static uint32_t rd(uint64_t off)
{
	uint32_t v;

	ck_assert(msix_table_read(&m, off, &v, 4));
	return v;
}

static uint64_t pending(void)
{
	uint64_t v;

	ck_assert(msix_pba_read(&m, 0, &v, 8));
	return v;
}

/* As Linux sets a vector up: masked, then three words, then open. */
static void set(unsigned int v, uint32_t data)
{
	wr(entry(v) + CONTROL, MASKED);
	wr(entry(v), 0xfee01000);
	wr(entry(v) + 4, 0x55);
	wr(entry(v) + 8, data);
	wr(entry(v) + CONTROL, 0);
}

START_TEST(all_is_masked_and_off_at_first)
{
	unsigned int v;

	for (v = 0; v < NR; v++) {
		ck_assert_uint_eq(MASKED, rd(entry(v) + CONTROL));
		msix_fire(&m, v);
	}
	ck_assert_uint_eq(0, pending());
	ck_assert_uint_eq(0, fake.fired[0] + fake.fired[1] + fake.fired[2]);
}
END_TEST

START_TEST(an_open_vector_sends_what_its_entry_says)
{
	msix_set_control(&m, ON);
	set(1, 0x4041);
	ck_assert_uint_eq(1, fake.routed[1]); /* not for each word */
	ck_assert_uint_eq(0x55fee01000ULL, fake.address[1]);
	ck_assert_uint_eq(0x4041, fake.data[1]);
	msix_fire(&m, 1);
	msix_fire(&m, 1);
	ck_assert_uint_eq(2, fake.fired[1]);
	ck_assert_uint_eq(1, fake.routed[1]);
	ck_assert_uint_eq(0, pending());
	/* masked and opened again, it is the same one */
	wr(entry(1) + CONTROL, MASKED);
	wr(entry(1) + CONTROL, 0);
	ck_assert_uint_eq(1, fake.routed[1]);
	/* moved to another CPU */
	set(1, 0x4042);
	ck_assert_uint_eq(2, fake.routed[1]);
	ck_assert_uint_eq(0x4042, fake.data[1]);
}
END_TEST

START_TEST(a_masked_vector_waits_and_comes_once)
{
	msix_set_control(&m, ON);
	set(0, 1);
	set(2, 2);
	wr(entry(2) + CONTROL, MASKED);
	msix_fire(&m, 2);
	msix_fire(&m, 2);
	ck_assert_uint_eq(0, fake.fired[2]);
	ck_assert_uint_eq(4, pending());
	wr(entry(2) + 8, 3); /* moved meanwhile */
	wr(entry(2) + CONTROL, 0);
	ck_assert_uint_eq(1, fake.fired[2]);
	ck_assert_uint_eq(3, fake.data[2]);
	ck_assert_uint_eq(0, pending());
	ck_assert_uint_eq(0, fake.fired[0]);
}
END_TEST

START_TEST(a_masked_function_waits)
{
	msix_set_control(&m, ON | ALL);
	set(0, 1);
	set(1, 2);
	ck_assert_uint_eq(0, fake.routed[0]);
	msix_fire(&m, 0);
	msix_fire(&m, 1);
	wr(entry(1) + CONTROL, MASKED);
	ck_assert_uint_eq(3, pending());
	msix_set_control(&m, ON);
	ck_assert_uint_eq(1, fake.fired[0]);
	ck_assert_uint_eq(0, fake.fired[1]);
	ck_assert_uint_eq(2, pending());
}
END_TEST

START_TEST(what_waits_is_lost_when_msix_goes_off)
{
	msix_set_control(&m, ON | ALL);
	set(0, 1);
	msix_fire(&m, 0);
	msix_set_control(&m, 0);
	msix_fire(&m, 0);
	ck_assert_uint_eq(0, pending());
	msix_set_control(&m, ON);
	ck_assert_uint_eq(0, fake.fired[0]);
	msix_fire(&m, 0);
	ck_assert_uint_eq(1, fake.fired[0]);
}
END_TEST

/* Words, or two of them, aligned, within. */
START_TEST(every_other_access_is_refused)
{
	static const uint64_t offs[] = { 1ULL << 32, UINT64_MAX - 7,
					 UINT64_MAX - 3, UINT64_MAX };
	uint8_t buf[8];
	uint64_t off;
	uint32_t len;
	size_t i;

	msix_set_control(&m, ON);
	for (off = 0; off < entry(NR) + 16; off++) {
		for (len = 0; len <= 8; len++) {
			const bool word = (len == 4 || len == 8) &&
					  !(off % len);

			memset(buf, 0xff, sizeof(buf));
			ck_assert_int_eq(word && off < entry(NR),
					 msix_table_write(&m, off, buf, len));
			ck_assert_int_eq(word && off < entry(NR),
					 msix_table_read(&m, off, buf, len));
			ck_assert_int_eq(word && off < MSIX_PBA_BYTES,
					 msix_pba_read(&m, off, buf, len));
		}
	}
	for (i = 0; i < sizeof(offs) / sizeof(offs[0]); i++) {
		memset(buf, 0xff, sizeof(buf));
		ck_assert(!msix_table_write(&m, offs[i], buf, 4));
		ck_assert(!msix_table_read(&m, offs[i], buf, 8));
		for (len = 0; len < 8; len++)
			ck_assert_uint_eq(0, buf[len]);
	}
	/* of the control word only the mask is there */
	ck_assert_uint_eq(MASKED, rd(entry(0) + CONTROL));
	ck_assert_uint_eq(UINT32_MAX, rd(entry(0) + 8));
}
END_TEST

START_TEST(no_such_vector_is_nothing)
{
	msix_set_control(&m, ON);
	msix_fire(&m, NR);
	msix_fire(&m, 0xffff); /* VIRTIO_MSI_NO_VECTOR */
	msix_fire(&m, UINT32_MAX);
	ck_assert_uint_eq(0, pending());
}
END_TEST

START_TEST(a_host_that_fails_is_logged_once_and_asked_again)
{
	msix_set_control(&m, ON);
	fake.route_err = -ENOMEM;
	set(0, 1);
	msix_fire(&m, 0);
	ck_assert_uint_eq(1, log_lines);
	ck_assert_uint_eq(1, pending()); /* kept for when it works */
	fake.route_err = 0;
	msix_fire(&m, 0);
	ck_assert_uint_eq(1, fake.fired[0]);
	ck_assert_uint_eq(0, pending());
	fake.fire_err = -EIO;
	msix_fire(&m, 0);
	ck_assert_uint_eq(1, log_lines);
}
END_TEST

START_TEST(too_many_vectors_are_our_own_error)
{
	struct msix none;

	ck_assert_int_eq(-EINVAL, msix_init(&none, MSIX_MAX_VECTORS + 1,
					    &fake_ops, &fake));
}
END_TEST

#define FIRES 20000

static void *fires(void *arg)
{
	unsigned int i;

	for (i = 0; i < FIRES; i++)
		msix_fire(&m, 0);
	return NULL;
}

static void *masks(void *arg)
{
	unsigned int i;

	for (i = 0; i < FIRES; i++) {
		wr(entry(0) + CONTROL, MASKED);
		wr(entry(0) + 8, i & 7);
		wr(entry(0) + CONTROL, 0);
		if (!(i % 8))
			(void)pending();
	}
	return NULL;
}

/* Whatever the order, the last thing that happened is told. */
START_TEST(none_is_lost_between_mask_and_fire)
{
	pthread_t a, b;
	unsigned int was;

	msix_set_control(&m, ON);
	set(0, 1);
	ck_assert_int_eq(0, pthread_create(&a, NULL, fires, NULL));
	ck_assert_int_eq(0, pthread_create(&b, NULL, masks, NULL));
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	ck_assert_uint_eq(0, pending());
	ck_assert_uint_ge(fake.fired[0], 1);
	ck_assert_uint_le(fake.fired[0], FIRES);
	was = fake.fired[0];
	msix_fire(&m, 0);
	ck_assert_uint_eq(was + 1, fake.fired[0]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("msix");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	suite_add_tcase(s, t);
	tcase_add_test(t, all_is_masked_and_off_at_first);
	tcase_add_test(t, an_open_vector_sends_what_its_entry_says);
	tcase_add_test(t, a_masked_vector_waits_and_comes_once);
	tcase_add_test(t, a_masked_function_waits);
	tcase_add_test(t, what_waits_is_lost_when_msix_goes_off);
	tcase_add_test(t, every_other_access_is_refused);
	tcase_add_test(t, no_such_vector_is_nothing);
	tcase_add_test(t, a_host_that_fails_is_logged_once_and_asked_again);
	tcase_add_test(t, too_many_vectors_are_our_own_error);
	tcase_add_test(t, none_is_lost_between_mask_and_fire);
	return test_run(s);
}
