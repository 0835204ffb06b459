// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/aml.h"

#include <string.h>

/* Opcodes. Source: ACPI 6.5, 20.3. */
enum {
	AML_ZERO = 0x00,
	AML_ONE = 0x01,
	AML_NAME = 0x08,
	AML_BYTE = 0x0a,
	AML_WORD = 0x0b,
	AML_DWORD = 0x0c,
	AML_STRING = 0x0d,
	AML_SCOPE = 0x10,
	AML_BUFFER = 0x11,
	AML_PACKAGE = 0x12,
	AML_EXT = 0x5b,
	AML_EXT_DEVICE = 0x82,
};

/* Resource descriptors. Source: ACPI 6.5, 6.4. */
enum {
	RES_IO = 0x47,
	RES_END = 0x79,
	RES_MEMORY32_FIXED = 0x86,
	RES_DWORD_SPACE = 0x87,
	RES_WORD_SPACE = 0x88,
	RES_EXT_IRQ = 0x89,
};

void aml_init(struct aml *a, void *buf, size_t cap)
{
	*a = (struct aml){ .buf = buf, .cap = cap };
}

void aml_bytes(struct aml *a, const void *data, size_t len)
{
	if (len > a->cap - a->len) {
		a->overflow = true;
		return;
	}
	memcpy(a->buf + a->len, data, len);
	a->len += len;
}

void aml_le(struct aml *a, uint64_t value, size_t size)
{
	uint8_t b[8];
	size_t i;

	for (i = 0; i < size; i++)
		b[i] = value >> (8 * i);
	aml_bytes(a, b, size);
}

static void op(struct aml *a, uint8_t byte)
{
	aml_bytes(a, &byte, 1);
}

struct aml_block aml_begin(struct aml *a)
{
	return (struct aml_block){ a->len };
}

void aml_end(struct aml *a, struct aml_block b)
{
	size_t body = a->len - b.start;
	uint8_t len[4];
	size_t n, i, total;

	/* The length counts itself; one byte holds 6 bits, n > 1 hold 8n-4. */
	for (n = 1; n < 4; n++)
		if (body + n < (n == 1 ? 0x40U : 1U << (8 * n - 4)))
			break;
	total = body + n;
	if (n == 1) {
		len[0] = total;
	} else {
		len[0] = (n - 1) << 6 | (total & 0xf);
		for (i = 1; i < n; i++)
			len[i] = total >> (8 * i - 4);
	}
	if (n > a->cap - a->len) {
		a->overflow = true;
		return;
	}
	memmove(a->buf + b.start + n, a->buf + b.start, body);
	memcpy(a->buf + b.start, len, n);
	a->len += n;
}

static void integer(struct aml *a, uint32_t value)
{
	if (value <= 1) {
		op(a, value ? AML_ONE : AML_ZERO);
	} else if (value <= 0xff) {
		op(a, AML_BYTE);
		aml_le(a, value, 1);
	} else if (value <= 0xffff) {
		op(a, AML_WORD);
		aml_le(a, value, 2);
	} else {
		op(a, AML_DWORD);
		aml_le(a, value, 4);
	}
}

struct aml_block aml_scope(struct aml *a, const char *name)
{
	struct aml_block b;

	op(a, AML_SCOPE);
	b = aml_begin(a);
	aml_bytes(a, name, strlen(name));
	return b;
}

struct aml_block aml_device(struct aml *a, const char *seg)
{
	struct aml_block b;

	op(a, AML_EXT);
	op(a, AML_EXT_DEVICE);
	b = aml_begin(a);
	aml_bytes(a, seg, 4);
	return b;
}

static void name(struct aml *a, const char *seg)
{
	op(a, AML_NAME);
	aml_bytes(a, seg, 4);
}

void aml_name_int(struct aml *a, const char *seg, uint32_t value)
{
	name(a, seg);
	integer(a, value);
}

void aml_name_string(struct aml *a, const char *seg, const char *value)
{
	name(a, seg);
	op(a, AML_STRING);
	aml_bytes(a, value, strlen(value) + 1);
}

static uint32_t hex(char c)
{
	return c <= '9' ? c - '0' : c - 'A' + 10;
}

/* Three letters of 5 bits and four hex digits, big endian. */
static uint32_t eisaid(const char *id)
{
	uint32_t v = (uint32_t)(id[0] - 0x40) << 26 |
		     (uint32_t)(id[1] - 0x40) << 21 |
		     (uint32_t)(id[2] - 0x40) << 16 | hex(id[3]) << 12 |
		     hex(id[4]) << 8 | hex(id[5]) << 4 | hex(id[6]);

	return __builtin_bswap32(v);
}

void aml_name_eisaid(struct aml *a, const char *seg, const char *id)
{
	name(a, seg);
	op(a, AML_DWORD);
	aml_le(a, eisaid(id), 4);
}

void aml_name_package(struct aml *a, const char *seg, const uint32_t *values,
		      uint8_t nr)
{
	struct aml_block b;
	uint8_t i;

	name(a, seg);
	op(a, AML_PACKAGE);
	b = aml_begin(a);
	op(a, nr);
	for (i = 0; i < nr; i++)
		integer(a, values[i]);
	aml_end(a, b);
}

void aml_crs_init(struct aml_crs *c)
{
	aml_init(&c->a, c->buf, sizeof(c->buf));
}

void aml_crs_memory(struct aml_crs *c, uint32_t base, uint32_t len)
{
	op(&c->a, RES_MEMORY32_FIXED);
	aml_le(&c->a, 9, 2);
	op(&c->a, 1); /* writable */
	aml_le(&c->a, base, 4);
	aml_le(&c->a, len, 4);
}

void aml_crs_io(struct aml_crs *c, uint16_t base, uint8_t len)
{
	op(&c->a, RES_IO);
	op(&c->a, 1); /* decodes 16 bits */
	aml_le(&c->a, base, 2);
	aml_le(&c->a, base, 2);
	op(&c->a, 1); /* alignment */
	op(&c->a, len);
}

/* Types and flags of an address space. Source: ACPI 6.5, 6.4.3.5. */
#define SPACE_MEMORY 0
#define SPACE_BUS 2
#define SPACE_FIXED 0x0c /* both ends; produced, for what is below */
#define MEMORY_WRITABLE 0x01

/* @size of a number is 2 or 4 bytes, as the descriptor's name has it. */
static void space(struct aml_crs *c, uint8_t type, uint8_t flags,
		  uint64_t first, uint64_t last, size_t size)
{
	aml_le(&c->a, 3 + 5 * size, 2);
	op(&c->a, type);
	op(&c->a, SPACE_FIXED);
	op(&c->a, flags);
	aml_le(&c->a, 0, size); /* granularity */
	aml_le(&c->a, first, size);
	aml_le(&c->a, last, size);
	aml_le(&c->a, 0, size); /* no translation */
	aml_le(&c->a, last - first + 1, size);
}

void aml_crs_bus(struct aml_crs *c, uint16_t first, uint16_t last)
{
	op(&c->a, RES_WORD_SPACE);
	space(c, SPACE_BUS, 0, first, last, 2);
}

void aml_crs_window(struct aml_crs *c, uint32_t base, uint32_t len)
{
	op(&c->a, RES_DWORD_SPACE);
	space(c, SPACE_MEMORY, MEMORY_WRITABLE, base, base + (len - 1), 4);
}

void aml_crs_irq(struct aml_crs *c, uint32_t gsi)
{
	op(&c->a, RES_EXT_IRQ);
	aml_le(&c->a, 6, 2);
	op(&c->a, 0x03); /* consumer, edge, active high, exclusive */
	op(&c->a, 1);
	aml_le(&c->a, gsi, 4);
}

void aml_name_crs(struct aml *a, struct aml_crs *c)
{
	struct aml_block b;

	op(&c->a, RES_END);
	op(&c->a, 0); /* no checksum */
	name(a, "_CRS");
	op(a, AML_BUFFER);
	b = aml_begin(a);
	integer(a, c->a.len);
	aml_bytes(a, c->buf, c->a.len);
	aml_end(a, b);
	a->overflow |= c->a.overflow;
}
