/* SPDX-License-Identifier: GPL-2.0-only */
/* sched_ext as the kernel keeps it; sched.c calls it. */
#ifndef KTSTR_MONITOR_SCX_H
#define KTSTR_MONITOR_SCX_H

#include <stdint.h>

#include "monitor/monitor.h"

#define SCX_MAX_STATES 8
#define SCX_MAX_EVENT_BYTES 4096

struct scx_state_value {
	int64_t value;
	enum mon_scx_state state;
};

/* Names and places that depend on the kernel alone. */
struct scx_layout {
	struct scx_state_value states[SCX_MAX_STATES];
	unsigned int nr_states;
	unsigned int nr_events;
	const char *event_names[MON_MAX_EVENTS];	/* in the BTF */
	struct {
		uint32_t off;
		uint8_t size;
	} events[MON_MAX_EVENTS];
};

/** scx_layout_init() - read them from @mon's kernel BTF; can't fail. */
void scx_layout_init(struct monitor *mon);

/**
 * scx_read() - fill the sched_ext part of @s
 *
 * What can't be read is marked there as "not available".
 */
void scx_read(struct monitor *mon, struct mon_sched *s);

#endif
