/* SPDX-License-Identifier: GPL-2.0-only */
/* The fuzz target of monitor/: see lib/fuzz.h. */
#ifndef KTSTR_MONITOR_FUZZ_FUZZ_H
#define KTSTR_MONITOR_FUZZ_FUZZ_H

#include "lib/fuzz.h"

void fuzz_reader(const uint8_t *data, size_t len);

#endif
