// SPDX-License-Identifier: GPL-2.0-only
/* ktstr run, but for the launcher: scenarios in, verdicts out. */
#include "runner/run.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/path.h"
#include "runner/cmd.h"
#include "runner/diag.h"
#include "runner/junit.h"
#include "runner/ktap.h"
#include "runner/plan.h"
#include "runner/record.h"
#include "runner/result.h"
#include "runner/run_opts.h"
#include "runner/status.h"

#define DEFAULT_SCENARIO "scenario.toml"

/* The scenarios of one command, all read before the first is run. */
struct batch {
	struct scenario **scenarios;	/* owned */
	size_t nr;
	bool bad;			/* one could not be read; it was said */
};

static void batch_fini(struct batch *b)
{
	size_t i;

	for (i = 0; i < b->nr; i++)
		scenario_free(b->scenarios[i]);
	free(b->scenarios);
}

static void batch_add(struct batch *b, const char *path,
		      const struct run_opts *opts)
{
	struct scenario_overrides overrides = {
		.set = opts->set,
		.scheduler = opts->scheduler,
	};
	struct scenario **more;
	struct scenario *s;
	struct diag d;

	diag_init(&d, path);
	if (scenario_load(path, &overrides, &s, &d)) {
		diag_print(&d, stderr);
		b->bad = true;
		goto out;
	}
	more = reallocarray(b->scenarios, b->nr + 1, sizeof(*more));
	if (!more) {
		fputs("ktstr run: out of memory\n", stderr);
		scenario_free(s);
		b->bad = true;
		goto out;
	}
	b->scenarios = more;
	b->scenarios[b->nr++] = s;
out:
	diag_fini(&d);
}

static int is_toml(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 5 && entry->d_name[0] != '.' &&
	       !strcmp(entry->d_name + len - 5, ".toml");
}

static void batch_add_dir(struct batch *b, const char *dir,
			  const struct run_opts *opts)
{
	struct dirent **entries;
	int i, nr = scandir(dir, &entries, is_toml, alphasort);
	char *path;

	if (nr <= 0) {
		fprintf(stderr, "ktstr run: %s: %s\n", dir,
			nr < 0 ? strerror(errno) : "no *.toml in it");
		b->bad = true;
		if (!nr)
			free(entries);
		return;
	}
	for (i = 0; i < nr; i++) {
		path = path_join(dir, entries[i]->d_name);
		if (path)
			batch_add(b, path, opts);
		else
			b->bad = true;
		free(path);
		free(entries[i]);
	}
	free(entries);
}

static void batch_read(struct batch *b, int argc, char **argv,
		       const struct run_opts *opts)
{
	struct stat st;
	int i = opts->first_path;

	if (i == argc && access(DEFAULT_SCENARIO, F_OK)) {
		fputs("ktstr run: no scenario is named, and there is no ./" DEFAULT_SCENARIO "\n"
		      "    hint: name one; `ktstr list` shows those that come with ktstr\n",
		      stderr);
		b->bad = true;
		return;
	}
	if (i == argc)
		batch_add(b, DEFAULT_SCENARIO, opts);
	for (; i < argc; i++) {
		if (!stat(argv[i], &st) && S_ISDIR(st.st_mode))
			batch_add_dir(b, argv[i], opts);
		else
			batch_add(b, argv[i], opts);
	}
}

/* Short enough to be typed again. */
static uint64_t new_seed(void)
{
	uint32_t seed;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = getpid();
	return seed;
}

static uint64_t seed_of(const struct run_opts *opts, uint64_t boot)
{
	if (!opts->has_seed)
		return new_seed();
	if (opts->seeds)
		return opts->seeds[boot];
	return (opts->seed + boot) & PLAN_SEED_MAX;
}

static int print_json(const json_t *json, FILE *out)
{
	char *text = result_dump(json);

	if (!text)
		return -ENOMEM;
	fprintf(out, "%s\n", text);
	free(text);
	return fflush(out) ? -errno : 0;
}

/* One is itself; several are an array, also when only the first came about. */
static const json_t *one_or_all(const json_t *all, bool several)
{
	return several ? all : json_array_get(all, 0);
}

static int dry_run(const struct batch *b, const struct run_opts *opts,
		   FILE *out)
{
	json_t *plans = json_array();
	int err;
	size_t i;

	for (i = 0; i < b->nr; i++) {
		json_t *plan = plan_new(b->scenarios[i], seed_of(opts, 0));

		plan_set_transport(plan, opts->transport);
		json_array_append_new(plans, plan);
	}
	err = json_array_size(plans) == b->nr ?
	      print_json(one_or_all(plans, b->nr > 1), out) : -ENOMEM;
	json_decref(plans);
	return err ? KTSTR_EXIT_ERROR : 0;
}

static int print_config(const struct batch *b, FILE *out)
{
	size_t i;

	for (i = 0; i < b->nr; i++) {
		if (b->nr > 1)
			fprintf(out, "%s# %s\n", i ? "\n" : "",
				b->scenarios[i]->path);
		scenario_print(out, b->scenarios[i]);
	}
	return fflush(out) ? KTSTR_EXIT_ERROR : 0;
}

/* What became of all the runs. */
struct tally {
	enum verdict worst;
	unsigned int counts[VERDICT_ERROR + 1];
	unsigned int nr;
	bool usage;
	bool no_compile;	/* usage: of each that was, this is why */
	bool host_unfit;
	int signal;
	json_t *results;	/* owned array */
	json_t *records;	/* owned array, of all runs that were asked for */
	FILE *ktap;		/* NULL: not wanted */
};

static void tally_add(struct tally *t, struct run_end *end)
{
	if (end->result)
		json_array_append_new(t->results, end->result);
	if (end->signal)
		t->signal = end->signal;
	t->host_unfit |= end->host_unfit;
	if (end->usage) {
		t->no_compile = end->no_compile && (!t->usage || t->no_compile);
		t->usage = true;
		return;
	}
	t->nr++;
	t->counts[end->verdict]++;
	if (end->verdict > t->worst)
		t->worst = end->verdict;
}

/* The @boot'th run of @s, for the formats that account for each. */
static void tally_record(struct tally *t, const struct scenario *s,
			 uint64_t boot, uint64_t boots,
			 const struct run_end *end)
{
	const char *reason = !end ? "not run, since one before it was stopped or can't be run" :
			     end->usage ? "it can't be run; stderr says why" :
					  "no result; stderr says why";
	json_t *record = record_new(s->name, boot, boots,
				    end ? end->result : NULL,
				    end ? "error" : "skip", reason);

	json_array_append_new(t->records, record);
	if (t->ktap)
		ktap_run(t->ktap, json_array_size(t->records), record);
}

static bool is_controlled(const struct run_opts *opts,
			  const struct scenario *s)
{
	return opts->control || scenario_needs_control(s);
}

/* With a control all its boots are one run. */
static uint64_t runs_of(const struct run_opts *opts, const struct scenario *s)
{
	return is_controlled(opts, s) ? 1 : opts->boots;
}

static uint64_t runs_of_all(const struct run_opts *opts, const struct batch *b)
{
	uint64_t runs = 0;
	size_t i;

	for (i = 0; i < b->nr; i++)
		runs += runs_of(opts, b->scenarios[i]);
	return runs;
}

static void run_with_control(const struct run_ops *ops,
			     const struct run_opts *opts,
			     const struct scenario *s, bool several,
			     FILE *report, struct run_end *end)
{
	uint64_t *seeds = calloc(opts->boots, sizeof(*seeds));
	uint64_t boot;

	*end = (struct run_end){ .verdict = VERDICT_ERROR };
	if (!seeds) {
		log_err("run: out of memory");
		return;
	}
	for (boot = 0; boot < opts->boots; boot++)
		seeds[boot] = seed_of(opts, boot);
	run_controlled(ops, opts, s, seeds, opts->boots, several, report,
		       end);
	free(seeds);
}

static void run_batch(const struct run_ops *ops, const struct batch *b,
		      const struct run_opts *opts, bool several, FILE *report,
		      struct tally *t)
{
	struct run_end end;
	uint64_t boot;
	bool usage;
	size_t i;

	for (i = 0; i < b->nr; i++) {
		const struct scenario *s = b->scenarios[i];
		uint64_t runs = runs_of(opts, s);

		for (usage = false, boot = 0; boot < runs; boot++) {
			if (t->signal || usage) {
				tally_record(t, s, boot, runs, NULL);
				continue;
			}
			if (t->nr && report && !opts->quiet)
				fputc('\n', report);
			status_scenario(opts->status, s->name,
					json_array_size(t->records) + 1,
					runs_of_all(opts, b));
			if (is_controlled(opts, s))
				run_with_control(ops, opts, s, several, report,
						 &end);
			else
				run_scenario(ops, opts, s, seed_of(opts, boot),
					     several, report, &end);
			tally_record(t, s, boot, runs, &end);
			tally_add(t, &end);
			/* another boot of it can't be run either */
			usage = end.usage;
		}
	}
}

static void print_tally(const struct tally *t, FILE *out)
{
	const char *between = "";
	int v;

	fprintf(out, "\n%u runs: ", t->nr);
	for (v = VERDICT_ERROR; v >= VERDICT_SKIP; v--) {
		if (!t->counts[v])
			continue;
		fprintf(out, "%s%u %s", between, t->counts[v],
			verdict_name(v));
		between = ", ";
	}
	fputc('\n', out);
}

static int write_json(const struct run_opts *opts, const json_t *results,
		      bool several, FILE *out)
{
	int err;

	if (!opts->json || !json_array_size(results))
		return 0;
	if (!strcmp(opts->json, "-"))
		err = print_json(one_or_all(results, several), out);
	else
		err = result_write(one_or_all(results, several), opts->json);
	if (err)
		log_err("run: --json %s: %s", opts->json, strerror(-err));
	return err;
}

static int write_junit(const struct run_opts *opts, const struct tally *t)
{
	int err = opts->junit ? junit_write(opts->junit, t->records) : 0;

	if (err)
		log_err("run: --junit %s: %s", opts->junit, strerror(-err));
	return err;
}

/*
 * A scheduler that does not compile is one revision's fault; whatever else is
 * misuse would be so with each of them.
 */
static int bisect_code(const struct tally *t)
{
	if (t->usage)
		return t->no_compile ? KTSTR_BISECT_SKIP : KTSTR_BISECT_ABORT;
	if (t->worst == VERDICT_PASS)
		return KTSTR_EXIT_PASS;
	if (t->worst == VERDICT_FAIL)
		return KTSTR_EXIT_FAIL;
	return t->host_unfit ? KTSTR_BISECT_ABORT : KTSTR_BISECT_SKIP;
}

static int exit_code(const struct run_opts *opts, const struct tally *t)
{
	static const int codes[] = {
		[VERDICT_SKIP] = KTSTR_EXIT_SKIP,
		[VERDICT_PASS] = KTSTR_EXIT_PASS,
		[VERDICT_INCONCLUSIVE] = KTSTR_EXIT_INCONCLUSIVE,
		[VERDICT_FAIL] = KTSTR_EXIT_FAIL,
		[VERDICT_ERROR] = KTSTR_EXIT_ERROR,
	};

	if (t->signal)
		return 128 + t->signal;
	if (opts->git_bisect)
		return bisect_code(t);
	return t->usage ? KTSTR_EXIT_USAGE : codes[t->worst];
}

static int run_all(const struct run_ops *ops, const struct batch *b,
		   const struct run_opts *opts, FILE *out)
{
	bool json_out = opts->json && !strcmp(opts->json, "-");
	bool several = runs_of_all(opts, b) > 1;
	struct tally t = {
		.results = json_array(),
		.records = json_array(),
		.ktap = opts->ktap ? out : NULL,
	};
	FILE *report = json_out || opts->ktap ? NULL : out;
	int code, err;

	if (t.ktap)
		ktap_begin(t.ktap, runs_of_all(opts, b));
	run_batch(ops, b, opts, several, report, &t);
	if (report && t.nr > 1)
		print_tally(&t, report);
	code = exit_code(opts, &t);
	err = write_json(opts, t.results, several, out);
	if (!err)
		err = write_junit(opts, &t);
	if (err && !t.signal)
		code = opts->git_bisect ? KTSTR_BISECT_SKIP : KTSTR_EXIT_ERROR;
	json_decref(t.results);
	json_decref(t.records);
	return code;
}

/* The same, with a live line on stderr where that is a terminal. */
static int run_live(const struct run_ops *ops, const struct batch *b,
		    struct run_opts *opts, FILE *out)
{
	int code;

	opts->status = opts->quiet ? NULL : status_open(STDERR_FILENO);
	code = run_all(ops, b, opts, out);
	status_close(opts->status);
	opts->status = NULL;
	return code;
}

static int misuse_code(const struct run_opts *opts)
{
	return opts->git_bisect ? KTSTR_BISECT_ABORT : KTSTR_EXIT_USAGE;
}

int cmd_run_opts(const struct run_ops *ops, struct run_opts *opts, int argc,
		 char **argv, FILE *out)
{
	struct batch b = { 0 };
	int code;

	log_set_level(opts->verbose ? LOG_LVL_DEBUG :
		      opts->quiet ? LOG_LVL_WARN : LOG_LVL_INFO);
	batch_read(&b, argc, argv, opts);
	if (b.bad)
		code = misuse_code(opts);
	else if (opts->print_config)
		code = print_config(&b, out);
	else if (opts->dry_run)
		code = dry_run(&b, opts, out);
	else
		code = run_live(ops, &b, opts, out);
	batch_fini(&b);
	return code;
}

int cmd_run_with(const struct run_ops *ops, int argc, char **argv, FILE *out)
{
	enum run_opts_status status;
	struct run_opts opts;

	status = run_opts_parse(argc, argv, &opts);
	if (status == RUN_OPTS_HELP) {
		run_opts_help(out);
		return 0;
	}
	if (status == RUN_OPTS_BAD)
		return misuse_code(&opts);
	return cmd_run_opts(ops, &opts, argc, argv, out);
}
