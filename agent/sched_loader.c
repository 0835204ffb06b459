// SPDX-License-Identifier: GPL-2.0-only
#include "agent/sched_loader.h"

#include "agent/json_text.h"
#include "agent/libbpf_room.h"
#include "agent/plan.h"
#include "agent/sched_set.h"
#include "agent/sysfile.h"
#include "bpf/ktstr_exit.h"
#include "lib/clock.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define VERIFIER_LOG_BYTES (4 << 20) /* touched only as far as it is used */
#define VERIFIER_LOG_SENT (16 << 10)
#define MAX_LINKS 64
#define OPS_TYPE "sched_ext_ops"

struct loader {
	const struct plan_sched *plan;	/* borrowed */
	int fd;				/* borrowed */
	struct bpf_object *obj;		/* owned */
	struct bpf_map *ops;		/* borrowed from obj */
	struct bpf_link *links[MAX_LINKS]; /* owned; the scheduler's is last */
	unsigned int nr_links;
	char *log;			/* owned: the verifier's */
	char err_msg[512];
};

/* What libbpf complained of first: the cause, as a rule. It has one hook. */
static char first_warning[384];

static int keep_warning(enum libbpf_print_level level, const char *fmt,
			va_list ap)
{
	size_t len;

	if (level != LIBBPF_WARN || first_warning[0])
		return 0;
	vsnprintf(first_warning, sizeof(first_warning), fmt, ap);
	len = strcspn(first_warning, "\n");
	first_warning[len] = '\0';
	return 0;
}

int loader_send(int fd, char tag, json_t *body)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct iovec iov[] = {
		{ .iov_base = &tag, .iov_len = 1 },
		{ .iov_base = text, .iov_len = text ? strlen(text) : 0 },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	int err = text ? 0 : -ENOMEM;

	if (!err && sendmsg(fd, &msg, MSG_NOSIGNAL) < 0)
		err = -errno;
	free(text);
	json_decref(body);
	return err;
}

static int step_open(struct loader *l)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts,
		    .object_name = l->plan->name,
		    .kernel_log_buf = l->log,
		    .kernel_log_size = VERIFIER_LOG_BYTES);
	int err;

	libbpf_room(true);
	l->obj = bpf_object__open_file(l->plan->object, &opts);
	err = l->obj ? 0 : -errno;
	libbpf_room(false);
	return err;
}

/* The map's value type is the ops struct of the object's own BTF. */
static bool is_sched_ops(const struct loader *l, const struct bpf_map *map)
{
	const struct btf *btf = bpf_object__btf(l->obj);
	const struct btf_type *t;

	if (bpf_map__type(map) != BPF_MAP_TYPE_STRUCT_OPS || !btf)
		return false;
	t = btf__type_by_id(btf, bpf_map__btf_value_type_id(map));
	return t && !strncmp(btf__name_by_offset(btf, t->name_off), OPS_TYPE,
			     strlen(OPS_TYPE));
}

static int find_ops(struct loader *l)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, l->obj) {
		if (!is_sched_ops(l, map))
			continue;
		if (l->ops) {
			snprintf(l->err_msg, sizeof(l->err_msg),
				 "two schedulers in one object: %s and %s",
				 bpf_map__name(l->ops), bpf_map__name(map));
			return -EINVAL;
		}
		l->ops = map;
	}
	if (l->ops)
		return 0;
	snprintf(l->err_msg, sizeof(l->err_msg),
		 "no scheduler in the object: no struct " OPS_TYPE);
	return -ENOENT;
}

static int step_set(struct loader *l)
{
	struct btf *kernel = btf__load_vmlinux_btf();
	int err;

	if (!kernel) {
		snprintf(l->err_msg, sizeof(l->err_msg),
			 "the kernel's BTF: %s", strerror(errno));
		return -errno;
	}
	err = sched_set_enums(l->obj, kernel);
	btf__free(kernel);
	if (err < 0)
		return err;
	err = find_ops(l);
	if (err || !l->plan->set)
		return err;
	return sched_set_all(l->obj, l->plan->set, l->err_msg,
			     sizeof(l->err_msg));
}

static int step_load(struct loader *l)
{
	return bpf_object__load(l->obj);
}

/* "enabled", "disabled", ...; what the kernel says of all of sched_ext. */
static bool sched_ext_is(const char *state)
{
	char text[32];

	return sysfile_read(text, sizeof(text),
			    "/sys/kernel/sched_ext/state") > 0 &&
	       !strcmp(text, state);
}

static void detach(struct loader *l)
{
	while (l->nr_links)
		bpf_link__destroy(l->links[--l->nr_links]);
}

static json_t *list_maps(struct loader *l)
{
	json_t *list = json_array();
	struct bpf_map *map;

	bpf_object__for_each_map(map, l->obj) {
		struct bpf_map_info info = { 0 };
		uint32_t len = sizeof(info);
		json_t *name;

		if (bpf_map__fd(map) < 0 ||
		    bpf_map_get_info_by_fd(bpf_map__fd(map), &info, &len))
			continue;
		name = json_text(info.name, sizeof(info.name));
		json_array_append_new(list,
				      json_pack("{s:I,s:o}", "id",
						(json_int_t)info.id, "name",
						name));
	}
	return list;
}

static json_t *text_member(const struct btf *btf, const struct btf_member *m,
			   const char *base)
{
	long long bytes = btf__resolve_size(btf, m->type);

	return bytes > 0 ? json_text(base + m->offset / 8, bytes) : NULL;
}

static json_t *int_member(const struct btf *btf, const struct btf_member *m,
			  const char *base)
{
	long long bytes = btf__resolve_size(btf, m->type);
	int32_t v32;
	int64_t v64;

	if (bytes == sizeof(v32)) {
		memcpy(&v32, base + m->offset / 8, sizeof(v32));
		return json_integer(v32);
	}
	if (bytes != sizeof(v64))
		return NULL;
	memcpy(&v64, base + m->offset / 8, sizeof(v64));
	return json_integer(v64);
}

/* Ours, and the user_exit_info of the scx headers: the names are the same. */
static const struct {
	const char *member;
	const char *key;
	json_t *(*read)(const struct btf *btf, const struct btf_member *m,
			const char *base);
} exit_members[] = {
	{ "kind", "kind", int_member },
	{ "exit_code", "code", int_member },
	{ "reason", "reason", text_member },
	{ "msg", "message", text_member },
};

static int read_exit_var(void *ctx, const struct sched_var *var)
{
	static const char *const structs[] = { "ktstr_exit", "user_exit_info" };
	int id = btf__resolve_type(var->btf, var->type_id);
	const struct btf_type *t = id < 0 ? NULL :
					    btf__type_by_id(var->btf, id);
	json_t *exit = ctx;
	const char *name;
	size_t i;
	int m;

	if (!strcmp(var->name, KTSTR_EXIT_DUMP_VAR))
		json_object_set_new(exit, "dump",
				    json_text(var->value, var->bytes));
	if (!t || !btf_is_struct(t) || t->size > var->bytes)
		return 0;
	name = btf__name_by_offset(var->btf, t->name_off);
	if (strcmp(name, structs[0]) && strcmp(name, structs[1]))
		return 0;
	for (m = 0; m < btf_vlen(t); m++) {
		const struct btf_member *member = btf_members(t) + m;

		name = btf__name_by_offset(var->btf, member->name_off);
		for (i = 0; i < sizeof(exit_members) / sizeof(exit_members[0]);
		     i++) {
			if (!strcmp(name, exit_members[i].member))
				json_object_set_new(exit, exit_members[i].key,
						    exit_members[i].read(
							    var->btf, member,
							    var->value));
		}
	}
	return 0;
}

static json_t *exit_record(struct loader *l)
{
	json_t *exit = json_object();

	sched_var_refresh(l->obj);
	sched_var_each(l->obj, read_exit_var, exit);
	return exit;
}

/*
 * The kernel reports a scheduler that failed while it was being enabled as
 * attached, so that its loader can read the exit record.
 */
static int check_enabled(struct loader *l)
{
	json_t *exit;
	const char *reason, *message;

	if (!sched_ext_is("disabled"))
		return 0;
	exit = exit_record(l);
	reason = json_string_value(json_object_get(exit, "reason"));
	message = json_string_value(json_object_get(exit, "message"));
	snprintf(l->err_msg, sizeof(l->err_msg),
		 "the scheduler ended while it was being enabled: %s%s%s",
		 reason ? reason : "see the kernel log",
		 message && message[0] ? ": " : "", message ? message : "");
	json_decref(exit);
	return -ECANCELED;
}

/* Tracing programs beside the scheduler; what can't attach itself is called. */
static int attach_helpers(struct loader *l)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, l->obj) {
		struct bpf_link *link;

		if (bpf_program__type(prog) == BPF_PROG_TYPE_STRUCT_OPS ||
		    bpf_program__type(prog) == BPF_PROG_TYPE_SYSCALL ||
		    !bpf_program__autoattach(prog) ||
		    !bpf_program__autoload(prog))
			continue;
		link = bpf_program__attach(prog);
		if (!link && errno == EOPNOTSUPP)
			continue;
		if (!link)
			return -errno;
		if (l->nr_links == MAX_LINKS - 1)
			return -E2BIG;
		l->links[l->nr_links++] = link;
	}
	return 0;
}

static int step_attach(struct loader *l)
{
	struct bpf_link *link;
	int err = attach_helpers(l);

	if (err)
		return err;
	link = bpf_map__attach_struct_ops(l->ops);
	if (!link)
		return -errno;
	l->links[l->nr_links++] = link;
	return check_enabled(l);
}

static const struct step {
	const char *stage;
	int (*run)(struct loader *l);
} steps[] = {
	{ "open", step_open },
	{ "set", step_set },
	{ "load", step_load },
	{ "attach", step_attach },
};

static void report_failed(struct loader *l, const struct step *step, int err)
{
	const char *why = l->err_msg[0] ? l->err_msg : first_warning;
	char message[1024];

	if (*why)
		snprintf(message, sizeof(message), "%s", why);
	else
		snprintf(message, sizeof(message), "%s: %s", l->plan->object,
			 strerror(-err));
	loader_send(l->fd, LOADER_FAILED,
		    json_pack("{s:s,s:s,s:s,s:i,s:o,s:o}", "state", "failed",
			      "name", l->plan->name, "stage", step->stage,
			      "errno", -err, "message",
			      json_text(message, sizeof(message)), "log",
			      json_text_tail(l->log, VERIFIER_LOG_SENT)));
}

static int run_steps(struct loader *l)
{
	uint64_t start_ns = clock_now_ns(), now_ns;
	size_t i;
	int err;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		first_warning[0] = '\0';
		err = steps[i].run(l);
		now_ns = clock_now_ns();
		if (err) {
			report_failed(l, &steps[i], err);
			return err;
		}
		if (steps[i].run == step_load) {
			err = loader_send(l->fd, LOADER_LOADED,
					  json_pack("{s:s,s:s,s:I,s:o}",
						    "state", "loaded", "name",
						    l->plan->name, "load_ns",
						    (json_int_t)(now_ns -
								 start_ns),
						    "maps", list_maps(l)));
			start_ns = now_ns;
		}
		if (err)
			return err;
	}
	return loader_send(l->fd, LOADER_ATTACHED,
			   json_pack("{s:s,s:s,s:I}", "state", "attached",
				     "name", l->plan->name, "attach_ns",
				     (json_int_t)(now_ns - start_ns)));
}

static void serve(struct loader *l)
{
	uint64_t start_ns;
	char ask;

	while (recv(l->fd, &ask, 1, 0) == 1) {
		switch (ask) {
		case LOADER_ASK_EXIT:
			loader_send(l->fd, LOADER_EXIT, exit_record(l));
			break;
		case LOADER_ASK_DETACH:
			start_ns = clock_now_ns();
			detach(l);
			loader_send(l->fd, LOADER_DETACHED,
				    json_pack("{s:I,s:o}", "detach_ns",
					      (json_int_t)(clock_now_ns() -
							   start_ns), "exit",
					      exit_record(l)));
			return;
		}
	}
}

int sched_loader_main(const struct plan_sched *plan, int fd)
{
	struct loader l = { .plan = plan, .fd = fd };
	int err;

	prctl(PR_SET_NAME, "ktstr-loader"); /* a stall may name it */
	libbpf_set_print(keep_warning);
	l.log = calloc(1, VERIFIER_LOG_BYTES);
	if (!l.log)
		return 1;
	err = run_steps(&l);
	if (!err)
		serve(&l);
	detach(&l);
	bpf_object__close(l.obj);
	free(l.log);
	return err ? 1 : 0;
}
