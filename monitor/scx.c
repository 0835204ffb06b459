// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/scx.h"

#include "monitor/btf_type.h"
#include "monitor/monitor_priv.h"

#include <bpf/btf.h>

#include <errno.h>
#include <string.h>

#define READ_TRIES 3

#define NR(a) (sizeof(a) / sizeof((a)[0]))

/* The last word of an enumerator: SCX_ENABLED, or SCX_OPS_ENABLED of old. */
static const char *const state_words[] = {
	[MON_SCX_ENABLING] = "ENABLING",
	[MON_SCX_ENABLED] = "ENABLED",
	[MON_SCX_DISABLING] = "DISABLING",
	[MON_SCX_DISABLED] = "DISABLED",
};

static void find_states(const struct btf *btf, struct scx_layout *l)
{
	const struct btf_type *t;
	const struct btf_enum *e;
	unsigned int i;
	size_t word;
	int id;

	id = btf__find_by_name_kind(btf, "scx_enable_state", BTF_KIND_ENUM);
	if (id < 0)
		id = btf__find_by_name_kind(btf, "scx_ops_enable_state",
					    BTF_KIND_ENUM);
	if (id < 0)
		return;

	t = btf__type_by_id(btf, id);
	for (i = 0, e = btf_enum(t); i < btf_vlen(t); i++, e++) {
		const char *name = btf__name_by_offset(btf, e->name_off);
		const char *last = name ? strrchr(name, '_') : NULL;

		for (word = 0; last && word < NR(state_words); word++) {
			if (strcmp(last + 1, state_words[word]) ||
			    l->nr_states == SCX_MAX_STATES)
				continue;
			l->states[l->nr_states].value = e->val;
			l->states[l->nr_states].state = word;
			l->nr_states++;
		}
	}
}

/* Such a name can be a key of JSON as it is. */
static bool is_identifier(const char *name)
{
	return name && *name &&
	       !name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789_")];
}

static void find_events(const struct btf *btf, struct scx_layout *l)
{
	const struct btf_type *t;
	unsigned int i;
	int id;

	id = btf__find_by_name_kind(btf, "scx_event_stats", BTF_KIND_STRUCT);
	if (id < 0)
		return;

	t = btf__type_by_id(btf, id);
	for (i = 0; i < btf_vlen(t) && l->nr_events < MON_MAX_EVENTS; i++) {
		const struct btf_member *m = &btf_members(t)[i];
		int64_t size = btf__resolve_size(btf, m->type);
		uint32_t bits = btf_member_bit_offset(t, i);
		const char *name = btf__name_by_offset(btf, m->name_off);

		if (!is_identifier(name) || bits % 8 ||
		    (size != 4 && size != 8))
			continue;
		l->event_names[l->nr_events] = name;
		l->events[l->nr_events].off = bits / 8;
		l->events[l->nr_events].size = size;
		l->nr_events++;
	}
}

void scx_layout_init(struct monitor *mon)
{
	find_states(mon->kbtf.btf, &mon->scx);
	find_events(mon->kbtf.btf, &mon->scx);
}

static enum mon_scx_state state_of(const struct scx_layout *l, int64_t value)
{
	unsigned int i;

	for (i = 0; i < l->nr_states; i++) {
		if (l->states[i].value == value)
			return l->states[i].state;
	}
	return MON_SCX_UNKNOWN;
}

/* @name: at least 1 byte; text is cut to it, and made printable ASCII. */
static int read_ops_name(struct monitor *mon, uint64_t sch,
			 enum kfield_id field, char *name, size_t len)
{
	const struct kfield *f = &mon->kbtf.fields[field];
	size_t take = f->size < len - 1 ? f->size : len - 1;
	int err;

	memset(name, 0, len);
	if (!f->present)
		return 0;
	err = kmem_read(&mon->kmem, sch + f->off, name, take);
	text_to_ascii(name);
	return err;
}

/* Sum the events over all possible CPUs, as the kernel's own reader does. */
static int read_events(struct monitor *mon, uint64_t sch, struct mon_sched *s)
{
	const struct kfield *stats = &mon->kbtf.fields[KF_SCX_PCPU_EVENTS];
	const struct scx_layout *l = &mon->scx;
	uint8_t buf[SCX_MAX_EVENT_BYTES];
	unsigned int cpu, i;
	uint64_t pcpu;
	int err;

	s->nr_events = 0;
	if (!stats->present || stats->size > sizeof(buf) || !mon->nr_possible)
		return 0;
	err = kbtf_read_ptr(&mon->kbtf, &mon->kmem, sch, KF_SCX_PCPU, &pcpu);
	if (err)
		return err == -ENOENT ? 0 : err;

	memset(s->events, 0, sizeof(s->events));
	for (cpu = 0; cpu < mon->nr_possible; cpu++) {
		err = kmem_read(&mon->kmem,
				pcpu + mon->percpu_off[cpu] + stats->off, buf,
				stats->size);
		if (err)
			return err;
		for (i = 0; i < l->nr_events; i++) {
			uint64_t v = 0;

			if (l->events[i].off + l->events[i].size > stats->size)
				continue;
			memcpy(&v, buf + l->events[i].off, l->events[i].size);
			/* Hostile values may overflow; unsigned wraps */
			s->events[i] = (uint64_t)s->events[i] +
				btf_sign_extend(v, l->events[i].size * 8);
		}
	}
	memcpy(s->event_names, l->event_names, sizeof(s->event_names));
	s->nr_events = l->nr_events;
	return 0;
}

static void no_scheduler(struct mon_sched *s)
{
	s->ops_name[0] = '\0';
	s->exit_kind = -1;
	s->bypass_depth = -1;
	s->nr_events = 0;
}

static int read_scheduler(struct monitor *mon, uint64_t sch,
			  struct mon_sched *s)
{
	const struct {
		enum kfield_id field;
		int64_t *to;
	} words[] = {
		{ KF_SCX_EXIT_KIND, &s->exit_kind },
		{ KF_SCX_BYPASS_DEPTH, &s->bypass_depth },
	};
	size_t i;
	int err;

	for (i = 0; i < NR(words); i++) {
		err = kbtf_read(&mon->kbtf, &mon->kmem, sch, words[i].field,
				words[i].to);
		if (err == -ENOENT)
			*words[i].to = -1;
		else if (err)
			return err;
	}
	err = read_ops_name(mon, sch, KF_SCX_OPS_NAME, s->ops_name,
			    sizeof(s->ops_name));
	return err ? err : read_events(mon, sch, s);
}

int mon_exit_kind_kva(struct monitor *mon, uint64_t *kva, unsigned int *len)
{
	const struct kfield *f = &mon->kbtf.fields[KF_SCX_EXIT_KIND];
	uint64_t root_kva = mon->info.sym[MON_SYM_SCX_ROOT], root;
	int err;

	if (!root_kva)
		return -ENOTSUP;
	err = kmem_read_ptr(&mon->kmem, root_kva, &root);
	if (err)
		return err;
	if (!root || !f->present)
		return -ENOENT;
	*kva = root + f->off;
	*len = f->size;
	return 0;
}

/*
 * Before 6.16 the one scheduler was in global variables. Bypass and events were
 * not kept with it, and remain not available.
 */
static void read_global_scheduler(struct monitor *mon, struct mon_sched *s)
{
	const uint64_t *sym = mon->info.sym;
	uint64_t kind;

	if (read_ops_name(mon, sym[MON_SYM_SCX_OPS], KF_OPS_NAME, s->ops_name,
			  sizeof(s->ops_name)))
		return;
	if (sym[MON_SYM_SCX_EXIT_KIND] &&
	    !kmem_read_uint(&mon->kmem, sym[MON_SYM_SCX_EXIT_KIND], 4, &kind))
		s->exit_kind = kind;
	s->have_scx = true;
}

void scx_read(struct monitor *mon, struct mon_sched *s)
{
	uint64_t state_kva = mon->info.sym[MON_SYM_SCX_ENABLE_STATE_VAR];
	uint64_t root_kva = mon->info.sym[MON_SYM_SCX_ROOT];
	uint64_t state, root, root_after;
	unsigned int try;

	s->have_scx = false;
	s->state = MON_SCX_UNKNOWN;
	no_scheduler(s);
	if (!state_kva)
		state_kva = mon->info.sym[MON_SYM_SCX_OPS_ENABLE_STATE_VAR];
	if (!state_kva || !mon->scx.nr_states ||
	    (!root_kva && !mon->info.sym[MON_SYM_SCX_OPS]))
		return;
	if (kmem_read_uint(&mon->kmem, state_kva, 4, &state))
		return;
	if (!root_kva) {
		read_global_scheduler(mon, s);
		if (s->have_scx)
			s->state = state_of(&mon->scx, (int32_t)state);
		return;
	}

	/*
	 * The scheduler is freed behind the pointer: what was read counts only
	 * if the pointer is the same after as before.
	 */
	for (try = 0; try < READ_TRIES; try++) {
		if (kmem_read_ptr(&mon->kmem, root_kva, &root))
			return;
		if (root && read_scheduler(mon, root, s))
			no_scheduler(s);
		if (kmem_read_ptr(&mon->kmem, root_kva, &root_after))
			return;
		if (root == root_after)
			break;
		no_scheduler(s);
		kmem_flush(&mon->kmem);
	}
	s->state = state_of(&mon->scx, (int32_t)state);
	s->have_scx = true;
}
