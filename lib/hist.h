/* SPDX-License-Identifier: GPL-2.0-only */
/* Arithmetic of the log-linear histogram of include/ktstr/shm.h. */
#ifndef KTSTR_LIB_HIST_H
#define KTSTR_LIB_HIST_H

#include <stdbool.h>
#include <stdint.h>

#include "include/ktstr/shm.h"

/** hist_index() - the bucket of @ns, always below KTSTR_HIST_BUCKETS. */
unsigned int hist_index(uint64_t ns);

/** hist_upper_ns() - the largest value that falls into bucket @index. */
uint64_t hist_upper_ns(unsigned int index);

/** hist_add() - count @ns; one writer, readers may look at any time. */
void hist_add(struct ktstr_hist *h, uint64_t ns);

/** hist_merge() - add @from to @into; counts that overflow stay at the top. */
void hist_merge(struct ktstr_hist *into, const struct ktstr_hist *from);

/** hist_total() - the sum of the buckets; a torn @h->count is not trusted. */
uint64_t hist_total(const struct ktstr_hist *h);

/**
 * hist_quantile() - the value below or at which @q_ppm / 1e6 of the samples lie
 * @h: histogram, from anywhere
 * @q_ppm: quantile in parts per million, 0..1000000
 * @ns: the bucket's upper end, at most 1/32 above the true value, and
 *	never above max_ns
 *
 * Return: false, @ns untouched, when there are fewer than 10 / (1 - q) samples.
 * One million asks for the maximum and needs one sample.
 */
bool hist_quantile(const struct ktstr_hist *h, uint32_t q_ppm, uint64_t *ns);

#endif
