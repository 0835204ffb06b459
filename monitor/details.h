/* SPDX-License-Identifier: GPL-2.0-only */
/* What mon_details() puts together; monitor.c calls it. */
#ifndef KTSTR_MONITOR_DETAILS_H
#define KTSTR_MONITOR_DETAILS_H

#include <jansson.h>

struct monitor;

/** details_json() - see mon_details(). New reference, or NULL out of memory. */
json_t *details_json(struct monitor *mon);

#endif
