// SPDX-License-Identifier: GPL-2.0-only
/* A disk's throttle and faults: of its own table, and of a phase's steps. */
#include "runner/scenario.h"

#include <inttypes.h>
#include <string.h>

#include "runner/diag.h"
#include "runner/toml.h"

#define MS 1000000ULL
#define SEC 1000000000ULL
#define GI (1ULL << 30)

#define AT(type, member) .offset = offsetof(struct type, member)

/* Longer, and the guest's hung-task watchdog (120 s) is what is tested. */
#define TIME_MAX (60 * SEC)

#define THROTTLE_FIELDS(obj)                                              \
	{ .key = "iops", .type = FIELD_UNIT, AT(obj, iops),               \
	  .unit = UNIT_PER_S, .max = 100000000 },                         \
	{ .key = "bps", .type = FIELD_UNIT, AT(obj, bps),                 \
	  .unit = UNIT_BPS, .max = 1024 * GI },                           \
	{ .key = "burst", .type = FIELD_UNIT, AT(obj, burst_ns),          \
	  .unit = UNIT_TIME, .min = 1, .max = TIME_MAX },                 \
	{ .key = "latency", .type = FIELD_UNIT, AT(obj, latency_ns),      \
	  .unit = UNIT_TIME, .max = TIME_MAX },                           \
	{ .key = "jitter", .type = FIELD_UNIT, AT(obj, jitter_ns),        \
	  .unit = UNIT_TIME, .max = TIME_MAX }

static const struct field throttle_fields[] = {
	THROTTLE_FIELDS(scn_throttle),
	{ 0 },
};

const struct table_spec scenario_throttle_spec = {
	.what = "a throttle",
	.fields = throttle_fields,
	.size = sizeof(struct scn_throttle),
	.defaults = &(const struct scn_throttle){ .burst_ns = 10 * MS },
};

static const struct field set_throttle_fields[] = {
	{ .key = "disk", .type = FIELD_STRING, AT(scn_set_throttle, disk),
	  .required = true },
	THROTTLE_FIELDS(scn_set_throttle),
	{ 0 },
};

const struct table_spec scenario_set_throttle_spec = {
	.what = "set_throttle",
	.fields = set_throttle_fields,
	.size = sizeof(struct scn_set_throttle),
	.defaults = &(const struct scn_set_throttle){
		.iops = FIELD_UNSET, .bps = FIELD_UNSET,
		.burst_ns = FIELD_UNSET, .latency_ns = FIELD_UNSET,
		.jitter_ns = FIELD_UNSET,
	},
};

#define FAULT_FIELDS(obj)                                                 \
	{ .key = "error_rate", .type = FIELD_RATIO, AT(obj, error_rate),  \
	  .max = 100 },                                                   \
	{ .key = "error_from", .type = FIELD_UNIT, AT(obj, error_from),   \
	  .unit = UNIT_SIZE },                                            \
	{ .key = "error_size", .type = FIELD_UNIT, AT(obj, error_bytes),  \
	  .unit = UNIT_SIZE },                                            \
	{ .key = "stall", .type = FIELD_UNIT, AT(obj, stall_ns),          \
	  .unit = UNIT_TIME, .max = TIME_MAX },                           \
	{ .key = "stall_every", .type = FIELD_UINT,                       \
	  AT(obj, stall_every), .max = 1000000000 },                      \
	{ .key = "stall_at", .type = FIELD_UNIT, AT(obj, stall_at_ns),    \
	  .unit = UNIT_TIME, .max = 3600 * SEC },                         \
	{ .key = "torn_writes", .type = FIELD_BOOL, AT(obj, torn_writes) }

static const struct field faults_fields[] = {
	FAULT_FIELDS(scn_faults),
	{ 0 },
};

const struct table_spec scenario_faults_spec = {
	.what = "faults",
	.fields = faults_fields,
	.size = sizeof(struct scn_faults),
};

static const struct field set_faults_fields[] = {
	{ .key = "disk", .type = FIELD_STRING, AT(scn_set_faults, disk),
	  .required = true },
	FAULT_FIELDS(scn_set_faults),
	{ 0 },
};

const struct table_spec scenario_set_faults_spec = {
	.what = "set_faults",
	.fields = set_faults_fields,
	.size = sizeof(struct scn_set_faults),
};

static const struct toml_node *get(const struct toml_node *node,
				   const char *key)
{
	return schema_table_get(node, key);
}

static void keep_unset(uint64_t *value, uint64_t *in_force)
{
	if (*value == FIELD_UNSET)
		*value = *in_force;
	*in_force = *value;
}

void scenario_resolve_throttle(struct scn_set_throttle *t,
			       struct scn_throttle *in_force)
{
	keep_unset(&t->iops, &in_force->iops);
	keep_unset(&t->bps, &in_force->bps);
	keep_unset(&t->burst_ns, &in_force->burst_ns);
	keep_unset(&t->latency_ns, &in_force->latency_ns);
	keep_unset(&t->jitter_ns, &in_force->jitter_ns);
}

static void check_errors(struct diag *d, const struct toml_node *node,
			 const struct scn_disk *disk, struct scn_faults *f)
{
	const struct toml_node *rate = get(node, "error_rate");
	const struct toml_node *from = get(node, "error_from");
	const struct toml_node *size = get(node, "error_size");

	if (f->error_rate > 0 && f->error_rate < 1e-9)
		diag_value(d, rate ? rate : node,
			   "an error_rate below 1e-9 would fail no request");
	if (f->error_from % 512)
		diag_value(d, from ? from : node,
			   "error_from must be a multiple of 512 bytes");
	if (f->error_bytes % 512)
		diag_value(d, size ? size : node,
			   "error_size must be a multiple of 512 bytes");
	if (!f->error_bytes) {
		if (from && f->error_from)
			diag_value(d, from, "error_from needs an error_size");
		f->error_from = 0;
		return;
	}
	if (f->error_from <= disk->size_bytes &&
	    f->error_bytes <= disk->size_bytes - f->error_from)
		return;
	diag_value(d, size ? size : node,
		   "the sectors that fail end beyond the disk's %" PRIu64
		   " bytes", disk->size_bytes);
}

static void check_stall(struct diag *d, const struct toml_node *node,
			struct scn_faults *f)
{
	const struct toml_node *every = get(node, "stall_every");
	const struct toml_node *at = get(node, "stall_at");

	if (f->stall_every && f->stall_at_ns)
		diag_value(d, at ? at : node,
			   "a stall comes at a time or at every so many requests, not both");
	if (f->stall_ns)
		return;
	if (every && f->stall_every)
		diag_value(d, every, "stall_every needs a stall");
	if (at && f->stall_at_ns)
		diag_value(d, at, "stall_at needs a stall");
	f->stall_every = 0;
	f->stall_at_ns = 0;
}

void scenario_check_faults(struct diag *d, const struct scn_disk *disk,
			   struct scn_faults *f)
{
	check_errors(d, f->base.node, disk, f);
	check_stall(d, f->base.node, f);
}

static size_t size_of(const struct field *f)
{
	switch (f->type) {
	case FIELD_BOOL:
		return sizeof(bool);
	case FIELD_RATIO:
		return sizeof(double);
	default:
		return sizeof(uint64_t);
	}
}

/* Copy the members that stand in @node, or those that do not. */
static void copy_fields(const struct toml_node *node, bool named, void *to,
			const struct field *to_fields, const void *from,
			const struct field *from_fields)
{
	const struct field *t = to_fields, *f = from_fields;

	for (; f->key; t++, f++)
		if (!!get(node, f->key) == named)
			memcpy((char *)to + t->offset,
			       (const char *)from + f->offset, size_of(f));
}

/*
 * A stall at a time is over when other faults are set; and of the two ways to
 * say when, the one that is named puts the other out of force.
 */
static void settle_stall(const struct toml_node *node, struct scn_faults *f)
{
	if (!get(node, "stall") && !f->stall_every &&
	    !get(node, "stall_at"))
		f->stall_ns = 0;
	if (get(node, "stall_every") && f->stall_every &&
	    !get(node, "stall_at"))
		f->stall_at_ns = 0;
	if (get(node, "stall_at") && f->stall_at_ns &&
	    !get(node, "stall_every"))
		f->stall_every = 0;
}

void scenario_resolve_faults(struct diag *d, const struct scn_disk *disk,
			     struct scn_set_faults *set,
			     struct scn_faults *in_force)
{
	const struct toml_node *node = set->base.node;
	const struct field *own = set_faults_fields + 1; /* after disk */

	copy_fields(node, true, in_force, faults_fields, set, own);
	settle_stall(node, in_force);
	in_force->base.node = node;
	scenario_check_faults(d, disk, in_force);
	copy_fields(NULL, false, set, own, in_force, faults_fields);
}
