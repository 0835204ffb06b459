// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulated host keeps its promises: jobs, files, signals, and every way
 * in which a job, a client or the machine can go down. Boots its own hosts.
 */
#include "lib/clock.h"
#include "lib/path.h"
#include "runner/cmd.h"
#include "runner/emu_host.h"
#include "selftests/emu_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOT_HERE 5	/* this machine needs no emulated host */

static unsigned int bad;
static char tmp[] = "/tmp/ktstr-vm-emu.XXXXXX";

__attribute__((format(printf, 2, 3)))
static bool ok(bool good, const char *fmt, ...)
{
	va_list ap;

	printf("%s - ", good ? "ok" : "not ok");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	if (!good)
		bad++;
	return good;
}

/* What one job printed, and what is to happen while it runs. */
struct watch {
	char out[2][4096];
	size_t len[2];
	struct emu_host *host;
	int signo;		/* sent when the job says "waiting" */
	bool abort;		/* wanted when the job says "waiting" */
	bool abort_now;
};

static void on_output(void *ctx, bool is_stderr, const void *data, size_t len)
{
	struct watch *w = ctx;
	size_t room = sizeof(w->out[0]) - 1 - w->len[is_stderr];

	len = len < room ? len : room;
	memcpy(w->out[is_stderr] + w->len[is_stderr], data, len);
	w->len[is_stderr] += len;
	if (!strstr(w->out[0], "waiting"))
		return;
	if (w->signo)
		emu_job_signal(w->host, w->signo);
	w->abort_now = w->abort;
}

static bool on_abort(void *ctx)
{
	return ((struct watch *)ctx)->abort_now;
}

/* Runs a job of emu_inside.c; its output folder comes back to tmp/OUT. */
static struct emu_result job(struct emu_host *h, struct watch *w,
			     const char *name, uint64_t timeout_ns)
{
	const char *argv[] = { "./me", EMU_INSIDE, name, "an arg", NULL };
	const char *env[] = { "WORD=word", NULL };
	char out_dir[PATH_MAX], big[PATH_MAX];
	struct emu_file files[] = {
		{ .host_path = "/proc/self/exe", .path = "me", .exec = true },
		{ .host_path = big, .path = "in/big" },
	};
	struct emu_job j = {
		.argv = argv, .env = env, .files = files, .nr_files = 2,
		.out = "out", .out_dir = out_dir, .timeout_ns = timeout_ns,
		.output = on_output, .abort = on_abort, .ctx = w,
	};
	struct emu_result res;
	int err;

	snprintf(out_dir, sizeof(out_dir), "%s/out", tmp);
	snprintf(big, sizeof(big), "%s/big", tmp);
	path_remove_tree(out_dir);
	mkdir(out_dir, 0755);
	w->host = h;
	err = emu_job_run(h, &j, &res);
	if (err)
		ok(false, "job %s could be run: %s", name, res.reason);
	else
		printf("# %s: %s %d %s\n", name, emu_end_name(res.end),
		       res.value, res.reason);
	return res;
}

static bool out_is(const char *name, const char *want)
{
	char path[PATH_MAX], *text;
	bool same;
	size_t len;

	snprintf(path, sizeof(path), "%s/out/%s", tmp, name);
	if (path_read_file(path, 1 << 24, &text, &len))
		return false;
	same = want ? !strcmp(text, want) :
		      len == EMU_BIG_BYTES && strspn(text, "b") == len;
	free(text);
	return same;
}

static struct emu_host *open_host(const char *serve_dir, uint64_t hang_ns)
{
	struct emu_opts opts = { .serve_dir = serve_dir, .hang_ns = hang_ns };
	struct emu_host *h = NULL;
	char err_msg[1024];
	int err = emu_host_open(&opts, &h, err_msg, sizeof(err_msg));

	if (!ok(!err, "a host of %s opens", serve_dir ? "a batch" : "our own"))
		printf("# %s\n", err_msg);
	return h;
}

static void test_jobs(struct emu_host *h)
{
	struct emu_result res;
	struct watch w = { 0 };

	for (int turn = 0; turn < 2; turn++) {
		w = (struct watch){ 0 };
		res = job(h, &w, "look", 0);
		printf("# %s", w.out[0]);
		ok(res.end == EMU_EXITED && res.value == 42,
		   "the exit status is the program's");
		ok(strstr(w.out[0], "kvm 12\n"), "there is a KVM");
		ok(strstr(w.out[0], "cpu0 0 cpus 2\n"), "it stays off CPU 0");
		ok(strstr(w.out[0], "arg an arg env word\n"),
		   "arguments and environment arrive");
		ok(strstr(w.out[0], "big 3145728 links 1\n"),
		   "an input file comes from the store");
		ok(!strcmp(w.out[1], "this is stderr\n"),
		   "stdout and stderr are apart");
	}
	w = (struct watch){ 0 };
	res = job(h, &w, "out", 0);
	ok(res.end == EMU_EXITED && !res.value && res.out_files == 3,
	   "three output files come back");
	ok(out_is("small", "small\n") && out_is("empty", "") &&
	   out_is("deep/big", NULL), "with their content");
	w = (struct watch){ 0 };
	res = job(h, &w, "segv", 0);
	ok(res.end == EMU_SIGNALED && res.value == SIGSEGV,
	   "a signal's death is told");
}

static void test_ends(struct emu_host *h)
{
	const char *argv[] = { "./not-there", NULL };
	struct emu_job none = { .argv = argv };
	struct emu_result res;
	struct watch w = { .signo = SIGINT };

	res = job(h, &w, "signal", 0);
	ok(res.end == EMU_EXITED && res.value == 3 &&
	   out_is("small", "interrupted\n"),
	   "SIGINT reaches the program, which ends in its own way");
	w = (struct watch){ 0 };
	res = job(h, &w, "linger", NSEC_PER_SEC);
	ok(res.end == EMU_TIMED_OUT && out_is("small", "lingering\n"),
	   "a job over its time is killed, its output kept");
	w = (struct watch){ .abort = true };
	res = job(h, &w, "linger", 0);
	ok(res.end == EMU_ABORTED && out_is("small", "lingering\n"),
	   "an aborted job is killed, its output kept");
	w = (struct watch){ 0 };
	job(h, &w, "count", 0);
	ok(!strcmp(w.out[0], "processes 1\n"),
	   "nothing of the killed jobs is left");
	ok(!emu_job_run(h, &none, &res) && res.end == EMU_NOT_STARTED &&
	   res.value == ENOENT, "a program that is not there is told");
}

static void test_panic(struct emu_host *h)
{
	struct watch w = { 0 };
	struct emu_result res = job(h, &w, "panic", 0);

	ok(res.end == EMU_FAULT, "a panic of the machine is a fault");
	ok(strstr(res.console_tail, "sysrq"), "its console says why");
	ok(emu_job_run(h, &(struct emu_job){ 0 }, &res) == -EIO,
	   "a failed host takes no job");
}

static bool gone(pid_t pid)
{
	for (int i = 0; i < 250; i++) {
		waitpid(pid, NULL, WNOHANG); /* an orphan comes to us */
		if (kill(pid, 0) && errno == ESRCH)
			return true;
		usleep(20000);
	}
	return false;
}

/* Our own death, as the child's parent sees it. */
static void test_owner_killed(void)
{
	pid_t qemu = 0, owner;
	int fds[2];

	if (pipe(fds))
		return;
	owner = fork();
	if (!owner) {
		struct emu_host *h = open_host(NULL, 0);

		if (h && write(fds[1], &h->own.pid, sizeof(qemu)) > 0)
			pause();
		_exit(1);
	}
	close(fds[1]);
	ok(read(fds[0], &qemu, sizeof(qemu)) == sizeof(qemu) && qemu > 0,
	   "a second owner has a host");
	close(fds[0]);
	kill(owner, SIGKILL);
	waitpid(owner, NULL, 0);
	ok(qemu > 0 && gone(qemu), "QEMU dies with an owner killed by SIGKILL");
}

static pid_t serve_start(const char *dir, int *keep_fd)
{
	char *argv[] = { "vm_emu", "__emu-serve", (char *)dir, "--slots", "1",
			 NULL };
	int in[2], out[2];
	char line[16] = "";
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execv("/proc/self/exe", argv);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	ok(read(out[0], line, sizeof(line) - 1) > 0 &&
	   !strcmp(line, "READY\n"), "a batch host says READY");
	close(out[0]);
	*keep_fd = in[1];
	return pid;
}

/* The keeper's QEMU, by its parent. */
static pid_t child_of(pid_t parent)
{
	char path[64], *text;
	pid_t pid = 0;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent,
		 parent);
	if (path_read_file(path, 4096, &text, &len))
		return 0;
	pid = atoi(text);
	free(text);
	return pid;
}

static void test_client_killed(const char *dir)
{
	struct watch w = { 0 };
	struct emu_host *h;
	int fds[2];
	char c;
	pid_t client;

	if (pipe2(fds, O_CLOEXEC))
		return;
	client = fork();
	if (!client) {
		struct watch cw = { 0 };

		h = open_host(dir, 0);
		if (h && write(fds[1], "x", 1) > 0)
			job(h, &cw, "linger", 0);
		_exit(1);
	}
	close(fds[1]);
	ok(read(fds[0], &c, 1) == 1, "a client has the only slot");
	close(fds[0]);
	usleep(500000); /* somewhere between its first byte and its job */
	kill(client, SIGKILL);
	waitpid(client, NULL, 0);
	h = open_host(dir, 0);
	if (!h)
		return;
	job(h, &w, "count", 0);
	ok(!strcmp(w.out[0], "processes 1\n"),
	   "the job of a killed client is ended, the slot is free");
	emu_host_close(h);
}

static void test_hang(const char *dir, pid_t keeper)
{
	struct emu_host *h = open_host(dir, 2 * NSEC_PER_SEC);
	pid_t qemu = child_of(keeper);
	struct watch w = { 0 };
	struct emu_result res;

	if (!h || !ok(qemu > 0, "the batch host's QEMU is found"))
		return;
	kill(qemu, SIGSTOP);
	res = job(h, &w, "look", 0);
	ok(res.end == EMU_FAULT && strstr(res.reason, "no sign of life"),
	   "a hung machine is a fault");
	emu_host_close(h);

	h = open_host(dir, 0);
	if (!h)
		return;
	w = (struct watch){ 0 };
	res = job(h, &w, "look", 0);
	ok(res.end == EMU_EXITED && h->generation == 2,
	   "the keeper booted it again, and it serves");
	emu_host_close(h);
}

static void test_serve(void)
{
	char dir[PATH_MAX];
	int keep_fd = -1, status = 0;
	pid_t keeper, qemu;

	snprintf(dir, sizeof(dir), "%s/serve", tmp);
	keeper = serve_start(dir, &keep_fd);
	if (keeper <= 0)
		return;
	test_client_killed(dir);
	test_hang(dir, keeper);
	qemu = child_of(keeper);
	close(keep_fd);
	waitpid(keeper, &status, 0);
	ok(WIFEXITED(status) && !WEXITSTATUS(status) && gone(qemu),
	   "it ends when its stdin is closed, QEMU with it");
}

static int make_big(void)
{
	char path[PATH_MAX];
	char *data = calloc(1, EMU_BIG_BYTES);
	int err;

	snprintf(path, sizeof(path), "%s/big", tmp);
	err = data ? path_write_file(path, data, EMU_BIG_BYTES) : -ENOMEM;
	free(data);
	return err;
}

static int run_tests(void)
{
	struct emu_host *h;

	unsetenv(KTSTR_EMU_HOST_ENV);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (!mkdtemp(tmp) || make_big())
		return 1;
	h = open_host(NULL, 0);
	if (h) {
		test_jobs(h);
		test_ends(h);
		test_panic(h);
		emu_host_close(h);
		test_owner_killed();
		test_serve();
	}
	path_remove_tree(tmp);
	return bad != 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} modes[] = {
		{ "__emu-init", cmd_emu_init },
		{ "__emu-serve", cmd_emu_serve },
	};

	if (argc > 1 && !strcmp(argv[1], EMU_INSIDE))
		return emu_inside(argc, argv);
	for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]);
	     i++)
		if (!strcmp(argv[1], modes[i].name))
			return modes[i].run(argc - 1, argv + 1);
	if (system("qemu-system-x86_64 --version >/dev/null 2>&1")) {
		puts("no QEMU here");
		return NOT_HERE;
	}
	return run_tests();
}
