/* SPDX-License-Identifier: GPL-2.0-only */
/* The version, for --version and for results. */
#ifndef KTSTR_RUNNER_VERSION_H
#define KTSTR_RUNNER_VERSION_H

#define KTSTR_VERSION "0.1.0"

#endif
