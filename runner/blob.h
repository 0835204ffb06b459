/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The files inside the ktstr binary: the agent, and the schedulers and observers
 * of bpf/ by their names. Found by the launcher when it packs a guest.
 */
#ifndef KTSTR_RUNNER_BLOB_H
#define KTSTR_RUNNER_BLOB_H

#include <stddef.h>

struct blob {
	const char *name;	/* "agent", "simple", ... */
	const unsigned char *data;
	size_t len;
};

/** blob_find() - by name; NULL: none */
const struct blob *blob_find(const char *name);

/** blob_list() - all of them; ends with a NULL name */
const struct blob *blob_list(void);

#endif
