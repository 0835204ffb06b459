/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sizes, times and rates as a scenario writes them ("256M", "250ms",
 * "8MB/s"), to and from the base unit. Pure; used by the scenario parser,
 * --print-config and the report.
 */
#ifndef KTSTR_RUNNER_UNITS_H
#define KTSTR_RUNNER_UNITS_H

#include <stddef.h>
#include <stdint.h>

/*
 * K, M, G of a size are powers of 1024; KB/s of a byte rate powers of 1000;
 * KiB is always 1024.
 */
enum unit_kind {
	UNIT_SIZE,	/* bytes */
	UNIT_TIME,	/* nanoseconds */
	UNIT_BPS,	/* bytes per second */
	UNIT_PER_S,	/* operations per second */
};

enum unit_status {
	UNIT_OK,
	UNIT_NO_NUMBER,	/* does not begin with a decimal number */
	UNIT_MISSING,	/* a number and nothing after it */
	UNIT_UNKNOWN,	/* the text after the number is no unit of the kind */
	UNIT_FRACTION,	/* not a whole number of base units */
	UNIT_RANGE,	/* more than 2^63-1 base units */
};

#define UNIT_TEXT_LEN 32

/**
 * unit_parse() - "1.5ms" → 1500000
 * @value: written on UNIT_OK only; at most INT64_MAX
 *
 * Exact: decimal arithmetic, no rounding. One space may stand before the unit.
 */
enum unit_status unit_parse(enum unit_kind kind, const char *text,
			    uint64_t *value);

/** unit_examples() - how a value of @kind may look, for hints */
const char *unit_examples(enum unit_kind kind);

/** unit_suggest() - the unit meant by a wrong one ("8KB" → "KiB"), or NULL */
const char *unit_suggest(enum unit_kind kind, const char *text);

/**
 * unit_format() - the shortest text that unit_parse() turns back into @value
 * @buf: UNIT_TEXT_LEN bytes
 *
 * Return: @buf.
 */
char *unit_format(enum unit_kind kind, uint64_t value, char *buf);

/**
 * unit_format_short() - about three digits, for people: "1.83ms", "499/s"
 * @buf: UNIT_TEXT_LEN bytes
 *
 * Return: @buf.
 */
char *unit_format_short(enum unit_kind kind, double value, char *buf);

#endif
