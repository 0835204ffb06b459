// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest whose memory, kernel BTF and symbols are changed by the input, read
 * as a session reads it. The input: which layout, what was watched before the
 * changes, then changes. Each is undone at the end, so that a guest is made
 * once for each layout.
 */
#include "monitor/fuzz/fuzz.h"

#include "monitor/monitor.h"
#include "monitor/test_full.h"
#include "monitor/test_image.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <check.h>

#include <stdbool.h>

#define LAYOUTS 4
#define MAX_CHANGES 64
#define PAGE 4096u

/*
 * Every walk has a bound of its own, and those of the tables multiply: what is
 * bounded here is all that one look at such a guest may take. The guest as it
 * was made takes 3,922 reads of 36 kB in all.
 */
#define MAX_READS (1u << 20)
#define MAX_BYTES (256u << 20)

static struct guest {
	struct test_full full;
	bool made;
} guests[LAYOUTS];

/* Bytes that were changed, the last first. */
static struct undo {
	uint8_t *at;
	uint8_t was[8];
	size_t len;
} undos[MAX_CHANGES];
static unsigned int nr_undos;

struct input {
	struct fuzz_in in;
	struct test_full *g;
	struct test_image *ti;
	struct mon_guest_info info;
	uint8_t *btf;		/* owned copy */
	uint32_t btf_len;
};

#ifdef FUZZ_ENTRY
/* What the guest is made with asserts as a unit test; there is none here. */
void _mark_point(const char *file, int line)
{
}

void _ck_assert_failed(const char *file, int line, const char *expr,
		       const char *msg, ...)
{
	fprintf(stderr, "%s:%d: must hold: %s\n", file, line, expr);
	abort();
}
#endif

static int no_print(enum libbpf_print_level level, const char *fmt,
		    va_list args)
{
	return 0;
}

static struct test_full *guest(unsigned int layout)
{
	struct guest *g = &guests[layout];

	if (!g->made) {
		libbpf_set_print(no_print);
		tf_init(&g->full, layout);
		g->made = true;
	}
	return &g->full;
}

static void set_bytes(uint8_t *at, uint64_t v, size_t len)
{
	struct undo *u = &undos[nr_undos++];

	u->at = at;
	u->len = len;
	memcpy(u->was, at, len);
	memcpy(at, &v, len);
}

static void undo_all(void)
{
	while (nr_undos--)
		memcpy(undos[nr_undos].at, undos[nr_undos].was,
		       undos[nr_undos].len);
	nr_undos = 0;
}

/* A number, or an address that leads somewhere. */
static uint64_t value(struct input *f)
{
	const uint8_t how = fuzz_take(&f->in, 1);
	uint64_t base;

	if (how < 64)
		return fuzz_take(&f->in, 1 + how % 8);
	if (how < 96)
		return 1ull << how % 64;
	if (how < 128)
		return ~fuzz_take(&f->in, 1 + how % 8);
	base = f->g->targets[fuzz_take(&f->in, 1) % f->g->nr_targets];
	if (how < 192)
		return base + how % 64;
	return base + fuzz_take(&f->in, 2);
}

/* Within a structure: @len bytes at the next place that the input names. */
static void change_target(struct input *f, size_t len)
{
	const unsigned int i = fuzz_take(&f->in, 1) % f->g->nr_targets;
	uint64_t kva = f->g->targets[i] +
		fuzz_take(&f->in, 2) % f->g->target_len[i];

	if (len == 8)
		kva &= ~7ull;
	/* none of them, and no page, ends in the middle of one */
	if (kva % PAGE > PAGE - len)
		kva -= len;
	set_bytes(ti_hva(f->ti, kva), value(f), len);
}

static void change_word(struct input *f)
{
	change_target(f, 8);
}

static void change_byte(struct input *f)
{
	change_target(f, 1);
}

static void change_half(struct input *f)
{
	change_target(f, 4);
}

/* Of any page that is in use: tables of pages too. */
static void change_page(struct input *f)
{
	const uint64_t pages = (f->ti->next_gpa - TI_RAM_GPA) / PAGE;
	uint64_t gpa = TI_RAM_GPA + fuzz_take(&f->in, 2) % pages * PAGE;

	set_bytes(f->ti->ram + (gpa - TI_RAM_GPA) +
		  fuzz_take(&f->in, 2) % (PAGE / 8) * 8, value(f), 8);
}

static void change_root_table(struct input *f)
{
	set_bytes(f->ti->ram + (f->ti->root_gpa - TI_RAM_GPA) +
		  fuzz_take(&f->in, 2) % (PAGE / 8) * 8, value(f), 8);
}

static void change_btf(struct input *f)
{
	const uint32_t at = fuzz_take(&f->in, 3) % (f->btf_len - 4);

	if (fuzz_take(&f->in, 1) & 1)
		f->btf[at] = fuzz_take(&f->in, 1);
	else
		memset(f->btf + at, (int)fuzz_take(&f->in, 1), 4);
}

static void change_symbol(struct input *f)
{
	f->info.sym[fuzz_take(&f->in, 1) % MON_SYM_NR] = value(f);
}

static void change_info(struct input *f)
{
	const uint8_t which = fuzz_take(&f->in, 1);

	if (which % 3 == 0)
		f->info.nr_cpus = fuzz_take(&f->in, 2);
	else if (which % 3 == 1)
		f->info.levels = fuzz_take(&f->in, 1);
	else
		f->info.kernel_code_phys = value(f);
}

static void (*const changes[])(struct input *f) = {
	change_word, change_byte, change_half, change_page, change_root_table,
	change_btf, change_symbol, change_info,
};

/* Those that only mon_open() looks at come first in the changes: none here. */
static bool of_memory(unsigned int what)
{
	return what < 5;
}

static int number(void *ctx, const char *name, double v, bool unstable)
{
	must(name && *name);
	++*(unsigned int *)ctx;
	return 0;
}

static void free_json(json_t *j)
{
	char *text;

	if (!j)
		return;
	text = json_dumps(j, JSON_ENCODE_ANY);
	must(text); /* what is not UTF-8 can't be written */
	free(text);
	json_decref(j);
}

static void watch_all(struct monitor *mon)
{
	uint32_t id;

	for (id = 0; id <= TF_MAPS + 1; id++)
		mon_watch_map(mon, id);
}

static bool in_guest(const struct test_image *ti, const void *hva, size_t len)
{
	const struct guest_mem_region *r = ti->mem.regions;
	unsigned int i;

	for (i = 0; i < ti->mem.nr; i++, r++)
		if ((uintptr_t)hva >= (uintptr_t)r->hva &&
		    (uintptr_t)hva - (uintptr_t)r->hva + len <= r->len_bytes)
			return true;
	return false;
}

/* A worker that does not get on */
static void use_task(struct monitor *mon)
{
	struct mon_task_now now;
	uint64_t task;

	if (!mon_find_task(mon, 1, &task) &&
	    !mon_read_task(mon, task, 1, &now)) {
		must(now.doing <= MON_TASK_OTHER);
		must(memchr(now.curr.comm, '\0', sizeof(now.curr.comm)));
	}
}

/* All that a session does with a monitor. */
static void use(struct monitor *mon, const struct test_image *ti)
{
	static struct mon_task tasks[64];
	static struct mon_sched s;
	struct mon_prog progs[8];
	unsigned int calls = 0, len, i;
	uint8_t buf[128];
	uint64_t kva;
	uint32_t id;
	char name[16];
	json_t *maps;
	void *hva;

	if (!mon_read_sched(mon, &s)) {
		must(s.nr_cpus && s.nr_cpus <= MON_MAX_CPUS);
		must(s.nr_events <= MON_MAX_EVENTS);
		must(memchr(s.ops_name, '\0', sizeof(s.ops_name)));
	}
	for (id = 0; id <= TF_MAPS + 1; id++) {
		if (!mon_find_map(mon, id, &kva, name))
			must(memchr(name, '\0', sizeof(name)));
		mon_watch_map(mon, id);
		mon_read_array_value(mon, id, buf, 0, sizeof(buf));
		if (!mon_array_value_hva(mon, id, 8, 8, &hva))
			must(in_guest(ti, hva, 8));
	}
	maps = mon_read_maps(mon, 100);
	must(maps && json_object_size(maps) <= TF_MAPS + 1);
	free_json(maps);
	for (i = 0; i < 2; i++) {
		mon_set_due(mon, 3, i);
		must(!mon_map_numbers(mon, number, &calls));
	}
	free_json(mon_details(mon));
	free_json(mon_scx_exit(mon));
	must(mon_read_progs(mon, progs, 8) <= 8);
	must(mon_read_tasks(mon, tasks, 64) <= 64);
	must(mon_read_running(mon, tasks, 64) <= 64);
	use_task(mon);
	mon_exit_kind_kva(mon, &kva, &len);
}

/* The guest as it was made, and maps watched, before what the input does. */
static struct monitor *open_before(struct input *f)
{
	struct monitor *mon = ti_open(f->ti);

	watch_all(mon);
	return mon;
}

void fuzz_reader(const uint8_t *data, size_t len)
{
	struct input f = { .in = { data, len } };
	const uint8_t first = fuzz_take(&f.in, 1);
	const bool before = first & 128;
	struct monitor *mon = NULL;
	struct mon_stats st;
	const void *raw;
	char msg[200];
	unsigned int i;

	f.g = guest(first % LAYOUTS);
	f.ti = f.g->ti;
	f.info = f.ti->info;
	raw = btf__raw_data(f.ti->btf, &f.btf_len);
	f.btf = malloc(f.btf_len);
	must(raw && f.btf);
	memcpy(f.btf, raw, f.btf_len);
	if (before)
		mon = open_before(&f);
	for (i = 0; f.in.len && i < MAX_CHANGES; i++) {
		const unsigned int what = fuzz_take(&f.in, 1) %
			(sizeof(changes) / sizeof(changes[0]));

		if (!before || of_memory(what))
			changes[what](&f);
	}
	if (before || !mon_open(&f.ti->mem, &f.info, f.btf, f.btf_len, &mon,
				msg, sizeof(msg))) {
		use(mon, f.ti);
		mon_stats_read(mon, &st);
		must(st.reads <= MAX_READS && st.read_bytes <= MAX_BYTES);
		mon_close(mon);
	} else {
		must(memchr(msg, '\0', sizeof(msg)) && *msg);
	}
	undo_all();
	free(f.btf);
}
