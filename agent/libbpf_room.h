/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Room for libbpf's tables. Up to 1.6 it keeps a pointer to an object's arena
 * in the table of maps while it appends the compiler's own (.bss, the ops of a
 * scheduler) to it; where that moves the table, variables in the arena are
 * looked up through freed memory, and loading crashes. Its interface offers
 * nothing against it. So what it allocates while it opens an object is made
 * long enough not to move. Used by the loader of schedulers.
 */
#ifndef KTSTR_AGENT_LIBBPF_ROOM_H
#define KTSTR_AGENT_LIBBPF_ROOM_H

#include <stdbool.h>
#include <stddef.h>

/* Of an allocation that may grow: some 200 maps. Touched as far as used. */
#define LIBBPF_ROOM_BYTES ((size_t)64 << 10)

/**
 * libbpf_room() - while @on, realloc(3) gives LIBBPF_ROOM_BYTES at least
 *
 * Of the whole process, which is of one thread. The linker has every realloc()
 * pass through here (-Wl,--wrap=realloc, in AGENT_LIBS).
 */
void libbpf_room(bool on);

#endif
