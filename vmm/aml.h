/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A byte buffer that ACPI tables and AML are written into, and the few AML
 * terms that our DSDT needs.
 */
#ifndef KTSTR_VMM_AML_H
#define KTSTR_VMM_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Storage is the caller's. What does not fit is dropped and remembered. */
struct aml {
	uint8_t *buf;	/* borrowed */
	size_t cap, len;
	bool overflow;
};

void aml_init(struct aml *a, void *buf, size_t cap);

void aml_bytes(struct aml *a, const void *data, size_t len);
/** aml_le() - @size bytes of @value, little endian: a field of a table */
void aml_le(struct aml *a, uint64_t value, size_t size);

/* A term of variable length: what is written between begin and end. */
struct aml_block {
	size_t start;
};

/**
 * aml_begin() - open a block
 *
 * Call after the opcode was written; aml_end() puts the PkgLength in front of
 * what came between. Blocks nest. Source: ACPI 6.5, 20.2.4.
 */
struct aml_block aml_begin(struct aml *a);
void aml_end(struct aml *a, struct aml_block b);

/** aml_scope() - Scope (@name) {; @name is an AML NameString */
struct aml_block aml_scope(struct aml *a, const char *name);
/** aml_device() - Device (@seg) {; @seg has four characters */
struct aml_block aml_device(struct aml *a, const char *seg);

/* Name (@seg, ...) and its value */
void aml_name_int(struct aml *a, const char *seg, uint32_t value);
void aml_name_string(struct aml *a, const char *seg, const char *value);
/** aml_name_eisaid() - @id as in "PNP0501" */
void aml_name_eisaid(struct aml *a, const char *seg, const char *id);
/** aml_name_package() - integers, at most 8 */
void aml_name_package(struct aml *a, const char *seg, const uint32_t *values,
		      uint8_t nr);

/* One device's _CRS: resources are added to a small template of its own. */
struct aml_crs {
	uint8_t buf[64];
	struct aml a;
};

void aml_crs_init(struct aml_crs *c);
void aml_crs_memory(struct aml_crs *c, uint32_t base, uint32_t len);
void aml_crs_io(struct aml_crs *c, uint16_t base, uint8_t len);
/** aml_crs_bus() - PCI bus numbers that a bridge produces */
void aml_crs_bus(struct aml_crs *c, uint16_t first, uint16_t last);
/** aml_crs_window() - memory that a bridge produces, not cacheable */
void aml_crs_window(struct aml_crs *c, uint32_t base, uint32_t len);
/** aml_crs_irq() - edge, active high, exclusive */
void aml_crs_irq(struct aml_crs *c, uint32_t gsi);
/** aml_name_crs() - end the template and write Name (_CRS, ...) */
void aml_name_crs(struct aml *a, struct aml_crs *c);

#endif
