// SPDX-License-Identifier: GPL-2.0-only
#include "runner/prepare.h"

#include "include/ktstr/observe.h"
#include "lib/path.h"
#include "runner/blob.h"
#include "runner/cpio.h"
#include "runner/exec_pack.h"
#include "runner/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the guest can't do without, when the kernel has it as a module. */
static const char *const mmio_modules[] = { "virtio_mmio", "virtio_blk",
					    NULL };
static const char *const pci_modules[] = { "virtio_pci", "virtio_blk", NULL };

static const char *prepared(json_t *plan, const char *key)
{
	return json_string_value(json_object_get(
		json_object_get(plan, PREPARED_KEY), key));
}

/* The plan without what only this machine needs to know. */
static char *plan_text(json_t *plan)
{
	json_t *copy = json_copy(plan);
	char *text;

	json_object_del(copy, PREPARED_KEY);
	text = json_dumps(copy, JSON_INDENT(1));
	json_decref(copy);
	return text;
}

static int add_file(struct cpio *c, const char *name, const char *path,
		    char *err_msg, size_t err_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		snprintf(err_msg, err_len, "initrd: %s: %s", path,
			 strerror(errno));
		return -errno;
	}
	cpio_file_fd(c, name, 0644, fd);
	close(fd);
	return 0;
}

/* What plan.prepared.files names. */
static int add_programs(struct cpio *c, json_t *files, char *err_msg,
			size_t err_len)
{
	char place[PATH_MAX];
	json_t *file;
	size_t i;

	json_array_foreach(files, i, file) {
		const char *path = json_string_value(file);
		int fd, err = exec_pack_place(path, place, sizeof(place));

		fd = err ? -1 : open(path, O_RDONLY | O_CLOEXEC);
		if (!err && fd < 0)
			err = -errno;
		if (err) {
			snprintf(err_msg, err_len, "initrd: %s: %s", path,
				 strerror(-err));
			return err;
		}
		cpio_file_fd(c, place + 1, 0755, fd);
		close(fd);
	}
	return 0;
}

static const char *const *modules_of(json_t *plan)
{
	const char *transport = json_string_value(json_object_get(
		json_object_get(plan, "vm"), "transport"));

	return transport && !strcmp(transport, "mmio") ? mmio_modules :
							 pci_modules;
}

static int add_modules(struct cpio *c, json_t *plan, char *err_msg,
		       size_t err_len)
{
	const char *kernel_dir = prepared(plan, "module_dir");
	struct module_list list;
	char name[160];
	size_t i;
	int err;

	if (!kernel_dir)
		return 0; /* everything built in, or the agent will say so */
	err = modules_resolve(kernel_dir, modules_of(plan), &list, err_msg,
			      err_len);
	if (err)
		return err;
	for (i = 0; i < list.nr; i++) {
		snprintf(name, sizeof(name), "ktstr/modules/%02zu-%s.ko", i,
			 list.v[i].name);
		cpio_file(c, name, 0644, list.v[i].data, list.v[i].len);
	}
	modules_free(&list);
	return 0;
}

/* Those that were asked for, and no other. */
static int add_observers(struct cpio *c, json_t *plan, char *err_msg,
			 size_t err_len)
{
	json_t *names = json_object_get(json_object_get(plan, "telemetry"),
					"observers"), *name;
	const struct blob *b;
	char place[160];
	size_t i;

	json_array_foreach(names, i, name) {
		b = blob_find(json_string_value(name));
		if (!b) {
			snprintf(err_msg, err_len,
				 "initrd: this build has no observer %s",
				 json_string_value(name));
			return -ENOENT;
		}
		snprintf(place, sizeof(place), "%s/%s.bpf.o",
			 &KTSTR_OBS_DIR[1], b->name);
		cpio_file(c, place, 0644, b->data, b->len);
	}
	return 0;
}

static int write_initrd(json_t *plan, const char *text, int fd, char *err_msg,
			size_t err_len)
{
	const struct blob *agent = blob_find("agent");
	const char *config = prepared(plan, "config");
	const char *object = prepared(plan, "object");
	struct cpio c;
	int err, end;

	if (!agent) {
		snprintf(err_msg, err_len, "initrd: this build has no agent");
		return -ENOENT;
	}
	cpio_open(&c, fd);
	/* the kernel opens it for init's stdio before init has mounted /dev */
	cpio_node(&c, "dev/console", S_IFCHR | 0600, 5, 1);
	cpio_file(&c, "init", 0755, agent->data, agent->len);
	cpio_file(&c, "ktstr/plan.json", 0644, text, strlen(text));
	err = add_modules(&c, plan, err_msg, err_len);
	if (!err && config)
		err = add_file(&c, "ktstr/config", config, err_msg, err_len);
	if (!err && object)
		err = add_file(&c, "ktstr/sched.bpf.o", object, err_msg,
			       err_len);
	if (!err)
		err = add_observers(&c, plan, err_msg, err_len);
	if (!err)
		err = add_programs(&c, json_object_get(json_object_get(
			plan, PREPARED_KEY), "files"), err_msg, err_len);
	end = cpio_close(&c);
	if (!err && end) {
		snprintf(err_msg, err_len, "initrd: %s", strerror(-end));
		err = end;
	}
	return err;
}

static int link_in(const char *dir, const char *name, const char *target)
{
	char *path = path_join(dir, name);
	int err = path ? 0 : -ENOMEM;

	if (!err && symlink(target, path))
		err = -errno;
	free(path);
	return err;
}

int prepare_dir(json_t *plan, const char *dir, char *err_msg, size_t err_len)
{
	char *text = plan_text(plan);
	char *plan_path = path_join(dir, "plan.json");
	char *initrd_path = path_join(dir, "initrd");
	int fd, err = -ENOMEM;

	*err_msg = '\0';
	if (!text || !plan_path || !initrd_path)
		goto out;
	err = path_write_file(plan_path, text, strlen(text));
	if (!err)
		err = link_in(dir, "kernel", prepared(plan, "image"));
	if (!err && prepared(plan, "btf"))
		err = link_in(dir, "btf", prepared(plan, "btf"));
	if (!err && prepared(plan, "stdin"))
		err = link_in(dir, "stdin", prepared(plan, "stdin"));
	if (err)
		goto out;
	fd = open(initrd_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		err = -errno;
		goto out;
	}
	err = write_initrd(plan, text, fd, err_msg, err_len);
	if (close(fd) && !err)
		err = -errno;
out:
	if (err && !*err_msg)
		snprintf(err_msg, err_len, "%s: %s", dir, strerror(-err));
	free(text);
	free(plan_path);
	free(initrd_path);
	return err;
}
