// SPDX-License-Identifier: GPL-2.0-only
#include "agent/libbpf_room.h"

/* The linker's names, see its --wrap. */
void *__real_realloc(void *mem, size_t bytes);
void *__wrap_realloc(void *mem, size_t bytes);

static size_t least_bytes;

void libbpf_room(bool on)
{
	least_bytes = on ? LIBBPF_ROOM_BYTES : 0;
}

/* One that has the size already stays where it is. */
void *__wrap_realloc(void *mem, size_t bytes)
{
	return __real_realloc(mem, bytes && bytes < least_bytes ? least_bytes :
								  bytes);
}
