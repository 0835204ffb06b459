/* SPDX-License-Identifier: GPL-2.0-only */
/* Text of unknown origin as a JSON string: comms, logs, exit messages. */
#ifndef KTSTR_AGENT_JSON_TEXT_H
#define KTSTR_AGENT_JSON_TEXT_H

#include <stddef.h>

#include <jansson.h>

/**
 * json_text() - a string of at most @max bytes, up to the first NUL
 *
 * Bytes that are no printable ASCII, tab or newline become '?': a task may
 * call itself anything, and JSON takes UTF-8 only.
 *
 * Return: new reference, or NULL out of memory.
 */
json_t *json_text(const char *text, size_t max);

/** json_text_tail() - the last @max bytes of a string, likewise */
json_t *json_text_tail(const char *text, size_t max);

#endif
