// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/acpi.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/test_run.h"
#include "vmm/aml.h"
#include "vmm/layout.h"
#include "vmm/memory.h"
#include "vmm/test_topologies.h"
#include "vmm/topology.h"
#include "vmm/virtio_mmio.h"

#define GPA 0xe0000ULL
#define MEMORY (512 * MIB)

static uint8_t area[64 << 10];
static long used;
static enum vm_transport transport = VM_TRANSPORT_MMIO;

static uint64_t get(const uint8_t *p, size_t bytes)
{
	uint64_t v = 0;

	memcpy(&v, p, bytes);
	return v;
}

static void build(const struct vm_topology *t, uint64_t memory,
		  unsigned int nr_virtio)
{
	const struct acpi_config cfg = {
		.topology = t,
		.memory_bytes = memory,
		.transport = transport,
		.nr_virtio = nr_virtio,
	};

	memset(area, 0, sizeof(area));
	used = acpi_build(&cfg, area, sizeof(area), GPA);
	ck_assert_int_gt(used, 0);
}

static uint8_t sum(const uint8_t *p, size_t len)
{
	uint8_t s = 0;

	while (len--)
		s += *p++;
	return s;
}

/* As a kernel does: RSDP to XSDT to the table, checking on the way. */
static const uint8_t *table(const char *sig, size_t *len)
{
	const uint8_t *xsdt, *t;
	size_t i, n;

	ck_assert_mem_eq("RSD PTR ", area, 8);
	ck_assert_uint_eq(0, sum(area, 20));
	ck_assert_uint_eq(0, sum(area, get(area + 20, 4)));
	xsdt = area + (get(area + 24, 8) - GPA);
	ck_assert_mem_eq("XSDT", xsdt, 4);
	n = get(xsdt + 4, 4);
	ck_assert_uint_eq(0, sum(xsdt, n));
	for (i = 36; i < n; i += 8) {
		t = area + (get(xsdt + i, 8) - GPA);
		if (memcmp(t, sig, 4))
			continue;
		*len = get(t + 4, 4);
		ck_assert(t + *len <= area + used);
		ck_assert_uint_eq(0, sum(t, *len));
		return t;
	}
	ck_abort_msg("no %s", sig);
}

static const uint8_t *dsdt(size_t *len)
{
	size_t n;
	const uint8_t *fadt = table("FACP", &n);
	const uint8_t *d = area + (get(fadt + 140, 8) - GPA);

	ck_assert_mem_eq("DSDT", d, 4);
	*len = get(d + 4, 4);
	ck_assert_uint_eq(0, sum(d, *len));
	return d;
}

START_TEST(the_fadt_is_hardware_reduced_and_names_the_end_ports)
{
	const struct vm_topology t = { 0, 1, 1, 1, 1 };
	const uint8_t *f;
	size_t len;

	build(&t, MEMORY, 1);
	f = table("FACP", &len);
	ck_assert_uint_eq(276, len);
	ck_assert_uint_eq(1 << 20 | 1 << 10 | 1 << 5 | 1 << 4,
			  get(f + 112, 4));
	/* bit 1, the 8042, is clear: the kernel does not probe for it */
	ck_assert_uint_eq(1 << 2 | 1 << 5, get(f + 109, 2));
	ck_assert_uint_eq(LAYOUT_PORT_RESET, get(f + 120, 8));
	ck_assert_uint_eq(LAYOUT_PORT_SLEEP_CONTROL, get(f + 248, 8));
	ck_assert_uint_eq(LAYOUT_PORT_SLEEP_STATUS, get(f + 260, 8));
}
END_TEST

START_TEST(the_madt_lists_every_cpu_in_order_the_bsp_first)
{
	const struct vm_topology *t = &test_topologies[_i];
	unsigned int cpu = 0, ioapics = 0;
	const uint8_t *m;
	size_t len, at;

	build(t, MEMORY, 1);
	m = table("APIC", &len);
	for (at = 44; at < len; at += m[at + 1]) {
		uint32_t id;

		if (m[at] == 1) {
			ioapics++;
			ck_assert_uint_eq(0xfec00000, get(m + at + 4, 4));
			continue;
		}
		if (m[at] == 0) {
			id = m[at + 3];
			ck_assert_uint_eq(1, get(m + at + 4, 4));
		} else {
			ck_assert_uint_eq(9, m[at]);
			id = get(m + at + 4, 4);
			ck_assert_uint_gt(id, 254);
			ck_assert_uint_eq(1, get(m + at + 8, 4));
		}
		ck_assert_uint_eq(topology_cpu_get(t, cpu).apic_id, id);
		cpu++;
	}
	ck_assert_uint_eq(len, at);
	ck_assert_uint_eq(vm_topology_cpus(t), cpu);
	ck_assert_uint_eq(1, ioapics);
}
END_TEST

START_TEST(the_srat_places_every_cpu)
{
	const struct vm_topology *t = &test_topologies[_i];
	unsigned int cpu = 0;
	const uint8_t *s;
	size_t len, at;

	build(t, MEMORY, 1);
	s = table("SRAT", &len);
	for (at = 48; at < len; at += s[at + 1]) {
		struct topology_cpu c;
		uint32_t node, id;

		if (s[at] == 1)
			continue;
		c = topology_cpu_get(t, cpu++);
		node = s[at] == 0 ? s[at + 2] : get(s + at + 4, 4);
		id = s[at] == 0 ? s[at + 3] : get(s + at + 8, 4);
		ck_assert_uint_eq(c.node, node);
		ck_assert_uint_eq(c.apic_id, id);
		ck_assert_uint_eq(1, get(s + at + (s[at] == 0 ? 4 : 12), 4));
	}
	ck_assert_uint_eq(len, at);
	ck_assert_uint_eq(vm_topology_cpus(t), cpu);
}
END_TEST

static const uint64_t sizes[] = {
	128 * MIB,	  130 * MIB,	 512 * MIB,	   3 * GIB - 2 * MIB,
	3 * GIB,	  3 * GIB + 2 * MIB, 3 * GIB + 512 * MIB, 4 * GIB,
};

/* Every byte of RAM is in one node, and no byte that is not RAM. */
START_TEST(the_srat_covers_ram_on_both_sides_of_the_hole)
{
	static const unsigned int nodes[] = { 1, 2, 3, 7, 8 };
	uint64_t bytes = sizes[_i];
	size_t n;

	for (n = 0; n < sizeof(nodes) / sizeof(nodes[0]); n++) {
		const struct vm_topology t = { 0, nodes[n], nodes[n], 1, 1 };
		uint64_t next = 0, total = 0, per_node[8] = { 0 };
		const uint8_t *s;
		size_t len, at;

		build(&t, bytes, 1);
		s = table("SRAT", &len);
		for (at = 48; at < len; at += s[at + 1]) {
			uint64_t gpa, size;

			if (s[at] != 1)
				continue;
			gpa = get(s + at + 8, 8);
			size = get(s + at + 16, 8);
			ck_assert_uint_eq(vm_memory_gpa(next), gpa);
			ck_assert_uint_gt(size, 0);
			ck_assert(gpa + size <= LAYOUT_HOLE ||
				  gpa >= LAYOUT_HOLE_END);
			per_node[get(s + at + 2, 4)] += size;
			next += size;
			total += size;
		}
		ck_assert_uint_eq(bytes, total);
		for (at = 0; at < nodes[n]; at++)
			ck_assert_uint_ge(per_node[at],
					  bytes / nodes[n] - 2 * MIB);
	}
}
END_TEST

START_TEST(tables_that_do_not_fit_are_refused)
{
	const struct vm_topology t = { 0, 1, 4, 16, 1 };
	const struct acpi_config cfg = {
		.topology = &t,
		.memory_bytes = MEMORY,
		.transport = VM_TRANSPORT_MMIO,
		.nr_virtio = 9,
	};
	size_t cap;

	build(&t, MEMORY, 9);
	for (cap = 0; cap < (size_t)used; cap += 7)
		ck_assert_int_eq(-E2BIG, acpi_build(&cfg, area, cap, GPA));
	ck_assert_int_eq(used, acpi_build(&cfg, area, used, GPA));
	ck_assert_uint_lt(used, LAYOUT_ACPI_BYTES);
}
END_TEST

/* Lengths on both sides of each encoding's limit. Source: ACPI 6.5, 20.2.4. */
START_TEST(package_lengths_count_themselves)
{
	static const struct {
		size_t body, bytes;
	} cases[] = {
		{ 0, 1 },      { 62, 1 },     { 63, 2 },
		{ 4093, 2 },   { 4094, 3 },   { 20000, 3 },
	};
	static uint8_t buf[32 << 10], body[20000];
	size_t i, k, len;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct aml_block b;
		struct aml a;

		aml_init(&a, buf, sizeof(buf));
		b = aml_begin(&a);
		memset(body, 0xab, cases[i].body);
		aml_bytes(&a, body, cases[i].body);
		aml_end(&a, b);
		ck_assert_uint_eq(cases[i].body + cases[i].bytes, a.len);
		ck_assert_uint_eq(cases[i].bytes - 1, buf[0] >> 6);
		len = cases[i].bytes == 1 ? buf[0] & 0x3f : buf[0] & 0xf;
		for (k = 1; k < cases[i].bytes; k++)
			len |= (size_t)buf[k] << (8 * k - 4);
		ck_assert_uint_eq(a.len, len);
	}
}
END_TEST

static bool has_iasl(void)
{
	return system("command -v iasl >/dev/null 2>&1") == 0;
}

static void write_file(const char *dir, const char *name, const void *data,
		       size_t len)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(len, fwrite(data, 1, len, f));
	ck_assert_int_eq(0, fclose(f));
}

static char *read_text(const char *dir, const char *name)
{
	static char text[256 << 10];
	char path[256];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	ck_assert_msg(f != NULL, "iasl wrote no %s", name);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	return text;
}

static unsigned int occurrences(const char *text, const char *what)
{
	unsigned int n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

static void look_for_mmio(const char *text)
{
	char base[16];

	ck_assert_uint_eq(9, occurrences(text, "\"LNRO0005\""));
	ck_assert_uint_eq(9, occurrences(text, "Memory32Fixed (ReadWrite"));
	ck_assert_uint_eq(10, occurrences(text,
		"Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive"));
	ck_assert_uint_eq(0, occurrences(text, "PNP0A03"));
	snprintf(base, sizeof(base), "0x%08llX,",
		 LAYOUT_VIRTIO_MMIO + 8 * VIRTIO_MMIO_BYTES);
	ck_assert_msg(strstr(text, base), "no %s", base);
}

/* Bus 0 alone, the ports, and the window: no more is behind the bridge. */
static void look_for_pci(const char *text)
{
	ck_assert_uint_eq(0, occurrences(text, "\"LNRO0005\""));
	ck_assert_uint_eq(1, occurrences(text, "EisaId (\"PNP0A03\")"));
	ck_assert_uint_eq(1, occurrences(text,
		"WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode"));
	ck_assert_uint_eq(1, occurrences(text,
		"DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite"));
	ck_assert_uint_eq(1, occurrences(text, "0xC0000000,"));
	ck_assert_uint_eq(1, occurrences(text, "0xCFFFFFFF,"));
	ck_assert_uint_eq(1, occurrences(text, "0x10000000,"));
	ck_assert_uint_eq(2, occurrences(text, "0x0CF8,"));
	ck_assert_uint_eq(0, occurrences(text, "_PRT"));
}

/* The reference compiler takes our AML apart, and together again. */
START_TEST(iasl_accepts_every_table)
{
	static const char *const sigs[] = { "FACP", "APIC", "SRAT" };
	const struct vm_topology t = { 0, 2, 4, 2, 2 };
	char dir[] = "/tmp/acpi_test.XXXXXX";
	char cmd[512], name[16];
	const uint8_t *p;
	char *text;
	size_t len, i;

	if (!has_iasl()) {
		fprintf(stderr,
			"acpi_test: skipped: iasl is not installed (package acpica-tools)\n");
		return;
	}
	ck_assert_ptr_nonnull(mkdtemp(dir));
	transport = _i;
	build(&t, 4 * GIB, 9);
	p = dsdt(&len);
	write_file(dir, "dsdt.dat", p, len);
	for (i = 0; i < 3; i++) {
		p = table(sigs[i], &len);
		snprintf(name, sizeof(name), "%s.dat", sigs[i]);
		write_file(dir, name, p, len);
	}
	snprintf(cmd, sizeof(cmd),
		 "cd %s && iasl -d *.dat >log 2>&1 && iasl -p again dsdt.dsl >>log 2>&1 && "
		 "! grep -iE 'error [^0]|checksum' log >/dev/null",
		 dir);
	i = system(cmd);
	text = read_text(dir, "log");
	ck_assert_msg(i == 0 && strstr(text, "0 Errors"), "%s",
		      strlen(text) > 900 ? text + strlen(text) - 900 : text);

	text = read_text(dir, "dsdt.dsl");
	ck_assert_uint_eq(1, occurrences(text, "PNP0501"));
	ck_assert_uint_eq(1, occurrences(text, "Name (_S5"));
	if (transport == VM_TRANSPORT_PCI)
		look_for_pci(text);
	else
		look_for_mmio(text);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(0, system(cmd));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("acpi");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 20);
	suite_add_tcase(s, t);
	tcase_add_test(t, the_fadt_is_hardware_reduced_and_names_the_end_ports);
	tcase_add_loop_test(t, the_madt_lists_every_cpu_in_order_the_bsp_first,
			    0, TEST_TOPOLOGIES);
	tcase_add_loop_test(t, the_srat_places_every_cpu, 0, TEST_TOPOLOGIES);
	tcase_add_loop_test(t, the_srat_covers_ram_on_both_sides_of_the_hole,
			    0, sizeof(sizes) / sizeof(sizes[0]));
	tcase_add_test(t, tables_that_do_not_fit_are_refused);
	tcase_add_test(t, package_lengths_count_themselves);
	tcase_add_loop_test(t, iasl_accepts_every_table, VM_TRANSPORT_PCI,
			    VM_TRANSPORT_MMIO + 1);
	return test_run(s);
}
