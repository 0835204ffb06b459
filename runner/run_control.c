// SPDX-License-Identifier: GPL-2.0-only
/*
 * A scenario beside its control, the same under the kernel's default
 * scheduler: boots of both in turns, and one result of them all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/log.h"
#include "lib/path.h"
#include "runner/run_opts.h"
#include "runner/run_priv.h"
#include "runner/rundir.h"
#include "runner/scenario.h"
#include "runner/status.h"

enum { ARM_TEST, ARM_CONTROL, NR_ARMS };

static const char *const arm_names[NR_ARMS] = { "scheduler", "control" };

/* Boots of both arms: boot[arm * nr + i]. */
struct duel {
	struct run *boot;
	uint64_t *seed;
	unsigned int nr;	/* of each arm */
	unsigned int first;	/* which arm begins each pair */
	char *dir;		/* owned */
};

static struct run *boot_of(const struct duel *d, unsigned int arm,
			   unsigned int i)
{
	return &d->boot[arm * d->nr + i];
}

static void duel_fini(struct duel *d)
{
	unsigned int i;

	for (i = 0; d->boot && i < NR_ARMS * d->nr; i++)
		run_fini(&d->boot[i]);
	free(d->boot);
	free(d->seed);
	free(d->dir);
}

/* The first boot's is DIR itself; then DIR/control, DIR/boot-2, ... */
static char *dir_of(const struct duel *d, unsigned int arm, unsigned int i)
{
	char name[32];
	char *dir;

	if (arm == ARM_TEST && !i)
		return strdup(d->dir);
	if (!i)
		snprintf(name, sizeof(name), "control");
	else
		snprintf(name, sizeof(name), "%s-%u",
			 arm == ARM_TEST ? "boot" : "control", i + 1);
	dir = path_join(d->dir, name);
	if (dir && mkdir(dir, 0777)) {
		log_err("run: %s: %s", dir, strerror(errno));
		free(dir);
		dir = NULL;
	}
	return dir;
}

/* The control is judged by the conditions that any run must hold. */
static int make_control(struct run *r)
{
	json_object_del(r->checks, "ratios");
	return json_object_set_new(r->plan, "scheduler", json_null()) ||
	       json_object_set_new(r->checks, "checks", json_array());
}

static int open_boot(struct duel *d, unsigned int arm, unsigned int i)
{
	struct run *r = boot_of(d, arm, i);
	int err;

	r->dir = dir_of(d, arm, i);
	if (!r->dir)
		return -ENOMEM;
	err = run_fill(r, d->seed[i]);
	if (!err && arm == ARM_CONTROL && make_control(r))
		err = -ENOMEM;
	return err;
}

/* Is there a second boot to come after this one? */
static bool ran(const struct run *r)
{
	return r->launched.status == LAUNCH_OK && r->facts;
}

static void say_boot(const struct duel *d, unsigned int arm, unsigned int i)
{
	const struct run_opts *opts = boot_of(d, arm, i)->opts;
	char boot[48];

	if (!opts->quiet)
		log_info("boot %u of %u: the %s", i + 1, d->nr,
			 arm_names[arm]);
	snprintf(boot, sizeof(boot), "%s %u/%u", arm_names[arm], i + 1, d->nr);
	status_boot(opts->status, boot);
}

/* In turns, until one can't be run. Return: that one, or NULL. */
static struct run *run_boots(struct duel *d)
{
	unsigned int i, turn, arm;
	struct run *r;

	for (i = 0; i < d->nr; i++) {
		for (turn = 0; turn < NR_ARMS; turn++) {
			arm = (d->first + turn) % NR_ARMS;
			r = boot_of(d, arm, i);
			if (open_boot(d, arm, i)) {
				r->launched.status = LAUNCH_ERROR;
				snprintf(r->launched.reason,
					 sizeof(r->launched.reason),
					 "a boot's directory could not be made");
				return r;
			}
			say_boot(d, arm, i);
			run_launch(r);
			if (!ran(r))
				return r;
		}
	}
	return NULL;
}

/* Each boot on its own; what needs the control is judged later. */
static void judge_alone(struct duel *d)
{
	unsigned int i;
	json_t *ratios;

	for (i = 0; i < NR_ARMS * d->nr; i++) {
		struct run *r = &d->boot[i];

		if (!r->checks)
			continue; /* not reached */
		ratios = json_incref(json_object_get(r->checks, "ratios"));
		json_object_del(r->checks, "ratios");
		run_judge(r);
		if (ratios)
			json_object_set_new(r->checks, "ratios", ratios);
	}
}

/* The first boot with the worst verdict. */
static struct run *worst_of(const struct duel *d, unsigned int arm)
{
	struct run *worst = boot_of(d, arm, 0);
	unsigned int i;

	for (i = 1; i < d->nr; i++)
		if (boot_of(d, arm, i)->judgement.verdict >
		    worst->judgement.verdict)
			worst = boot_of(d, arm, i);
	return worst;
}

static json_t *facts_of(const struct duel *d, unsigned int arm)
{
	json_t *all = json_array();
	unsigned int i;

	for (i = 0; i < d->nr; i++)
		if (boot_of(d, arm, i)->facts)
			json_array_append(all, boot_of(d, arm, i)->facts);
	return all;
}

static json_t *text_or_null(const char *text)
{
	json_t *json = json_string(text);

	return json ? json : json_null();
}

static json_t *boots_json(const struct duel *d)
{
	json_t *boots = json_array();
	unsigned int i, turn, arm;
	const struct run *r;

	for (i = 0; i < NR_ARMS * d->nr; i++) {
		turn = i % NR_ARMS;
		arm = (d->first + turn) % NR_ARMS;
		r = boot_of(d, arm, i / NR_ARMS);
		if (!r->checks)
			continue;
		json_array_append_new(boots, json_pack(
			"{s:s,s:i,s:I,s:s,s:s,s:o}", "arm", arm_names[arm],
			"boot", (int)(i / NR_ARMS + 1), "seed",
			(json_int_t)d->seed[i / NR_ARMS], "dir", r->dir,
			"verdict", verdict_name(r->judgement.verdict),
			"reason", text_or_null(r->judgement.reason)));
	}
	return boots;
}

static json_t *control_json(const struct duel *d, unsigned int shown)
{
	const struct run *worst = worst_of(d, ARM_CONTROL);
	const json_t *facts = boot_of(d, ARM_CONTROL, shown)->facts;

	return json_pack("{s:s,s:o,s:O?,s:O?,s:O?,s:o}", "verdict",
			 verdict_name(worst->judgement.verdict), "reason",
			 text_or_null(worst->judgement.reason), "workloads",
			 json_object_get(facts, "workloads"), "disks",
			 json_object_get(facts, "disks"), "host",
			 json_object_get(facts, "host"), "runs",
			 boots_json(d));
}

/* A reason that names its boot, where there are several. */
static void name_boot(const struct duel *d, struct run *shown)
{
	char reason[JUDGE_REASON_LEN];

	if (d->nr == 1 || shown->judgement.verdict <= VERDICT_PASS)
		return;
	snprintf(reason, sizeof(reason), "%s", shown->judgement.reason);
	run_decide(shown, shown->judgement.verdict, "boot %u of %u: %.400s",
		   (unsigned int)(shown - d->boot) + 1, d->nr, reason);
}

static void judge_together(struct duel *d, struct run *shown,
			   const struct run *stopped)
{
	const struct run *control = worst_of(d, ARM_CONTROL);
	struct judge_arms arms = {
		.tests = facts_of(d, ARM_TEST),
		.controls = facts_of(d, ARM_CONTROL),
		.verdict = control->judgement.verdict,
		.reason = control->judgement.reason,
	};

	shown->control = control_json(d, shown - d->boot);
	judge_fini(&shown->judgement);
	shown->arms = &arms;
	run_judge(shown);
	shown->arms = NULL;
	name_boot(d, shown);
	if (stopped && stopped != shown &&
	    stopped->judgement.verdict >= shown->judgement.verdict) {
		run_decide(shown, stopped->judgement.verdict,
			   "a boot of the %s: %.400s",
			   arm_names[(stopped - d->boot) / d->nr],
			   stopped->judgement.reason);
		shown->launched.status = stopped->launched.status;
		shown->launched.signal = stopped->launched.signal;
		shown->launched.host_unfit = stopped->launched.host_unfit;
	}
	json_decref((json_t *)arms.tests);
	json_decref((json_t *)arms.controls);
}

static int duel_init(struct duel *d, const struct run_ops *ops,
		     const struct run_opts *opts, const struct scenario *s,
		     const uint64_t *seeds, unsigned int nr)
{
	unsigned int i;

	*d = (struct duel){ .nr = nr, .first = seeds[0] % NR_ARMS };
	d->boot = calloc(NR_ARMS * nr, sizeof(*d->boot));
	d->seed = calloc(nr, sizeof(*d->seed));
	if (!d->boot || !d->seed)
		return -ENOMEM;
	memcpy(d->seed, seeds, nr * sizeof(*seeds));
	for (i = 0; i < NR_ARMS * nr; i++)
		d->boot[i] = (struct run){ .ops = ops, .opts = opts,
					   .scenario = s };
	return 0;
}

static void run_duel(struct duel *d, FILE *out, struct run_end *end)
{
	struct run *stopped = run_boots(d), *shown;

	if (stopped && stopped->launched.status == LAUNCH_USAGE) {
		run_say_usage(stopped, d->dir, end);
		return;
	}
	judge_alone(d);
	shown = worst_of(d, ARM_TEST);
	if (!shown->plan && open_boot(d, ARM_TEST, 0)) {
		log_err("run: %s: the first boot could not be set up", d->dir);
		return;
	}
	judge_together(d, shown, stopped);
	/* all that is written about the run goes to its own directory */
	free(shown->dir);
	shown->dir = strdup(d->dir);
	if (shown->dir)
		run_finish(shown, out, end);
}

void run_controlled(const struct run_ops *ops, const struct run_opts *opts,
		    const struct scenario *s, const uint64_t *seeds,
		    unsigned int nr, bool several, FILE *out,
		    struct run_end *end)
{
	struct duel d;
	char why[512];

	*end = (struct run_end){ .verdict = VERDICT_ERROR };
	if (duel_init(&d, ops, opts, s, seeds, nr)) {
		log_err("run: out of memory");
		goto out;
	}
	d.dir = rundir_new(opts->out, several, s->name, why, sizeof(why));
	if (d.dir) {
		run_duel(&d, out, end);
	} else {
		end->usage = errno == EEXIST;
		log_err("run: %s", why);
	}
out:
	duel_fini(&d);
}
