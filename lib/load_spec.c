// SPDX-License-Identifier: GPL-2.0-only
#include "lib/load_spec.h"

#include <stddef.h>
#include <string.h>

#define US 1000ULL
#define MS 1000000ULL
#define SEC 1000000000ULL
#define KI 1024ULL

#define TIME_PARAM(name, value, low, high)                                  \
	{                                                                   \
		.key = name, .plan_key = name "_ns",                        \
		.unit = LOAD_UNIT_TIME, .initial = (value), .min = (low),   \
		.max = (high),                                              \
	}

#define BLOCK_PARAM(value, high)                                            \
	{                                                                   \
		.key = "block", .plan_key = "block_bytes",                  \
		.unit = LOAD_UNIT_SIZE, .initial = (value), .min = 512,     \
		.max = (high), .multiple_of = 512,                          \
	}

#define COUNT_PARAM(name, value, low, high)                                 \
	{                                                                   \
		.key = name, .plan_key = name, .initial = (value),          \
		.min = (low), .max = (high),                                \
	}

const struct load_spec load_specs[LOAD_NR] = {
	[LOAD_SPIN] = { .name = "spin", .group = 1 },
	[LOAD_YIELD] = { .name = "yield", .group = 1 },
	[LOAD_MIXED] = { .name = "mixed", .group = 1 },
	[LOAD_BURSTY] = {
		.name = "bursty",
		.group = 1,
		.params = {
			TIME_PARAM("burst", 50 * MS, US, 10 * SEC),
			TIME_PARAM("sleep", 100 * MS, US, 10 * SEC),
		},
	},
	[LOAD_PERIODIC] = {
		.name = "periodic",
		.group = 1,
		.params = {
			TIME_PARAM("period", 10 * MS, US, 10 * SEC),
			TIME_PARAM("budget", 2 * MS, 0, 10 * SEC),
		},
	},
	[LOAD_PIPE] = { .name = "pipe", .group = 2 },
	[LOAD_FUTEX_PING_PONG] = { .name = "futex_ping_pong", .group = 2 },
	[LOAD_IO_RAND_READ] = {
		.name = "io_rand_read",
		.group = 1,
		.disk = LOAD_DISK_READ,
		.params = {
			BLOCK_PARAM(4 * KI, 1024 * KI),
			COUNT_PARAM("depth", 1, 1, 1), /* more needs io_uring */
		},
	},
	[LOAD_IO_SEQ_WRITE] = {
		.name = "io_seq_write",
		.group = 1,
		.disk = LOAD_DISK_WRITE,
		.params = { BLOCK_PARAM(1024 * KI, 16 * 1024 * KI) },
	},
	[LOAD_IO_SYNC_WRITE] = {
		.name = "io_sync_write",
		.group = 1,
		.disk = LOAD_DISK_WRITE,
		.params = {
			BLOCK_PARAM(4 * KI, 1024 * KI),
			COUNT_PARAM("writes", 16, 1, 4096),
		},
	},
	[LOAD_EXEC] = { .name = "exec", .group = 1, .program = true },
};

const struct load_spec *load_spec_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < LOAD_NR; i++)
		if (!strcmp(load_specs[i].name, name))
			return &load_specs[i];
	return NULL;
}
