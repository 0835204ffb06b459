/* SPDX-License-Identifier: GPL-2.0-only */
/* The fuzz targets of vmm/: see lib/fuzz.h. */
#ifndef KTSTR_VMM_FUZZ_FUZZ_H
#define KTSTR_VMM_FUZZ_FUZZ_H

#include "lib/fuzz.h"

void fuzz_chain(const uint8_t *data, size_t len);
void fuzz_mmio(const uint8_t *data, size_t len);
void fuzz_pci(const uint8_t *data, size_t len);
void fuzz_console(const uint8_t *data, size_t len);
void fuzz_frame(const uint8_t *data, size_t len);
void fuzz_limiter(const uint8_t *data, size_t len);
void fuzz_blk_req(const uint8_t *data, size_t len);
void fuzz_image(const uint8_t *data, size_t len);

#endif
