// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/kmem.h"
#include "lib/test_run.h"
#include "monitor/test_image.h"

#include <check.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 20000

START_TEST(copies_are_exact_at_every_alignment)
{
	uint8_t src[64], dst[64];
	size_t off, len, i;

	for (i = 0; i < sizeof(src); i++)
		src[i] = i + 1;
	for (off = 0; off < 16; off++) {
		for (len = 0; len <= 40; len++) {
			memset(dst, 0, sizeof(dst));
			guest_copy(dst, src + off, len);
			ck_assert_int_eq(0, memcmp(dst, src + off, len));
			ck_assert_uint_eq(0, dst[len]);
		}
	}
}
END_TEST

static void init(struct kmem *km, struct test_image *ti)
{
	kmem_init(km, &ti->mem, ti->root_gpa, ti->cfg.levels);
}

START_TEST(reads_cross_pages_that_are_no_neighbours)
{
	struct ti_config cfg = { .levels = 4 + _i };
	struct test_image *ti = ti_new(&cfg);
	uint64_t kva = ti_vmalloc(ti, 3 * 4096), i, buf[1024];
	struct kmem km;

	for (i = 0; i < 1024; i++)
		ti_write_u64(ti, kva + 1000 + i * 8, i * i);
	init(&km, ti);
	ck_assert_int_eq(0, kmem_read(&km, kva + 1000, buf, sizeof(buf)));
	for (i = 0; i < 1024; i++)
		ck_assert_uint_eq(i * i, buf[i]);
	ck_assert_uint_eq(sizeof(buf), km.stats.read_bytes);
	ck_assert_uint_eq(0, km.stats.faults);
	ti_free(ti);
}
END_TEST

START_TEST(translations_are_reused_until_flushed)
{
	struct test_image *ti = ti_new(&(struct ti_config){ 0 });
	uint64_t a = ti_vmalloc(ti, 4096), b = ti_vmalloc(ti, 4096), v;
	uint64_t walks;
	struct kmem km;

	ti_write_u64(ti, a, 1);
	ti_write_u64(ti, b, 2);
	init(&km, ti);
	ck_assert_int_eq(0, kmem_read_ptr(&km, a, &v));
	ck_assert_int_eq(0, kmem_read_ptr(&km, b, &v));
	walks = km.stats.walks;
	ck_assert_int_eq(0, kmem_read_ptr(&km, a, &v));
	ck_assert_uint_eq(1, v);
	ck_assert_uint_eq(walks, km.stats.walks);
	kmem_flush(&km);
	ck_assert_int_eq(0, kmem_read_ptr(&km, a, &v));
	ck_assert_uint_eq(walks + 1, km.stats.walks);
	ti_free(ti);
}
END_TEST

/*
 * Generations of translations begin anew; none of long ago comes back, be it of
 * a small page or of a large one.
 */
START_TEST(no_translation_outlives_any_number_of_flushes)
{
	struct test_image *ti = ti_new(&(struct ti_config){ 0 });
	uint64_t a = _i ? ti_image(ti, 8) : ti_vmalloc(ti, 4096), walks, v;
	unsigned int i;
	struct kmem km;

	init(&km, ti);
	for (i = 0; i < 3 * 4096; i++) {
		walks = km.stats.walks;
		ck_assert_int_eq(0, kmem_read_ptr(&km, a, &v));
		ck_assert_uint_eq(walks + 1, km.stats.walks);
		kmem_flush(&km);
	}
	/* read once, then not until its generation is there again */
	ck_assert_int_eq(0, kmem_read_ptr(&km, a, &v));
	for (i = 0; i < 4095; i++)
		kmem_flush(&km);
	walks = km.stats.walks;
	ck_assert_int_eq(0, kmem_read_ptr(&km, a, &v));
	ck_assert_uint_eq(walks + 1, km.stats.walks);
	ti_free(ti);
}
END_TEST

/* As CPUs' areas are: a power of two apart. */
START_TEST(pages_far_apart_are_translated_once_a_look)
{
	struct ti_config cfg = { .cpus = MON_MAX_CPUS };
	struct test_image *ti = ti_new(&cfg);
	uint64_t base = ti_percpu(ti, 8), v;
	unsigned int cpu, round;
	struct kmem km;

	init(&km, ti);
	for (round = 0; round < 4; round++)
		for (cpu = 0; cpu < MON_MAX_CPUS; cpu++)
			ck_assert_int_eq(0, kmem_read_ptr(
				&km, base + ti->percpu_off[cpu], &v));
	/* some share a slot */
	ck_assert_uint_lt(km.stats.walks, MON_MAX_CPUS * 5 / 4);
	ti_free(ti);
}
END_TEST

/* RAM begins in the midst of 2 MiB here, and so it ends. */
START_TEST(a_large_page_is_translated_once)
{
	struct test_image *ti = ti_new(&(struct ti_config){ 0 });
	uint64_t first = ti_direct(ti, 4096), kva = first, v, walks, last;
	uint64_t direct = first - first % KMEM_LARGE_BYTES;
	unsigned int pages = 0, round;
	struct kmem km;

	while (ti->next_gpa < 15u << 20) /* behind the page tables */
		kva = ti_direct(ti, 4096);
	last = kva - 4096;
	while (last % KMEM_LARGE_BYTES)
		last -= 4096;
	ti->mem.regions[0].len_bytes = last + 8192 - direct - TI_RAM_GPA;
	kva = last - 4096;
	init(&km, ti);
	for (round = 0; round < 2; round++) {
		walks = km.stats.walks;
		for (pages = 0; pages < 500; pages++)
			ck_assert_int_eq(0, kmem_read_ptr(
				&km, kva - pages * 4096ull, &v));
		ck_assert_uint_eq(walks + 1, km.stats.walks);
		kmem_flush(&km);
	}
	/* where not all of it is RAM, what is can still be read */
	ti_write_u64(ti, first, 77);
	ti_write_u64(ti, last, 78);
	ck_assert_int_eq(0, kmem_read_ptr(&km, first, &v));
	ck_assert_uint_eq(77, v);
	ck_assert_int_eq(-EFAULT, kmem_read_ptr(&km, direct + TI_RAM_GPA - 8,
						&v));
	ck_assert_int_eq(0, kmem_read_ptr(&km, last, &v));
	ck_assert_uint_eq(78, v);
	ck_assert_int_eq(-EFAULT, kmem_read_ptr(&km, last + 8192, &v));
	ti_free(ti);
}
END_TEST

START_TEST(unaligned_integers_cross_pages)
{
	struct test_image *ti = ti_new(&(struct ti_config){ 0 });
	uint64_t kva = ti_vmalloc(ti, 2 * 4096), v;
	struct kmem km;

	init(&km, ti);
	ti_write_u64(ti, kva + 4093, 0x1122334455667788);
	ck_assert_int_eq(0, kmem_read_uint(&km, kva + 4093, 8, &v));
	ck_assert_uint_eq(0x1122334455667788, v);
	ck_assert_int_eq(0, kmem_read_uint(&km, kva + 4095, 2, &v));
	ck_assert_uint_eq(0x5566, v);
	ck_assert_int_eq(-EFAULT, kmem_read_uint(&km, kva + 8190, 4, &v));
	ck_assert_uint_eq(0x5566, v);
	ti_free(ti);
}
END_TEST

START_TEST(integers_of_odd_sizes_are_refused)
{
	struct test_image *ti = ti_new(&(struct ti_config){ 0 });
	uint64_t kva = ti_direct(ti, 16), v = 5;
	struct kmem km;

	init(&km, ti);
	ti_write_u64(ti, kva, 0x1122334455667788);
	ck_assert_int_eq(-EINVAL, kmem_read_uint(&km, kva, 0, &v));
	ck_assert_int_eq(-EINVAL, kmem_read_uint(&km, kva, 3, &v));
	ck_assert_int_eq(-EINVAL, kmem_read_uint(&km, kva, 16, &v));
	ck_assert_uint_eq(5, v);
	ck_assert_int_eq(0, kmem_read_uint(&km, kva, 1, &v));
	ck_assert_uint_eq(0x88, v);
	ck_assert_int_eq(0, kmem_read_uint(&km, kva + 4, 4, &v));
	ck_assert_uint_eq(0x11223344, v);
	ti_free(ti);
}
END_TEST

/* A guest that writes two words so that they always differ in all bits. */
struct writer {
	uint64_t *words;
	bool stop;
};

static void *write_words(void *arg)
{
	struct writer *w = arg;
	uint64_t v = 0;

	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		v = ~v;
		__atomic_store_n(&w->words[0], v, __ATOMIC_RELAXED);
		__atomic_store_n(&w->words[1], ~v, __ATOMIC_RELAXED);
	}
	return NULL;
}

START_TEST(a_word_that_is_being_written_is_never_torn)
{
	struct test_image *ti = ti_new(&(struct ti_config){ 0 });
	uint64_t kva = ti_vmalloc(ti, 4096), got[2], again[2];
	struct writer w = { .words = ti_hva(ti, kva) };
	struct kmem km;
	pthread_t t;
	bool stable;
	int i;

	init(&km, ti);
	ck_assert_int_eq(0, pthread_create(&t, NULL, write_words, &w));
	for (i = 0; i < ROUNDS; i++) {
		ck_assert_int_eq(0, kmem_read(&km, kva, got, sizeof(got)));
		ck_assert(got[0] == 0 || ~got[0] == 0);
		ck_assert(got[1] == 0 || ~got[1] == 0);
		ck_assert_int_eq(0, kmem_read_stable(&km, kva, got, again, 8,
						     &stable));
		ck_assert(stable);
	}
	__atomic_store_n(&w.stop, true, __ATOMIC_RELAXED);
	pthread_join(t, NULL);

	ck_assert_int_eq(0, kmem_read_stable(&km, kva, got, again, 16,
					     &stable));
	ck_assert(stable);
	ti_free(ti);
}
END_TEST

/* Mapped so that each of two readings in a row sees something else. */
START_TEST(values_that_never_read_equal_are_unstable)
{
	struct test_image *ti = ti_new(&(struct ti_config){ 0 });
	uint64_t kva = ti_vmalloc(ti, 4096), got[512], again[512];
	struct writer w = { .words = ti_hva(ti, kva) };
	unsigned int unstable = 0, i;
	struct kmem km;
	pthread_t t;
	bool stable;

	init(&km, ti);
	ck_assert_int_eq(0, pthread_create(&t, NULL, write_words, &w));
	for (i = 0; i < 200 * ROUNDS && !unstable; i++) {
		ck_assert_int_eq(0, kmem_read_stable(&km, kva, got, again,
						     sizeof(got), &stable));
		unstable += !stable;
	}
	__atomic_store_n(&w.stop, true, __ATOMIC_RELAXED);
	pthread_join(t, NULL);
	ck_assert_uint_eq(1, unstable);
	ti_free(ti);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("kmem");
	TCase *t = tcase_create("kmem");

	tcase_set_timeout(t, 20);
	tcase_add_test(t, copies_are_exact_at_every_alignment);
	tcase_add_loop_test(t, reads_cross_pages_that_are_no_neighbours, 0, 2);
	tcase_add_test(t, translations_are_reused_until_flushed);
	tcase_add_loop_test(t, no_translation_outlives_any_number_of_flushes,
			    0, 2);
	tcase_add_test(t, pages_far_apart_are_translated_once_a_look);
	tcase_add_test(t, a_large_page_is_translated_once);
	tcase_add_test(t, unaligned_integers_cross_pages);
	tcase_add_test(t, integers_of_odd_sizes_are_refused);
	tcase_add_test(t, a_word_that_is_being_written_is_never_torn);
	tcase_add_test(t, values_that_never_read_equal_are_unstable);
	suite_add_tcase(s, t);
	return test_run(s);
}
