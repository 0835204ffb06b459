/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the command line changes in a scenario's tree before anything is
 * checked. Nodes made here carry the option as their place, so that every
 * later error names it.
 */
#ifndef KTSTR_RUNNER_SET_H
#define KTSTR_RUNNER_SET_H

struct diag;
struct toml_node;

/**
 * set_apply() - one --set
 * @root: the whole scenario, changed in place
 * @assignment: "a.b=VALUE": tables by key, elements of an array of tables by
 *	their name or their index from 0. VALUE is TOML, and what is not TOML
 *	is a string: 5, true, "x", { a = 1 }, 8MB/s
 *
 * Tables on the way are made as needed. Errors go to @d.
 */
void set_apply(struct diag *d, struct toml_node *root, const char *assignment);

/**
 * set_scheduler() - --scheduler
 * @name: "none" for the kernel's default, a file (.bpf.o, .bpf.c, or any path
 *	with a slash), or the name of a builtin
 *
 * Drops [scheduler] set, keeps expect. A file is resolved from the current
 * directory; one that is not there is an error in @d.
 */
void set_scheduler(struct diag *d, struct toml_node *root, const char *name);

#endif
