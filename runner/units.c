// SPDX-License-Identifier: GPL-2.0-only
#include "runner/units.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define KI (1ULL << 10)
#define MI (1ULL << 20)
#define GI (1ULL << 30)
#define TI (1ULL << 40)

struct unit {
	const char *name;
	uint64_t factor;
	bool canonical; /* one that unit_format() writes */
};

#define MAX_UNITS 12

static const struct unit_table {
	struct unit units[MAX_UNITS]; /* canonical ones ascend */
	const char *examples;
} unit_tables[] = {
	[UNIT_SIZE] = {
		.units = {
			{ "B", 1, true },
			{ "K", KI, true }, { "KiB", KI, false },
			{ "M", MI, true }, { "MiB", MI, false },
			{ "G", GI, true }, { "GiB", GI, false },
			{ "T", TI, false }, { "TiB", TI, false },
		},
		.examples = "\"4096B\", \"64K\", \"256M\", \"1G\" (powers of 1024) or bytes as an integer",
	},
	[UNIT_TIME] = {
		.units = {
			{ "ns", 1, true },
			{ "us", 1000, true }, { "\302\265s", 1000, false },
			{ "ms", 1000000, true },
			{ "s", 1000000000, true },
			{ "min", 60000000000, false },
			{ "h", 3600000000000, false },
		},
		.examples = "\"500us\", \"250ms\", \"2s\" or nanoseconds as an integer",
	},
	[UNIT_BPS] = {
		.units = {
			{ "B/s", 1, true },
			{ "KB/s", 1000, true }, { "KiB/s", KI, false },
			{ "MB/s", 1000000, true }, { "MiB/s", MI, false },
			{ "GB/s", 1000000000, true }, { "GiB/s", GI, false },
		},
		.examples = "\"500KB/s\", \"8MB/s\", \"64MiB/s\" or bytes per second as an integer",
	},
	[UNIT_PER_S] = {
		.units = {
			{ "/s", 1, true },
		},
		.examples = "500 or \"500/s\"",
	},
};

static const struct wrong_unit {
	enum unit_kind kind;
	const char *wrong, *meant;
} wrong_units[] = {
	{ UNIT_SIZE, "KB", "K or KiB" },   { UNIT_SIZE, "kB", "K or KiB" },
	{ UNIT_SIZE, "MB", "M or MiB" },   { UNIT_SIZE, "GB", "G or GiB" },
	{ UNIT_SIZE, "TB", "T or TiB" },   { UNIT_SIZE, "Mi", "MiB" },
	{ UNIT_SIZE, "Ki", "KiB" },	   { UNIT_SIZE, "Gi", "GiB" },
	{ UNIT_SIZE, "b", "B" },	   { UNIT_TIME, "sec", "s" },
	{ UNIT_TIME, "secs", "s" },	   { UNIT_TIME, "msec", "ms" },
	{ UNIT_TIME, "usec", "us" },	   { UNIT_TIME, "nsec", "ns" },
	{ UNIT_TIME, "m", "min or ms" },   { UNIT_TIME, "minutes", "min" },
	{ UNIT_TIME, "seconds", "s" },	   { UNIT_BPS, "K", "KB/s or KiB/s" },
	{ UNIT_BPS, "M", "MB/s or MiB/s" }, { UNIT_BPS, "G", "GB/s or GiB/s" },
	{ UNIT_BPS, "KB", "KB/s" },	   { UNIT_BPS, "MB", "MB/s" },
	{ UNIT_BPS, "GB", "GB/s" },	   { UNIT_BPS, "MiB", "MiB/s" },
	{ UNIT_BPS, "KiB", "KiB/s" },	   { UNIT_BPS, "bps", "B/s" },
	{ UNIT_BPS, "Mbps", "MB/s (bytes)" }, { UNIT_BPS, "MBps", "MB/s" },
	{ UNIT_BPS, "B", "B/s" },	   { UNIT_PER_S, "iops", "/s" },
	{ UNIT_PER_S, "IOPS", "/s" },	   { UNIT_PER_S, "Hz", "/s" },
};

/* With at most MAX_DECIMALS after the point this is far beyond any value. */
#define MAX_DIGITS ((unsigned __int128)1000000000000000 * 1000000000000000)
#define MAX_DECIMALS 12

/* A decimal number: digits * 10^-decimals. */
struct decimal {
	unsigned __int128 digits;
	unsigned int decimals;
	bool too_long;
	const char *end;
};

static bool decimal_parse(const char *text, struct decimal *d)
{
	const char *p = text;
	bool point = false;

	*d = (struct decimal){ 0 };
	for (;; p++) {
		if (*p == '.' && !point && p > text && isdigit(p[1])) {
			point = true;
			continue;
		}
		if (!isdigit((unsigned char)*p))
			break;
		d->decimals += point;
		if (d->digits > MAX_DIGITS)
			d->too_long = true;
		else
			d->digits = d->digits * 10 + (*p - '0');
	}
	d->end = p;
	return p > text && d->decimals <= MAX_DECIMALS;
}

static const char *unit_part(const char *text)
{
	struct decimal d;

	decimal_parse(text, &d);
	return *d.end == ' ' ? d.end + 1 : d.end;
}

enum unit_status unit_parse(enum unit_kind kind, const char *text,
			    uint64_t *value)
{
	const struct unit *u = unit_tables[kind].units;
	unsigned __int128 product, divisor = 1;
	struct decimal d;
	const char *name;

	if (!decimal_parse(text, &d))
		return UNIT_NO_NUMBER;
	name = *d.end == ' ' ? d.end + 1 : d.end;
	if (!*name)
		return UNIT_MISSING;
	while (u->name && strcmp(u->name, name))
		u++;
	if (!u->name)
		return UNIT_UNKNOWN;

	if (d.too_long)
		return UNIT_RANGE;
	while (d.decimals--)
		divisor *= 10;
	if (d.digits / divisor > INT64_MAX / u->factor)
		return UNIT_RANGE;
	product = d.digits * u->factor;
	if (product % divisor)
		return UNIT_FRACTION;
	product /= divisor;
	if (product > INT64_MAX)
		return UNIT_RANGE;
	*value = product;
	return UNIT_OK;
}

const char *unit_examples(enum unit_kind kind)
{
	return unit_tables[kind].examples;
}

const char *unit_suggest(enum unit_kind kind, const char *text)
{
	const char *name = unit_part(text);
	size_t i;

	for (i = 0; i < sizeof(wrong_units) / sizeof(wrong_units[0]); i++)
		if (wrong_units[i].kind == kind &&
		    !strcmp(wrong_units[i].wrong, name))
			return wrong_units[i].meant;
	return NULL;
}

char *unit_format(enum unit_kind kind, uint64_t value, char *buf)
{
	const struct unit *u = unit_tables[kind].units;
	const struct unit *best = u;

	for (; u->name; u++)
		if (u->canonical && value && value % u->factor == 0)
			best = u;
	snprintf(buf, UNIT_TEXT_LEN, "%llu%s",
		 (unsigned long long)(value / best->factor), best->name);
	return buf;
}

char *unit_format_short(enum unit_kind kind, double value, char *buf)
{
	const struct unit *u = unit_tables[kind].units;
	const struct unit *best = u;
	double scaled;
	int decimals;

	for (; u->name; u++)
		if (u->canonical && fabs(value) >= (double)u->factor)
			best = u;
	scaled = value / (double)best->factor;
	decimals = fabs(scaled) >= 100 ? 0 : fabs(scaled) >= 10 ? 1 : 2;
	if (best->factor == 1 && scaled == floor(scaled))
		decimals = 0;
	snprintf(buf, UNIT_TEXT_LEN, "%.*f%s", decimals, scaled, best->name);
	return buf;
}
