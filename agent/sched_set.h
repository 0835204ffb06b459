/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writing a scheduler's global variables before it is loaded: by name, typed
 * by the object's BTF. Used by the loader; works on an object that is open
 * and not loaded, so tests need no privileges.
 */
#ifndef KTSTR_AGENT_SCHED_SET_H
#define KTSTR_AGENT_SCHED_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct bpf_object;
struct btf;

/* A global variable, and where its initial value is. */
struct sched_var {
	const char *name;	/* borrowed from the object */
	const struct btf *btf;	/* borrowed */
	uint32_t type_id;
	void *value;		/* borrowed: initial, or as refreshed */
	size_t bytes;
};

/**
 * sched_var_each() - call @fn for each variable of .rodata, .data and .bss
 *
 * Return: 0, or the first non-zero value of @fn.
 */
int sched_var_each(struct bpf_object *obj,
		   int (*fn)(void *ctx, const struct sched_var *var),
		   void *ctx);

/**
 * sched_var_refresh() - read the variables of a loaded object again
 *
 * Only a skeleton maps them; without one, the values are the initial ones
 * until they are read. What can't be read keeps its value.
 */
void sched_var_refresh(struct bpf_object *obj);

/** sched_var_find() - by name. Return: 0 and @var; -ENOENT. */
int sched_var_find(struct bpf_object *obj, const char *name,
		   struct sched_var *var);

/**
 * sched_var_store() - write a JSON value as the variable's type
 * @err_msg: on failure one line that names the variable
 *
 * Integers of any size take integers, and strings of digits ("0x8000..." is
 * beyond a JSON integer); bool takes true, false, 0, 1; an enum one of its
 * names, or a number; a char array a string that fits with its NUL; an array of
 * these an array of at most its length, the rest keeping its value.
 *
 * Return: 0; -EINVAL wrong type or name; -ERANGE does not fit; -ENOTSUP a type
 * that can't be set.
 */
int sched_var_store(const struct sched_var *var, json_t *value, char *err_msg,
		    size_t err_len);

/**
 * sched_set_all() - every member of an object {name: value}
 *
 * Return: 0; -ENOENT no variable of that name: @err_msg says which is nearest;
 * else as sched_var_store().
 */
int sched_set_all(struct bpf_object *obj, json_t *set, char *err_msg,
		  size_t err_len);

/**
 * sched_set_enums() - fill every read-only variable __SCX_X that is still 0
 *		       with the kernel's constant SCX_X
 * @kernel: the running kernel's BTF
 *
 * Objects are built against another kernel's headers and leave these to their
 * loader. A constant that this kernel lacks stays 0, as the scx headers want.
 *
 * Return: how many were filled, or -errno.
 */
int sched_set_enums(struct bpf_object *obj, const struct btf *kernel);

#endif
