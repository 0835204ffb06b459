// SPDX-License-Identifier: GPL-2.0-only
#include "runner/blob.h"

#include <pthread.h>
#include <string.h>

/* Each is a pair of labels in runner/blob.S. */
#define BLOBS(do_blob) \
	do_blob(agent) \
	do_blob(simple) \
	do_blob(fifo) \
	do_blob(starve_one) \
	do_blob(stall) \
	do_blob(map_lies) \
	do_blob(delay_io) \
	do_blob(per_llc) \
	do_blob(unfair) \
	do_blob(idle_leak)

#define DECLARE(n) extern const unsigned char blob_##n[], blob_##n##_end[];
BLOBS(DECLARE)

#define NAME(n) #n,
static const char *const names[] = { BLOBS(NAME) };

#define BOUNDS(n) { blob_##n, blob_##n##_end },
static const struct {
	const unsigned char *start, *end;
} bounds[] = { BLOBS(BOUNDS) };

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
