// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks against a control: the same scenario under the kernel's default
 * scheduler, on the same machine, in turns. The unit is one boot.
 */
#include "runner/judge_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner/metrics.h"

#define LEAST_CONFIDENCE 0.9
#define LEAST_PAIRS 5	/* of fewer no interval has that confidence */

/* One metric in all boots, and what they say together. */
struct pairs {
	double *test, *control, *ratio;	/* of each boot; then sorted */
	unsigned int nr;
	double low, high, confidence;	/* of the ratio; 0: no interval */
};

static int pairs_init(struct pairs *p, unsigned int nr)
{
	*p = (struct pairs){ .nr = nr };
	p->test = calloc(3 * (nr + 1), sizeof(*p->test));
	if (!p->test)
		return -1;
	p->control = p->test + nr + 1;
	p->ratio = p->control + nr + 1;
	return 0;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *v, unsigned int nr)
{
	qsort(v, nr, sizeof(*v), by_value);
	return (v[(nr - 1) / 2] + v[nr / 2]) / 2;
}

/*
 * The exact interval of the median: between the k-th smallest and the k-th
 * greatest lies the median with 1 - 2 x P(fewer than k of nr coins are heads).
 */
static void find_interval(struct pairs *p)
{
	double term = pow(0.5, p->nr), tail = 0;
	unsigned int k;

	if (p->nr < LEAST_PAIRS)
		return;
	for (k = 0; k < p->nr / 2; k++) {
		tail += term;
		term *= (double)(p->nr - k) / (k + 1);
		if (1 - 2 * tail < LEAST_CONFIDENCE)
			return;
		p->low = p->ratio[k];
		p->high = p->ratio[p->nr - 1 - k];
		p->confidence = 1 - 2 * tail;
	}
}

/* The number of one boot; false with the reason in @f. */
static bool number_of(const struct court *c, const struct metric *m,
		      const json_t *facts, const char *arm, struct finding *f,
		      double *number)
{
	const json_t *part = part_of(facts, f);
	const json_t *value = part ? metric_value(m, part) : NULL;

	if (!part)
		return false;
	if (m->def->kind == METRIC_TIME || m->def->kind == METRIC_CLOCKS) {
		if (!court_is_quiet(c, facts, f))
			return false;
	}
	if (json_is_number(value) && isfinite(json_number_value(value))) {
		*number = json_number_value(value);
		return true;
	}
	if (json_is_null(value) && m->def->samples)
		finding_set(f, VERDICT_INCONCLUSIVE,
			    "too few samples %s: %s needs %u, there are %lld",
			    arm, m->def->name, m->def->samples,
			    (long long)metric_samples(m, part));
	else
		finding_set(f, VERDICT_INCONCLUSIVE, "it was not measured %s",
			    arm);
	return false;
}

static bool fill(const struct court *c, const struct metric *m,
		 const struct judge_arms *arms, struct finding *f,
		 struct pairs *p)
{
	unsigned int i;

	for (i = 0; i < p->nr; i++) {
		if (!number_of(c, m, json_array_get(arms->tests, i),
			       "under the scheduler", f, &p->test[i]) ||
		    !number_of(c, m, json_array_get(arms->controls, i),
			       "in the control", f, &p->control[i]))
			return false;
		if (p->control[i] <= 0) {
			finding_set(f, VERDICT_INCONCLUSIVE,
				    "it is 0 in the control: there is no ratio to it");
			return false;
		}
		p->ratio[i] = p->test[i] / p->control[i];
	}
	return true;
}

static void decide(bool is_min, double limit, const struct pairs *p,
		   double ratio, struct finding *f)
{
	bool holds = is_min ? ratio >= limit : ratio <= limit;

	if (p->confidence > 0 && p->low < limit && p->high > limit)
		finding_set(f, VERDICT_INCONCLUSIVE,
			    "the ratio of %u pairs is between %.4g and %.4g with %.1f %% confidence: more boots are needed to tell it from %.4g",
			    p->nr, p->low, p->high, p->confidence * 100,
			    limit);
	else if (holds)
		f->verdict = VERDICT_PASS;
	else
		finding_set(f, VERDICT_FAIL, "%.4g x the control is %s than %.4g x",
			    ratio, is_min ? "less" : "more", limit);
}

static void judge_pairs(const struct court *c, const struct metric *m,
			bool is_min, double limit,
			const struct judge_arms *arms, struct finding *f)
{
	struct pairs p;
	double ratio;

	if (arms->verdict > VERDICT_PASS) {
		finding_set(f, VERDICT_INCONCLUSIVE,
			    "the control's own conditions did not hold: %s",
			    arms->reason);
		return;
	}
	if (pairs_init(&p, json_array_size(arms->tests))) {
		finding_set(f, VERDICT_ERROR, "out of memory");
		return;
	}
	if (!p.nr || json_array_size(arms->controls) != p.nr) {
		finding_set(f, VERDICT_INCONCLUSIVE,
			    "a boot of the control is missing");
	} else if (fill(c, m, arms, f, &p)) {
		ratio = median(p.ratio, p.nr);
		find_interval(&p);
		f->value = json_real(median(p.test, p.nr));
		f->value_control = json_real(median(p.control, p.nr));
		f->ratio = json_real(ratio);
		if (p.confidence > 0)
			f->interval = json_pack("{s:f,s:f,s:f}", "low", p.low,
						"high", p.high, "confidence",
						p.confidence);
		decide(is_min, limit, &p, ratio, f);
	}
	free(p.test);
}

void judge_ratio(struct court *c, const json_t *check,
		 const struct judge_arms *arms)
{
	const char *name = json_text(check, "metric");
	const json_t *limit = json_object_get(check, "limit");
	struct finding f = {
		.metric = name,
		.phase = json_text(check, "phase"),
		.op = json_text(check, "op"),
		.limit = json_incref((json_t *)limit),
		.unit = json_text(check, "unit"),
	};
	struct metric m;

	if (!name || !f.op || !json_is_number(limit) ||
	    metric_parse(name, &m) != METRIC_OK)
		finding_set(&f, VERDICT_ERROR, "the check is not understood");
	else if (!arms)
		finding_set(&f, VERDICT_INCONCLUSIVE, "no control was run");
	else
		judge_pairs(c, &m, !strncmp(f.op, "min", 3),
			    json_number_value(limit), arms, &f);
	court_find(c, &f);
}
