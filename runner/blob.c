// SPDX-License-Identifier: GPL-2.0-only
#include "runner/blob.h"

#include "runner/builtin_list.h"
#include "runner/observer_list.h"

#include <pthread.h>
#include <string.h>

/* Each is a pair of labels in runner/blob.S. */
#define DECLARE(n, ...) extern const unsigned char blob_##n[], blob_##n##_end[];
DECLARE(agent)
BUILTINS(DECLARE)
OBSERVERS(DECLARE)

#define NAME(n, ...) #n,
static const char *const names[] = { NAME(agent) BUILTINS(NAME)
					  OBSERVERS(NAME) };

#define BOUNDS(n, ...) { blob_##n, blob_##n##_end },
static const struct {
	const unsigned char *start, *end;
} bounds[] = { BOUNDS(agent) BUILTINS(BOUNDS) OBSERVERS(BOUNDS) };

#define NR_BLOBS (sizeof(names) / sizeof(names[0]))

/* A length is no constant to the compiler: filled once, then only read. */
static struct blob blobs[NR_BLOBS + 1];
static pthread_once_t filled = PTHREAD_ONCE_INIT;

static void fill(void)
{
	size_t i;

	for (i = 0; i < NR_BLOBS; i++)
		blobs[i] = (struct blob){
			.name = names[i],
			.data = bounds[i].start,
			.len = bounds[i].end - bounds[i].start,
		};
}

const struct blob *blob_list(void)
{
	pthread_once(&filled, fill);
	return blobs;
}

const struct blob *blob_find(const char *name)
{
	const struct blob *b;

	for (b = blob_list(); b->name; b++) {
		if (!strcmp(b->name, name))
			return b;
	}
	return NULL;
}
