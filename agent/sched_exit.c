// SPDX-License-Identifier: GPL-2.0-only
#include "agent/sched_exit.h"

#include "agent/kmsg.h"

#include <string.h>

/* Source: kernel/sched/ext, enum scx_exit_kind and scx_exit_reason() */
static const struct {
	int64_t kind;
	const char *name;
	const char *reason;
	bool asked;
} kinds[] = {
	{ 0, "SCX_EXIT_NONE", NULL, false },
	{ 1, "SCX_EXIT_DONE", NULL, false },
	{ 64, "SCX_EXIT_UNREG", "unregistered from user space", true },
	{ 65, "SCX_EXIT_UNREG_BPF", "unregistered from BPF", false },
	{ 66, "SCX_EXIT_UNREG_KERN", "unregistered from the main kernel",
	  false },
	{ 67, "SCX_EXIT_SYSRQ", "disabled by sysrq-S", true },
	{ 68, "SCX_EXIT_PARENT", "parent exiting", false },
	{ 1024, "SCX_EXIT_ERROR", "runtime error", false },
	{ 1025, "SCX_EXIT_ERROR_BPF", "scx_bpf_error", false },
	{ 1026, "SCX_EXIT_ERROR_STALL", "runnable task stall", false },
};

#define NR_KINDS (sizeof(kinds) / sizeof(kinds[0]))

const char *sched_exit_name(int64_t kind)
{
	size_t i;

	for (i = 0; i < NR_KINDS; i++) {
		if (kinds[i].kind == kind)
			return kinds[i].name;
	}
	return NULL;
}

int64_t sched_exit_kind(const char *reason)
{
	size_t i;

	for (i = 0; i < NR_KINDS; i++) {
		if (kinds[i].reason && !strcmp(kinds[i].reason, reason))
			return kinds[i].kind;
	}
	return -1;
}

bool sched_exit_is_asked(int64_t kind)
{
	size_t i;

	for (i = 0; i < NR_KINDS; i++) {
		if (kinds[i].kind == kind)
			return kinds[i].asked;
	}
	return false;
}

static void fill_text(json_t *exit, const char *key, const char *text)
{
	const char *have = json_string_value(json_object_get(exit, key));

	if (text[0] && (!have || !have[0]))
		json_object_set_new(exit, key, json_string(text));
}

json_t *sched_exit_report(json_t *recorded, const struct kmsg_exit *log)
{
	json_t *exit = recorded ? json_copy(recorded) : json_object();
	int64_t kind = json_integer_value(json_object_get(exit, "kind"));
	const char *name;

	if (log && log->seen) {
		fill_text(exit, "reason", log->reason);
		fill_text(exit, "message", log->message);
		if (!kind)
			kind = sched_exit_kind(log->reason);
	}
	json_object_del(exit, "kind");
	if (kind > 0)
		json_object_set_new(exit, "kind", json_integer(kind));
	name = kind > 0 ? sched_exit_name(kind) : NULL;
	if (name)
		json_object_set_new(exit, "kind_name", json_string(name));
	return exit;
}
