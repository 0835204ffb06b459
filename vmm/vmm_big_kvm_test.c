// SPDX-License-Identifier: GPL-2.0-only
/* The largest machine: its memory is reserved, and not touched. */
#include "vmm/vmm.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/test_run.h"
#include "vmm/layout.h"
#include "vmm/test_guest.h"

#define TOP_GPA (17 * GIB - 8)
#define TOP_VALUE 0x6b747374
/* What the process, the tables and a huge page or two may take. */
#define RSS_MAX (96 * MIB)

/*
 * Maps the last 2 MiB, which the boot tables leave out, and writes its last
 * word: the PDPT is the second page at LAYOUT_PAGE_TABLES, the PD is ours.
 */
GUEST(write_top,
"	movabs $0x43fe00083, %rax\n"
"	mov $0x8ff8, %edi\n"
"	mov %rax, (%rdi)\n"
"	mov $0x8003, %eax\n"
"	mov $0xa5080, %edi\n"
"	mov %rax, (%rdi)\n"
"	mov %cr3, %rax\n"
"	mov %rax, %cr3\n"
"	movabs $0x43ffffff8, %rdi\n"
"	movl $0x6b747374, (%rdi)\n"
"	mov $0x602, %dx\n"
"	mov $1, %al\n"
"	out %al, %dx\n"
"1:	jmp 1b\n");

static uint64_t rss_bytes(void)
{
	unsigned long long size, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(2, fscanf(f, "%llu %llu", &size, &resident));
	fclose(f);
	return resident * sysconf(_SC_PAGESIZE);
}

START_TEST(sixteen_gib_are_there_and_not_taken)
{
	struct guest_run g = { CODE(write_top), .memory_bytes = 16 * GIB };
	uint64_t before = rss_bytes();
	uint32_t *top;

	guest_new(&g);
	guest_go(&g, VM_END_RESET);
	top = guest_mem_hva(vm_guest_mem(g.vm), TOP_GPA, sizeof(*top));
	ck_assert_ptr_nonnull(top);
	ck_assert_uint_eq(TOP_VALUE, *top);
	ck_assert_uint_le(rss_bytes(), before + RSS_MAX);
	vm_free(g.vm);
}
END_TEST

START_TEST(sixteen_vcpus_with_sixteen_gib_start_and_end)
{
	struct guest_run g = {
		CODE(write_top),
		.memory_bytes = 16 * GIB,
		.topology = { 0, 2, 4, 2, 2 },
	};
	uint64_t before = rss_bytes();

	ck_assert_uint_eq(16, vm_topology_cpus(&g.topology));
	guest_new(&g);
	guest_go(&g, VM_END_RESET);
	ck_assert_uint_le(rss_bytes(), before + RSS_MAX);
	vm_free(g.vm);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm_big_kvm");
	TCase *tc = tcase_create("big");

	if (!guest_can_run("vmm_big_kvm_test"))
		return EXIT_SUCCESS;
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, sixteen_gib_are_there_and_not_taken);
	tcase_add_test(tc, sixteen_vcpus_with_sixteen_gib_start_and_end);
	suite_add_tcase(s, tc);
	return test_run(s);
}
