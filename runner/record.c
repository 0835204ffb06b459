// SPDX-License-Identifier: GPL-2.0-only
#include "runner/record.h"

#include <inttypes.h>
#include <stdio.h>

json_t *record_new(const char *scenario, uint64_t boot, uint64_t boots,
		   json_t *result, const char *verdict, const char *reason)
{
	char name[RECORD_NAME_LEN];

	if (boots > 1)
		snprintf(name, sizeof(name), "%s boot %" PRIu64, scenario,
			 boot + 1);
	else
		snprintf(name, sizeof(name), "%s", scenario);
	if (result) {
		verdict = record_text(result, "verdict");
		reason = record_text(result, "reason");
	}
	return json_pack("{s:s, s:s, s:s, s:O?}", "name", name, "verdict",
			 verdict, "reason", reason, "result", result);
}

const json_t *record_checks(const json_t *record)
{
	return json_object_get(json_object_get(record, "result"), "checks");
}

void record_check_name(const json_t *check, char *buf, size_t len)
{
	const char *op = record_text(check, "op");
	const char *phase = record_text(check, "phase");

	snprintf(buf, len, "%s%s%s%s%s", record_text(check, "metric"),
		 *op ? " " : "", op, *phase ? " in " : "", phase);
}

const char *record_text(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}
