/* SPDX-License-Identifier: GPL-2.0-only */
/* The log of every part: one line per event on stderr, or to a sink. */
#ifndef KTSTR_LIB_LOG_H
#define KTSTR_LIB_LOG_H

#include <stdarg.h>

enum log_level { LOG_LVL_ERR, LOG_LVL_WARN, LOG_LVL_INFO, LOG_LVL_DEBUG };

/**
 * log_sink_fn - where lines go instead of stderr
 * @ctx: as given to log_set_sink()
 * @level: severity
 * @line: without newline, borrowed for the call
 *
 * Called on whatever thread logs; must be safe for that.
 */
typedef void (*log_sink_fn)(void *ctx, enum log_level level, const char *line);

/** log_set_level() - drop what is less severe than @level; default info. */
void log_set_level(enum log_level level);

/** log_set_sink() - send lines to @fn; NULL goes back to stderr. Before threads start. */
void log_set_sink(log_sink_fn fn, void *ctx);

/** log_level_prefix() - what a line on stderr begins with: "error: ", "" */
const char *log_level_prefix(enum log_level level);

/**
 * log_msg() - one line: lower case, no full stop, object and values with units
 *
 * Thread-safe; a line is written with one write(2). Lines over 1 KiB are cut.
 */
__attribute__((format(printf, 2, 3)))
void log_msg(enum log_level level, const char *fmt, ...);

#define log_err(...) log_msg(LOG_LVL_ERR, __VA_ARGS__)
#define log_warn(...) log_msg(LOG_LVL_WARN, __VA_ARGS__)
#define log_info(...) log_msg(LOG_LVL_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_LVL_DEBUG, __VA_ARGS__)

#endif
