/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the host's monitor must know of this kernel to read it from outside:
 * a few addresses, and how its pages are mapped. Called once by agent/main.c.
 */
#ifndef KTSTR_AGENT_SYMBOLS_H
#define KTSTR_AGENT_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYMBOLS_NR 23

extern const char *const symbol_names[SYMBOLS_NR];

struct symbols {
	uint64_t addr[SYMBOLS_NR];	/* 0: not found */
	uint64_t kernel_code_phys;	/* 0: not found */
	unsigned int levels;		/* paging levels in use: 4 or 5 */
};

/* State of a scan of /proc/kallsyms, fed in pieces. */
struct symbols_scan {
	struct symbols *out;
	unsigned int missing;
	size_t len;
	char line[512];	/* longer ones are cut, and match nothing */
};

void symbols_scan_init(struct symbols_scan *s, struct symbols *out);

/**
 * symbols_scan_feed() - more text
 *
 * Return: false when every symbol is found, and the rest need not be read.
 */
bool symbols_scan_feed(struct symbols_scan *s, const char *text, size_t len);

/**
 * symbols_read() - all of it
 * @root: "" for the system's own, or a test's tree with a proc/ in it
 *
 * Symbols that this kernel lacks stay 0.
 *
 * Return: 0; -errno of a file; -EPERM when the kernel hides its addresses.
 */
int symbols_read(const char *root, struct symbols *out);

#endif
