// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/array_numbers.h"

#include "monitor/monitor_priv.h"

#include <stdlib.h>

#define ALIGNMENT 8	/* of a value whose numbers are taken as words */

void array_places_forget(struct array_places *p)
{
	p->known = false;
}

void array_places_fini(struct array_places *p)
{
	free(p->at);
	p->at = NULL;
	p->known = false;
}

/* Numbers of one entry are neighbours. Return: where those of the next are. */
static unsigned int entry_end(const struct numbers *ns, unsigned int from)
{
	unsigned int to = from + 1;

	while (to < ns->nr && ns->v[to].entry == ns->v[from].entry)
		to++;
	return to;
}

static unsigned int count_entries(const struct numbers *ns)
{
	unsigned int nr = 0, from;

	for (from = 0; from < ns->nr; from = entry_end(ns, from))
		nr++;
	return nr;
}

/* Where the guest has an entry's value of CPU @cpu, by that of the first. */
static uint64_t value_of_cpu(const struct monitor *mon, uint64_t first_kva,
			     unsigned int cpu)
{
	return first_kva + mon->percpu_off[cpu] - mon->percpu_off[0];
}

/* @at[0] is NULL where one of the entry's values is not aligned on one page. */
static void find_entry(struct monitor *mon, const struct mon_map *m,
		       uint32_t entry, const char **at)
{
	struct map_entry e = map_array_entry(mon, m, entry);
	unsigned int nr = map_nr_values(mon, m), i;
	uint64_t first_kva;

	at[0] = NULL;
	if (map_value_kva(mon, m, &e, 0, &first_kva))
		return;
	for (i = 0; i < nr; i++) {
		uint64_t kva = value_of_cpu(mon, first_kva, i);

		at[i] = kva % ALIGNMENT ? NULL :
			kmem_at(&mon->kmem, kva, m->value_size);
		if (!at[i]) {
			at[0] = NULL;
			return;
		}
	}
}

static void find_places(struct monitor *mon, struct mon_map *m)
{
	const struct numbers *ns = &m->numbers;
	unsigned int nr = map_nr_values(mon, m), from;
	struct array_places *p = &m->places;
	const char **at;

	if (!p->at) {
		unsigned int entries = count_entries(ns);

		if (entries > ARRAY_MAX_PLACES / nr)
			return;
		p->at = calloc((size_t)entries * nr, sizeof(*p->at));
		if (!p->at)
			return; /* it goes without, but slower */
	}
	at = p->at;
	for (from = 0; from < ns->nr; from = entry_end(ns, from), at += nr)
		find_entry(mon, m, ns->v[from].entry, at);
	p->known = true;
}

/* By the guest's address: what is no word, or on no page that is known. */
static void read_far(struct monitor *mon, const struct mon_map *m,
		     struct number *n)
{
	struct map_entry e = map_array_entry(mon, m, n->entry);
	unsigned int nr = map_nr_values(mon, m), i;
	uint64_t first_kva;
	double v;

	n->read_ok = !map_value_kva(mon, m, &e, 0, &first_kva);
	for (i = 0; n->read_ok && i < nr; i++) {
		n->read_ok = !number_read(n, &mon->kmem,
					  value_of_cpu(mon, first_kva, i), &v,
					  &n->unstable);
		if (n->read_ok)
			n->val += v;
	}
}

/* @at: the entry's values, or NULL */
static void read_entry(struct monitor *mon, const struct mon_map *m,
		       struct number *n, unsigned int nr_numbers,
		       const char *const *at)
{
	unsigned int i;

	for (i = 0; i < nr_numbers; i++) {
		n[i].val = 0;
		n[i].unstable = false;
		n[i].read_ok = true;
		if (!at || !n[i].word)
			read_far(mon, m, &n[i]);
	}
	if (at)
		numbers_sum(n, nr_numbers, &mon->kmem, at,
			    map_nr_values(mon, m));
}

void array_numbers_read(struct monitor *mon, struct mon_map *m)
{
	unsigned int nr = map_nr_values(mon, m), from, to;
	struct numbers *ns = &m->numbers;
	const char **at;

	if (!m->places.known)
		find_places(mon, m);
	at = m->places.known ? m->places.at : NULL;
	for (from = 0; from < ns->nr; from = to) {
		to = entry_end(ns, from);
		read_entry(mon, m, &ns->v[from], to - from,
			   at && at[0] ? at : NULL);
		if (at)
			at += nr;
	}
}
