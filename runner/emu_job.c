// SPDX-License-Identifier: GPL-2.0-only
/* One job, seen from outside: send, watch, collect. */
#include "lib/clock.h"
#include "lib/turn.h"
#include "lib/path.h"
#include "runner/elf_deps.h"
#include "runner/emu_bytes.h"
#include "runner/emu_host.h"
#include "runner/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TIMEOUT_NS (600 * NSEC_PER_SEC)
#define KILL_NS (60 * NSEC_PER_SEC)	/* for a killed job's last words */
#define SLICE_NS (100 * NSEC_PER_MSEC)
#define STORE_LEAST (64 << 10)		/* smaller files are always sent */
#define OUT_MAX (4ULL << 30)		/* bytes of output files */

/* What is sent: the caller's files, and a dynamic program's libraries. */
struct sendable {
	char *path;		/* inside, owned */
	bool exec;
	int fd;
	off_t size;
	char sha256[65];	/* "": not for the store */
};

struct run {
	struct emu_host *host;
	const struct emu_job *job;
	struct emu_result *res;
	struct sendable *files;
	size_t nr_files;
	char **argv;		/* owned array of borrowed strings */
	uint64_t deadline_ns;
	uint64_t turn_ns;	/* of the loop */
	bool killed;
	bool exited, done;
	enum emu_end kill_end;
	struct emu_bytes_rx out; /* the output file that comes in */
	uint64_t out_bytes;	/* of data, of all of them */
};

__attribute__((format(printf, 3, 4)))
static int fail(struct run *r, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->res->reason, sizeof(r->res->reason), fmt, ap);
	va_end(ap);
	return err;
}

static int add_file(struct run *r, const char *host_path, const char *path,
		    bool exec, bool own)
{
	struct sendable *v, *f;
	struct stat st;

	v = realloc(r->files, (r->nr_files + 1) * sizeof(*v));
	if (!v)
		return fail(r, -ENOMEM, "out of memory");
	r->files = v;
	f = &v[r->nr_files];
	*f = (struct sendable){ .exec = exec, .path = strdup(path) };
	f->fd = open(host_path, O_RDONLY | O_CLOEXEC);
	r->nr_files++;
	if (!f->path)
		return fail(r, -ENOMEM, "out of memory");
	if (f->fd < 0 || fstat(f->fd, &st))
		return fail(r, -errno, "%s: %s", host_path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(r, -EINVAL, "%s: not a regular file", host_path);
	if (!emu_path_ok(path))
		return fail(r, -EINVAL, "%s: not a path inside the job", path);
	f->size = st.st_size;
	if (f->size >= STORE_LEAST && !own) {
		int err = sha256_file(host_path, f->sha256);

		if (err)
			return fail(r, err, "%s: %s", host_path,
				    strerror(-err));
	}
	return 0;
}

static int add_libs(struct run *r, const struct elf_deps *deps)
{
	int err = add_file(r, deps->interp, "lib/ld.so", true, false);

	for (size_t i = 0; !err && i < deps->nr_libs; i++) {
		char path[NAME_MAX + 8];

		snprintf(path, sizeof(path), "lib/%s",
			 strrchr(deps->libs[i], '/') + 1);
		err = add_file(r, deps->libs[i], path, true, false);
	}
	return err;
}

static size_t count_strings(const char *const *v)
{
	size_t n = 0;

	while (v[n])
		n++;
	return n;
}

static bool same_path(const char *a, const char *b)
{
	if (!strncmp(a, "./", 2))
		a += 2;
	if (!strncmp(b, "./", 2))
		b += 2;
	return !strcmp(a, b);
}

/* There are no libraries inside: a dynamic program is run by its loader. */
static int argv_make(struct run *r)
{
	static const char *const loader[] = { "lib/ld.so", "--library-path",
					      "lib" };
	const size_t nr_loader = sizeof(loader) / sizeof(loader[0]);
	size_t n = count_strings(r->job->argv);
	struct elf_deps deps = { 0 };
	int err = 0;

	for (size_t i = 0; i < r->job->nr_files; i++) {
		const struct emu_file *f = &r->job->files[i];

		if (!same_path(f->path, r->job->argv[0]))
			continue;
		err = elf_deps_read(f->host_path, NULL, &deps);
		if (err == -ENOENT)
			return fail(r, err, "%s: a library it needs is missing",
				    f->host_path);
		break; /* no ELF: execve() inside has the last word */
	}
	r->argv = calloc(n + nr_loader + 1, sizeof(*r->argv));
	if (!r->argv)
		err = fail(r, -ENOMEM, "out of memory");
	else
		err = deps.interp ? add_libs(r, &deps) : 0;
	if (!err && deps.interp)
		memcpy(r->argv, loader, sizeof(loader));
	if (!err)
		memcpy(r->argv + (deps.interp ? nr_loader : 0), r->job->argv,
		       n * sizeof(*r->argv));
	elf_deps_free(&deps);
	return err;
}

static json_t *json_strings(const char *const *v)
{
	json_t *array = json_array();

	for (; v && *v; v++)
		json_array_append_new(array, json_string(*v));
	return array;
}

static json_t *json_files(const struct run *r)
{
	json_t *array = json_array();

	for (size_t i = 0; i < r->nr_files; i++) {
		const struct sendable *f = &r->files[i];
		json_t *o = json_pack("{s:s, s:I, s:b, s:s}", "path", f->path,
				      "size", (json_int_t)f->size, "exec",
				      f->exec, "sha256", f->sha256);

		json_array_append_new(array, o);
	}
	return array;
}

static uint64_t hang_deadline(const struct run *r)
{
	return clock_now_ns() + r->host->hang_ns;
}

static int send_job(struct run *r)
{
	json_t *msg = json_pack("{s:o, s:o, s:o}", "argv",
				json_strings((const char *const *)r->argv),
				"env", json_strings(r->job->env), "files",
				json_files(r));

	if (msg && r->job->out)
		json_object_set_new(msg, "out", json_string(r->job->out));
	return emu_link_send_json(&r->host->link, EMU_MSG_JOB, msg,
				  hang_deadline(r));
}

static int send_bytes(struct run *r, struct sendable *f)
{
	int err = emu_bytes_send(&r->host->link, f->fd, f->size,
				 &emu_bytes_in, r->host->hang_ns);

	/* the size was promised: nothing to mend */
	return err == -ENODATA ?
	       fail(r, err, "%s: the file shrank while it was sent", f->path) :
	       err;
}

static int send_needed(struct run *r, json_t *need)
{
	json_t *files = json_object_get(need, "files"), *index;
	size_t i;

	json_array_foreach(files, i, index) {
		json_int_t n = json_integer_value(index);
		int err;

		if (!json_is_integer(index) || n < 0 ||
		    n >= (json_int_t)r->nr_files)
			return -EPROTO;
		err = send_bytes(r, &r->files[n]);
		if (err)
			return err;
	}
	return 0;
}

/* --- what comes back, by message --- */

static int on_need(struct run *r, const struct frame *f)
{
	json_t *need = emu_frame_json(f);
	int err = need ? send_needed(r, need) : -EPROTO;

	/* the other side had nothing to say meanwhile */
	r->host->link.last_rx_ns = clock_now_ns();
	json_decref(need);
	return err;
}

static int on_started(struct run *r, const struct frame *f)
{
	r->deadline_ns = clock_now_ns() + (r->job->timeout_ns ?
					   r->job->timeout_ns : TIMEOUT_NS);
	return 0;
}

static int on_output(struct run *r, const struct frame *f)
{
	bool is_stderr = f->type == EMU_MSG_STDERR;

	if (r->job->output)
		r->job->output(r->job->ctx, is_stderr, f->payload, f->len);
	else
		write_all(is_stderr ? 2 : 1, f->payload, f->len);
	return 0;
}

static int on_tick(struct run *r, const struct frame *f)
{
	return 0;
}

static int on_exit_msg(struct run *r, const struct frame *f)
{
	struct emu_result *res = r->res;
	json_t *msg = emu_frame_json(f);
	json_int_t run_ns = 0;
	const char *end = "";

	json_unpack(msg, "{s:s, s:i, s:I}", "end", &end, "value", &res->value,
		    "run_ns", &run_ns);
	res->run_ns = run_ns;
	if (!strcmp(end, "not_started")) {
		res->end = EMU_NOT_STARTED;
		fail(r, 0, "%s can't be run: %s", r->job->argv[0],
		     strerror(res->value));
	} else if (r->killed) {
		res->end = r->kill_end;
	} else if (!strcmp(end, "signaled")) {
		res->end = EMU_SIGNALED;
		fail(r, 0, "killed by signal %d (%s)", res->value,
		     strsignal(res->value));
	} else {
		res->end = EMU_EXITED;
	}
	r->exited = true;
	json_decref(msg);
	return 0;
}

static int out_close(struct run *r)
{
	int fd = r->out.fd, err;

	if (fd < 0)
		return 0;
	err = emu_bytes_end(&r->out);
	r->out.fd = -1;
	if (close(fd) && !err)
		err = -errno;
	return err && err != -EPROTO ?
	       fail(r, err, "output file: %s", strerror(-err)) : err;
}

static int out_open(struct run *r, const char *name, int mode)
{
	char path[PATH_MAX], *slash;

	if (!r->job->out_dir || !emu_path_ok(name) ||
	    snprintf(path, sizeof(path), "%s/%s", r->job->out_dir, name) >=
	    (int)sizeof(path))
		return -EPROTO;
	slash = strrchr(path, '/');
	*slash = '\0';
	path_mkdirs(path);
	*slash = '/';
	/* Never through a link: names come from the other machine. */
	r->out.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW |
			 O_CLOEXEC, 0600 | (mode & 0777));
	if (r->out.fd < 0)
		return fail(r, -errno, "%s: %s", path, strerror(errno));
	r->res->out_files++;
	return 0;
}

static int on_file(struct run *r, const struct frame *f)
{
	json_t *msg = emu_frame_json(f);
	const char *name;
	json_int_t size;
	int mode, err = out_close(r);

	if (!err && json_unpack(msg, "{s:s, s:I, s:i}", "path", &name, "size",
				&size, "mode", &mode))
		err = -EPROTO;
	if (!err && size < 0)
		err = -EPROTO;
	r->out.size = r->out.left = err ? 0 : size;
	if (!err)
		err = out_open(r, name, mode);
	json_decref(msg);
	return err;
}

static int on_file_data(struct run *r, const struct frame *f)
{
	int err = -EPROTO;

	if (r->out.fd >= 0)
		err = emu_bytes_take(&r->out, f, &emu_bytes_out,
				     &r->out_bytes);
	if (!err && r->out_bytes > OUT_MAX)
		return fail(r, -EFBIG, "more than %llu bytes of output",
			    OUT_MAX);
	return err && err != -EPROTO ?
	       fail(r, err, "output file: %s", strerror(-err)) : err;
}

static int on_done(struct run *r, const struct frame *f)
{
	r->done = true;
	return out_close(r);
}

static int (*const handlers[])(struct run *r, const struct frame *f) = {
	[EMU_MSG_NEED] = on_need,
	[EMU_MSG_STARTED] = on_started,
	[EMU_MSG_STDOUT] = on_output,
	[EMU_MSG_STDERR] = on_output,
	[EMU_MSG_TICK] = on_tick,
	[EMU_MSG_EXIT] = on_exit_msg,
	[EMU_MSG_FILE] = on_file,
	[EMU_MSG_FILE_DATA] = on_file_data,
	[EMU_MSG_FILE_HOLE] = on_file_data,
	[EMU_MSG_DONE] = on_done,
};

static int dispatch(struct run *r)
{
	struct frame f;
	int ret;

	while (!r->done && (ret = emu_link_next(&r->host->link, &f)) > 0) {
		if (f.type >= sizeof(handlers) / sizeof(handlers[0]) ||
		    !handlers[f.type])
			return -EPROTO;
		ret = handlers[f.type](r, &f);
		if (ret)
			return ret;
	}
	return r->done ? 0 : ret;
}

static int send_signal(struct run *r, int signo)
{
	return emu_link_send_json(&r->host->link, EMU_MSG_SIGNAL,
				  json_pack("{s:i}", "signo", signo),
				  hang_deadline(r));
}

/* SIGKILL for the whole job; after it the run has KILL_NS to be over. */
static int kill_job(struct run *r, enum emu_end end, const char *why)
{
	r->killed = true;
	r->kill_end = end;
	r->deadline_ns = clock_now_ns() + KILL_NS;
	fail(r, 0, "%s", why);
	return send_signal(r, SIGKILL);
}

/* Only time in which we ran counts: what came while we did not is unread. */
static void put_off(struct run *r, uint64_t now)
{
	uint64_t stopped_ns = turn_stopped_ns(&r->turn_ns, now, SLICE_NS);
	uint64_t *last_rx_ns = &r->host->link.last_rx_ns;

	if (!stopped_ns)
		return;
	*last_rx_ns = turn_put_off(*last_rx_ns, stopped_ns, now);
	if (r->deadline_ns)
		r->deadline_ns = clock_add_ns(r->deadline_ns, stopped_ns);
}

/* What is due now, in the order of its weight. */
static int act(struct run *r)
{
	uint64_t now = clock_now_ns();
	int signo = r->host->signo;

	put_off(r, now);
	if (now - r->host->link.last_rx_ns > r->host->hang_ns)
		return -ETIMEDOUT;
	if (r->exited)
		return 0;
	if (!r->killed && r->job->abort && r->job->abort(r->job->ctx))
		return kill_job(r, EMU_ABORTED, "stopped by the caller");
	if (r->deadline_ns && now > r->deadline_ns) {
		if (r->killed)
			return -ETIMEDOUT;
		return kill_job(r, EMU_TIMED_OUT, "killed: it took too long");
	}
	if (signo) {
		r->host->signo = 0;
		return send_signal(r, signo);
	}
	return 0;
}

static int run_loop(struct run *r)
{
	int err = send_job(r);

	/* The hang clock runs from what is sent last, too. */
	r->host->link.last_rx_ns = r->turn_ns = clock_now_ns();
	while (!err && !r->done) {
		err = emu_link_wait(&r->host->link, POLLIN,
				    clock_now_ns() + SLICE_NS);
		if (!err)
			err = dispatch(r);
		if (err == -ETIMEDOUT || err == -EINTR)
			err = 0;
		if (!err && !r->done)
			err = act(r);
	}
	return err;
}

static void run_fini(struct run *r)
{
	for (size_t i = 0; i < r->nr_files; i++) {
		free(r->files[i].path);
		if (r->files[i].fd >= 0)
			close(r->files[i].fd);
	}
	free(r->files);
	free(r->argv);
	if (r->out.fd >= 0)
		close(r->out.fd);
}

int emu_job_run(struct emu_host *host, const struct emu_job *job,
		struct emu_result *res)
{
	struct run r = { .host = host, .job = job, .res = res, .out.fd = -1 };
	int err = 0;

	*res = (struct emu_result){ 0 };
	if (host->faulted)
		return fail(&r, -EIO, "the emulated host has failed before");
	for (size_t i = 0; !err && i < job->nr_files; i++)
		err = add_file(&r, job->files[i].host_path, job->files[i].path,
			       job->files[i].exec, job->files[i].own);
	if (!err)
		err = argv_make(&r);
	if (err) {
		run_fini(&r);
		return err;
	}
	host->signo = 0;
	err = run_loop(&r);
	run_fini(&r);
	if (!err)
		return 0;
	/* The session is broken in the middle, whoever broke it. */
	host->faulted = true;
	if (err == -EPIPE || err == -EPROTO || err == -ETIMEDOUT) {
		emu_host_fault(host, res, err);
		return 0;
	}
	if (!res->reason[0])
		fail(&r, 0, "%s", strerror(-err));
	return err;
}
