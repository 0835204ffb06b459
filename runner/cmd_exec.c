// SPDX-License-Identifier: GPL-2.0-only
/* ktstr exec: one command of this machine, in a VM. */
#include "runner/cmd.h"

#include "lib/log.h"
#include "lib/path.h"
#include "runner/diag.h"
#include "runner/exec_pack.h"
#include "runner/launch.h"
#include "runner/plan.h"
#include "runner/prepare.h"
#include "runner/run_opts.h"
#include "runner/scenario.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As env(1) and nohup(1) have it, since any other may be the command's. */
#define EXIT_OURS 125
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND 127

#define STDIN_MAX (64u << 20)
#define MAX_ADDED 32
#define MAX_SETS 64
#define NAME_CHARS \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

/* What has no meaning for one command is there because a plan needs it. */
static const char scenario_text[] =
	"schema = 1\nname = \"exec\"\n"
	"[vm]\ntopology = \"1n1l2c1t\"\ndeadline = \"10min\"\n"
	"[[workload]]\nname = \"none\"\nkind = \"spin\"\nworkers = 1\n"
	"[[phase]]\nname = \"exec\"\nduration = \"1s\"\n";

struct exec_opts {
	struct launch_opts launch;
	char *set[MAX_SETS + 1]; /* overrides of the scenario, owned */
	unsigned int nr_sets;
	char *disks;		/* owned: a [[disk]] for each; NULL: none */
	const char *scheduler;
	const char *transport;	/* NULL: the default */
	const char *add[MAX_ADDED];
	unsigned int nr_added;
	char **argv;		/* of the command */
	char path[PATH_MAX];	/* where it is */
};

static void help(FILE *to)
{
	fputs("usage: ktstr exec [OPTION...] [--] COMMAND [ARG...]\n\n"
	      "Boots a VM and runs a command of this machine in it, packed with its libraries.\n"
	      "stdin, stdout and stderr are the command's.\n\n"
	      "      --kernel K       kernel image or folder; default: the fetched one\n"
	      "      --topology T     1n1l2c1t: NUMA nodes, LLCs, cores per LLC, threads\n"
	      "      --memory M       512M\n"
	      "      --deadline D     10min\n"
	      "      --scheduler S    a builtin, a .bpf.o, a .bpf.c; default: none\n"
	      "      --accel A        auto, kvm or emulated\n"
	      "      --transport T    pci or mmio: how virtio devices are reached\n"
	      "      --add PROGRAM    take this one along too; may be repeated\n"
	      "      --disk D         name=NAME,KEY=VALUE,...: the keys of a scenario's [[disk]],\n"
	      "                       as in name=data,size=64M,throttle.iops=50 or\n"
	      "                       name=root,image=FILE,keep_writes; may be repeated\n"
	      "  -h, --help           this\n\n"
	      "Exits with the command's status, or 128 and the signal that ended it; 125 when\n"
	      "ktstr failed, 126 or 127 when there is no such program.\n",
	      to);
}

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "ktstr exec: %s%s%s\n", what, *why ? ": " : "", why);
	return EXIT_OURS;
}

/* Of a key that is set twice the last value counts. */
static bool take_set(struct exec_opts *o, const char *key, const char *value)
{
	if (o->nr_sets < MAX_SETS &&
	    asprintf(&o->set[o->nr_sets], "%s=%s", key, value) >= 0) {
		o->nr_sets++;
		return true;
	}
	complain(key, "more options than fit");
	return false;
}

/* "size=64M" of the disk that is called @name, or "read_only". */
static bool take_disk_key(struct exec_opts *o, const char *name,
			  const char *part)
{
	size_t len = strcspn(part, "=");
	char key[128];

	snprintf(key, sizeof(key), "disk.%s.%.*s", name, (int)len, part);
	return take_set(o, key, part[len] ? part + len + 1 : "true");
}

/* One [[disk]] of that name; its keys are set after it, with --set's words. */
static bool take_disk(struct exec_opts *o, const char *text)
{
	char *copy = strdup(text), *name = NULL, *rest, *part, *more = NULL;
	bool good = false;

	for (rest = copy; (part = strsep(&rest, ",")) && !name;)
		if (!strncmp(part, "name=", 5))
			name = strdup(part + 5);
	if (!name || !*name || strspn(name, NAME_CHARS) != strlen(name)) {
		complain(text, "--disk needs name=NAME, of letters, digits, - and _");
		goto out;
	}
	if (asprintf(&more, "%s[[disk]]\nname = \"%s\"\n",
		     o->disks ? o->disks : "", name) < 0)
		goto out;
	free(o->disks);
	o->disks = more;
	free(copy);
	copy = strdup(text);
	good = copy;
	for (rest = copy; good && (part = strsep(&rest, ","));)
		if (strncmp(part, "name=", 5))
			good = take_disk_key(o, name, part);
out:
	free(name);
	free(copy);
	return good;
}

static bool take_option(struct exec_opts *o, int option, const char *value)
{
	switch (option) {
	case 'k':
		o->launch.kernel = value;
		return true;
	case 's':
		o->scheduler = value;
		return true;
	case 'p':
		if (o->nr_added == MAX_ADDED)
			return false;
		o->add[o->nr_added++] = value;
		return true;
	case 't':
		return take_set(o, "vm.topology", value);
	case 'm':
		return take_set(o, "vm.memory", value);
	case 'd':
		return take_set(o, "vm.deadline", value);
	case 'a':
		return run_opts_accel(value, &o->launch.accel);
	case 'v':
		return run_opts_transport(value, &o->transport);
	case 'D':
		return take_disk(o, value);
	}
	return false;
}

/* Return: -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct exec_opts *o)
{
	static const struct option options[] = {
		{ "kernel", required_argument, NULL, 'k' },
		{ "topology", required_argument, NULL, 't' },
		{ "memory", required_argument, NULL, 'm' },
		{ "deadline", required_argument, NULL, 'd' },
		{ "scheduler", required_argument, NULL, 's' },
		{ "accel", required_argument, NULL, 'a' },
		{ "transport", required_argument, NULL, 'v' },
		{ "add", required_argument, NULL, 'p' },
		{ "disk", required_argument, NULL, 'D' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		if (c == 'h') {
			help(stdout);
			return 0;
		}
		if (!take_option(o, c, optarg))
			return EXIT_OURS;
	}
	if (optind == argc) {
		help(stderr);
		return EXIT_OURS;
	}
	o->argv = argv + optind;
	return -1;
}

/* Return: -1: go on; else the exit status. */
static int pack(struct exec_opts *o, json_t *files)
{
	char path[PATH_MAX], why[512];
	unsigned int i;
	int err = exec_pack_find(o->argv[0], o->path, sizeof(o->path));

	if (err) {
		complain(o->argv[0], strerror(-err));
		return err == -ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
	}
	err = exec_pack_add(files, o->path, why, sizeof(why));
	if (err) {
		complain(why, "");
		return EXIT_NOT_EXECUTABLE;
	}
	for (i = 0; i < o->nr_added; i++) {
		err = exec_pack_find(o->add[i], path, sizeof(path));
		if (err)
			return complain(o->add[i], strerror(-err));
		if (exec_pack_add(files, path, why, sizeof(why)))
			return complain(why, "");
	}
	return -1;
}

static json_t *environment(const char *path)
{
	const char *term = getenv("TERM");
	json_t *env = exec_pack_env(path);

	if (term)
		json_array_append_new(env, json_sprintf("TERM=%s", term));
	return env;
}

static json_t *command_json(const struct exec_opts *o)
{
	char place[PATH_MAX] = "";
	json_t *argv;
	int i;

	exec_pack_place(o->path, place, sizeof(place));
	argv = json_pack("[s]", place);
	for (i = 1; o->argv[i]; i++)
		if (json_array_append_new(argv, json_string(o->argv[i])))
			complain(o->argv[i], "an argument that is not UTF-8");
	return json_pack("{s:o, s:o, s:s}", "argv", argv, "env",
			 environment(o->path), "cwd", "/");
}

static json_t *make_plan(const struct exec_opts *o)
{
	struct scenario_overrides overrides = {
		.set = (const char *const *)o->set, .scheduler = o->scheduler,
	};
	struct scenario *s;
	json_t *plan = NULL;
	struct diag d;
	char *text;

	if (asprintf(&text, "%s%s", scenario_text,
		     o->disks ? o->disks : "") < 0)
		return NULL;
	diag_init(&d, "exec");
	if (scenario_parse("exec", text, strlen(text), &overrides, &s, &d)) {
		diag_print(&d, stderr);
	} else {
		plan = plan_new(s, 1);
		scenario_free(s);
	}
	diag_fini(&d);
	free(text);
	if (!plan)
		return NULL;
	plan_set_transport(plan, o->transport);
	json_object_set_new(plan, "workloads", json_array());
	/* a scheduler that goes does not end the command */
	if (json_is_object(json_object_get(plan, "scheduler")))
		json_object_set_new(json_object_get(plan, "scheduler"),
				    "expect", json_string("exit"));
	json_object_set_new(plan, "exec", command_json(o));
	return plan;
}

/*
 * The emulated host's jobs have no stdin: what there is goes as a file. A
 * terminal is nobody to wait for: the command finds its stdin at the end.
 */
static int save_stdin(const char *path)
{
	char buf[65536];
	size_t total = 0;
	ssize_t n = 0;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int err = 0;

	if (fd < 0)
		return -errno;
	while (!err && !isatty(STDIN_FILENO) &&
	       (n = read(STDIN_FILENO, buf, sizeof(buf))) > 0) {
		total += n;
		err = total > STDIN_MAX ? -EFBIG : write_all(fd, buf, n);
	}
	if (n < 0 && errno != EBADF)
		err = -errno;
	close(fd);
	return err;
}

static int exit_status(const char *out_dir)
{
	char *path = path_join(out_dir, "exec.json");
	json_t *end = path ? json_load_file(path, 0, NULL) : NULL;
	json_t *code = json_object_get(end, "exit");
	json_t *signo = json_object_get(end, "signal");
	int status = EXIT_OURS;

	if (json_is_integer(code))
		status = json_integer_value(code) & 255;
	else if (json_is_integer(signo))
		status = 128 + (json_integer_value(signo) & 127);
	free(path);
	json_decref(end);
	return status;
}

/* What ended it, when the command itself did not. */
static const char *facts_reason(json_t *facts, char *buf, size_t len)
{
	json_t *end = json_object_get(facts, "end");
	const char *kind = json_string_value(json_object_get(end, "kind"));
	const char *detail = json_string_value(json_object_get(end, "detail"));
	json_t *fatal = json_object_get(json_object_get(facts, "agent"),
					"fatal");
	json_t *failed = json_object_get(json_object_get(facts, "scheduler"),
					 "failed");
	const char *text = json_string_value(json_object_get(fatal,
							     "message"));

	if (!text)
		text = json_string_value(json_object_get(failed, "message"));
	if (text)
		return text;
	snprintf(buf, len, "%s%s%s", kind ? kind : "no reason is known",
		 detail && *detail ? ": " : "", detail ? detail : "");
	return buf;
}

static int run(struct exec_opts *o, json_t *plan)
{
	struct launch_result res;
	json_t *facts = NULL, *prepared;
	char *stdin_path = path_join(o->launch.out_dir, "stdin");
	char why[256];
	int status = EXIT_OURS, err;

	launch_prepare(&o->launch, plan, &res);
	if (res.status == LAUNCH_OK && stdin_path &&
	    !strcmp(res.accel, "emulated")) {
		err = save_stdin(stdin_path);
		if (err) {
			complain("stdin", strerror(-err));
			goto out;
		}
		prepared = json_object_get(plan, PREPARED_KEY);
		json_object_set_new(prepared, "stdin",
				    json_string(stdin_path));
	}
	if (res.status == LAUNCH_OK)
		launch_run(&o->launch, plan, &res, &facts);
	if (res.status == LAUNCH_INTERRUPTED)
		status = 128 + res.signal;
	else if (res.status != LAUNCH_OK)
		complain(res.reason, "");
	else
		status = exit_status(o->launch.out_dir);
	if (res.status == LAUNCH_OK && status == EXIT_OURS)
		complain("the command did not come to its end",
			 facts_reason(facts, why, sizeof(why)));
out:
	json_decref(facts);
	free(stdin_path);
	return status;
}

static void opts_free(struct exec_opts *o)
{
	while (o && o->nr_sets)
		free(o->set[--o->nr_sets]);
	if (o)
		free(o->disks);
	free(o);
}

int cmd_exec(int argc, char **argv)
{
	struct exec_opts *o = calloc(1, sizeof(*o));
	char dir[] = "/tmp/ktstr-exec-XXXXXX";
	json_t *files = json_array(), *plan = NULL;
	int status = EXIT_OURS;

	if (!o || !files)
		goto out;
	o->launch.exec = true;
	o->launch.quiet = true;
	log_set_level(LOG_LVL_WARN);
	status = parse(argc, argv, o);
	if (status >= 0)
		goto out;
	status = pack(o, files);
	if (status >= 0)
		goto out;
	status = EXIT_OURS;
	plan = make_plan(o);
	if (!plan)
		goto out;
	json_object_set_new(plan, PREPARED_KEY,
			    json_pack("{s:O}", "files", files));
	if (!mkdtemp(dir)) {
		complain(dir, strerror(errno));
		goto out;
	}
	o->launch.out_dir = dir;
	status = run(o, plan);
	path_remove_tree(dir);
out:
	json_decref(plan);
	json_decref(files);
	opts_free(o);
	return status;
}
