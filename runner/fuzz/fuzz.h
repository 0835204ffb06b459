/* SPDX-License-Identifier: GPL-2.0-only */
/* The fuzz targets of runner/: see lib/fuzz.h. */
#ifndef KTSTR_RUNNER_FUZZ_FUZZ_H
#define KTSTR_RUNNER_FUZZ_FUZZ_H

#include "lib/fuzz.h"

void fuzz_scenario(const uint8_t *data, size_t len);
void fuzz_agent(const uint8_t *data, size_t len);
void fuzz_progress(const uint8_t *data, size_t len);

#endif
