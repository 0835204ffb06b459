// SPDX-License-Identifier: GPL-2.0-only
/* The maps of [telemetry]: globs, each with an interval of its own or none. */
#include "runner/scenario_maps.h"

#include "runner/diag.h"
#include "runner/schema.h"
#include "runner/toml.h"

#define MSEC 1000000ull
#define HOUR (3600000ull * MSEC)

static const struct field map_fields[] = {
	{ .key = "name", .type = FIELD_STRING,
	  .offset = offsetof(struct scn_map_glob, name), .required = true },
	{ .key = "interval", .type = FIELD_UNIT,
	  .offset = offsetof(struct scn_map_glob, interval_ns),
	  .unit = UNIT_TIME, .min = MSEC, .max = HOUR, .required = true },
	{ 0 },
};

static const struct table_spec map_spec = {
	.what = "a map",
	.fields = map_fields,
	.size = sizeof(struct scn_map_glob),
};

void scenario_maps_parse(struct diag *d, const struct toml_node *value,
			 const struct field *f, void *member)
{
	struct scn_maps *maps = member;
	size_t i;

	if (value->type != TOML_NODE_ARRAY) {
		schema_wrong_type(d, value, "an array");
		return;
	}
	if (value->nr > STRING_LIST_MAX) {
		diag_value(d, value, "%s has more than %d elements", f->key,
			   STRING_LIST_MAX);
		return;
	}
	maps->nr = 0;
	for (i = 0; i < value->nr; i++) {
		const struct toml_node *node = value->child[i];
		struct scn_map_glob *map = &maps->item[maps->nr];

		if (node->type == TOML_NODE_TABLE) {
			schema_parse(d, &map_spec, node, map);
		} else if (node->type == TOML_NODE_STRING) {
			*map = (struct scn_map_glob){ .name = node->string };
		} else {
			schema_wrong_type(d, node, "a string or a table");
			continue;
		}
		maps->nr++;
	}
}

void scenario_maps_print(FILE *to, const struct field *f, const void *member)
{
	const struct scn_maps *maps = member;
	char text[UNIT_TEXT_LEN];
	unsigned int i;

	(void)f;
	fputc('[', to);
	for (i = 0; i < maps->nr; i++) {
		const struct scn_map_glob *map = &maps->item[i];

		fputs(i ? ", " : "", to);
		if (map->interval_ns)
			fputs("{ name = ", to);
		schema_print_string(to, map->name);
		if (map->interval_ns)
			fprintf(to, ", interval = \"%s\" }",
				unit_format(UNIT_TIME, map->interval_ns, text));
	}
	fputc(']', to);
}

void scenario_maps_check(struct diag *d, const struct scn_maps *maps,
			 uint64_t interval_ns)
{
	char text[UNIT_TEXT_LEN];
	unsigned int i;

	for (i = 0; i < maps->nr; i++) {
		const struct scn_map_glob *map = &maps->item[i];

		if (!map->interval_ns || map->interval_ns >= interval_ns)
			continue;
		diag_value(d, schema_table_get(map->base.node, "interval"),
			   "a map can't be read more often than there are samples, each %s",
			   unit_format(UNIT_TIME, interval_ns, text));
		diag_hint(d, "that is telemetry.interval; it is 10 ms by default");
	}
}

json_t *scenario_maps_json(const struct scn_maps *maps)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < maps->nr; i++) {
		const struct scn_map_glob *map = &maps->item[i];

		json_array_append_new(list, json_pack(
			"{s:s, s:I}", "name", map->name, "interval_ns",
			(json_int_t)map->interval_ns));
	}
	return list;
}
