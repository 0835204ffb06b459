/* SPDX-License-Identifier: GPL-2.0-only */
/* Run queues in guest memory; monitor.c calls it. */
#ifndef KTSTR_MONITOR_SCHED_H
#define KTSTR_MONITOR_SCHED_H

struct mon_sched;
struct monitor;

/**
 * sched_read_rqs() - fill the per-CPU part of @s
 *
 * Return: 0; -EFAULT; -ENOTSUP without the symbols or the layout.
 */
int sched_read_rqs(struct monitor *mon, struct mon_sched *s);

#endif
