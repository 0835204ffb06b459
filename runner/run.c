// SPDX-License-Identifier: GPL-2.0-only
#include "runner/run.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/path.h"
#include "runner/bundle.h"
#include "runner/image_id.h"
#include "runner/plan.h"
#include "runner/report.h"
#include "runner/result.h"
#include "runner/run_opts.h"
#include "runner/run_priv.h"
#include "runner/rundir.h"
#include "runner/scenario.h"

void run_fini(struct run *r)
{
	free(r->dir);
	json_decref(r->plan);
	json_decref(r->checks);
	json_decref(r->facts);
	json_decref(r->control);
	judge_fini(&r->judgement);
}

void run_decide(struct run *r, enum verdict v, const char *fmt, ...)
{
	va_list args;

	r->judgement.verdict = v;
	va_start(args, fmt);
	vsnprintf(r->judgement.reason, sizeof(r->judgement.reason), fmt, args);
	va_end(args);
}

static int write_scenario(struct run *r)
{
	char *path = path_join(r->dir, "scenario.toml");
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int err = -ENOMEM;

	if (f) {
		scenario_print(f, r->scenario);
		if (!fclose(f) && path) {
			SHA256Data((const uint8_t *)text, len, r->hash);
			err = path_write_file(path, text, len);
		}
	}
	free(text);
	free(path);
	return err;
}

int run_fill(struct run *r, uint64_t seed)
{
	int err;

	r->plan = plan_new(r->scenario, seed);
	plan_set_transport(r->plan, r->opts->transport);
	image_ids_note(r->plan);
	r->checks = plan_checks_new(r->scenario);
	err = r->plan && r->checks ? write_scenario(r) : -ENOMEM;
	if (err)
		log_err("run: %s: %s", r->dir, strerror(-err));
	return err;
}

/* 0, or -errno after saying what went wrong. */
static int run_open(struct run *r, bool several, uint64_t seed)
{
	char why[512];
	int err;

	r->dir = rundir_new(r->opts->out, several, r->scenario->name, why,
			    sizeof(why));
	if (r->dir)
		return run_fill(r, seed);
	err = -errno;
	log_err("run: %s", why);
	return err;
}

void run_launch(struct run *r)
{
	struct launch_opts lo = {
		.accel = r->opts->accel,
		.kernel = r->opts->kernel,
		.out_dir = r->dir,
		.quiet = r->opts->quiet,
		.status = r->opts->status,
		.replay = r->opts->replay,
	};

	r->ops->prepare(&lo, r->plan, &r->launched);
	if (r->launched.status == LAUNCH_OK)
		r->ops->run(&lo, r->plan, &r->launched, &r->facts);
}

void run_judge(struct run *r)
{
	const struct launch_result *res = &r->launched;

	/* what there is to judge is judged, also where it does not count */
	if (r->facts && judge_with_control(r->plan, r->checks, r->facts,
					   r->arms, &r->judgement)) {
		run_decide(r, VERDICT_ERROR, "out of memory");
		return;
	}
	if (!r->judgement.checks)
		r->judgement.checks = json_array();
	switch (res->status) {
	case LAUNCH_OK:
		if (!r->facts)
			run_decide(r, VERDICT_ERROR, "the run left no facts");
		break;
	case LAUNCH_SKIP:
		run_decide(r, VERDICT_SKIP, "%s", res->reason);
		break;
	case LAUNCH_INTERRUPTED:
		if (r->judgement.verdict <= VERDICT_INCONCLUSIVE)
			run_decide(r, VERDICT_INCONCLUSIVE,
				   "interrupted by SIG%s",
				   sigabbrev_np(res->signal) ?
				   sigabbrev_np(res->signal) : "?");
		break;
	default:
		run_decide(r, VERDICT_ERROR, "%s", res->reason);
		break;
	}
}

static json_t *write_result(struct run *r)
{
	struct result_input in = {
		.scenario = r->scenario,
		.scenario_hash = r->hash,
		.plan = r->plan,
		.facts = r->facts,
		.judgement = &r->judgement,
		.control = r->control,
		.accel = r->launched.accel,
	};
	char *path = path_join(r->dir, "result.json");
	json_t *result = result_new(&in);
	int err = -ENOMEM;

	if (path && result)
		err = result_write(result, path);
	if (err) {
		log_err("run: %s/result.json: %s", r->dir, strerror(-err));
		run_decide(r, VERDICT_ERROR, "the result was not written");
	}
	free(path);
	return result;
}

static enum report_detail detail_of(const struct run_opts *opts)
{
	if (opts->quiet)
		return REPORT_LINE;
	return opts->verbose ? REPORT_ALL : REPORT_NORMAL;
}

void run_say_usage(const struct run *r, const char *dir, struct run_end *end)
{
	fprintf(stderr, "ktstr run: %s: %s\n", r->scenario->path,
		r->launched.reason);
	path_remove_tree(dir);
	end->usage = true;
	end->no_compile = r->launched.no_compile;
}

/* Something ran, and not well. */
static bool wants_bundle(const struct run *r)
{
	const enum verdict v = r->judgement.verdict;

	return v == VERDICT_FAIL || v == VERDICT_ERROR ||
		(v == VERDICT_INCONCLUSIVE && r->facts);
}

void run_finish(struct run *r, FILE *out, struct run_end *end)
{
	end->result = write_result(r);
	if (end->result && wants_bundle(r))
		bundle_write(r->dir, end->result, r->facts);
	end->verdict = r->judgement.verdict;
	end->host_unfit = r->launched.host_unfit;
	if (r->launched.status == LAUNCH_INTERRUPTED)
		end->signal = r->launched.signal;
	if (!out || !end->result)
		return;
	report_print(out, end->result, r->facts, r->dir, detail_of(r->opts));
	fflush(out);
}

void run_scenario(const struct run_ops *ops, const struct run_opts *opts,
		  const struct scenario *s, uint64_t seed, bool several,
		  FILE *out, struct run_end *end)
{
	struct run r = { .ops = ops, .opts = opts, .scenario = s };
	int err = run_open(&r, several, seed);

	*end = (struct run_end){ .verdict = VERDICT_ERROR };
	if (err) {
		/* a directory that is taken is the user's to choose again */
		end->usage = err == -EEXIST;
		goto out;
	}
	run_launch(&r);
	if (r.launched.status == LAUNCH_USAGE) {
		run_say_usage(&r, r.dir, end);
		goto out;
	}
	run_judge(&r);
	run_finish(&r, out, end);
out:
	run_fini(&r);
}
