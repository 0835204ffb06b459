// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tools/bench.d/disk: ktstr's VMM and another one in turns, with the same
 * kernel, the same initramfs and the same disks, whose load is the guest's
 * /init (bench_load.c). Static, so that it also runs inside the emulated host.
 *
 *   bench_disk prepare LOAD JOBS DIR	DIR/kernel and DIR/initrd
 *   bench_disk measure ROUNDS TRANSPORT DIR IMAGE CMDLINE DISK... \
 *                      -- VMM [ARG...]
 *
 * All disks are IMAGE, which is made, and read-only. A DISK is
 * NAME:IOPS:BYTES-PER-SECOND, 0 for no limit. The other VMM gets the guest's
 * console as descriptor 9, a connected socket, and must name the threads of its
 * vCPUs "CPU ...". Each line of stdout is SIDE ROUND WHAT NUMBER.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/module.h"
#include "lib/clock.h"
#include "lib/hist.h"
#include "lib/log.h"
#include "lib/path.h"
#include "runner/cpio.h"
#include "runner/kernel.h"
#include "runner/modules.h"
#include "tools/bench_cpu.h"
#include "vmm/vmm.h"

#define CONSOLE_FD 9
#define MEMORY_BYTES (512ULL << 20)
#define IMAGE_BYTES (64ULL << 20)
/* Of one VM; and how long it may say nothing. */
#define LIMIT_NS (300 * NSEC_PER_SEC)
#define SILENCE_MS 60000
#define QUIT_NS (5 * NSEC_PER_SEC)
/* Numbers of a round: of each time that a job is done there. */
#define ROUND_TIMES 100

static const char usage[] =
"usage: bench_disk prepare LOAD JOBS DIR\n"
"       bench_disk measure ROUNDS TRANSPORT DIR IMAGE CMDLINE DISK... \\\n"
"                  -- VMM [ARG...]\n";

struct bench {
	const char *cmdline;
	char *kernel, *initrd;	/* owned */
	enum vm_transport transport;
	struct vm_disk_config disks[VM_MAX_DISKS];
	unsigned int nr_disks;
	char **vmm;		/* argv, NULL at its end */
};

/* ----------------------------------------------- ktstr, in its process -- */

/* The child's: once set, before the handler that reads it. */
static struct vm *child_vm;

static void on_sigterm(int signo)
{
	vm_stop(child_vm, signo);
}

/* A guest of ours; nobody else reads the other end, so this waits for room. */
static void to_console(void *ctx, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(CONSOLE_FD, data, len);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			data += n;
			len -= n;
		}
	}
}

static void say_lateness(const struct bench *b, struct vm *vm,
			 unsigned int round)
{
	struct ktstr_hist *all = calloc(1, sizeof(*all));
	struct ktstr_hist *h = calloc(1, sizeof(*h));
	uint64_t ns;
	unsigned int i;

	for (i = 0; all && h && i < b->nr_disks; i++) {
		vm_disk_hist_read(vm, i, VM_DISK_HIST_LATENESS, h);
		hist_merge(all, h);
	}
	if (all && h) {
		printf("ktstr %u wakes %" PRIu64 "\n", round, hist_total(all));
		if (hist_quantile(all, 500000, &ns))
			printf("ktstr %u late_p50_ns %" PRIu64 "\n", round, ns);
		if (hist_quantile(all, 990000, &ns))
			printf("ktstr %u late_p99_ns %" PRIu64 "\n", round, ns);
	}
	fflush(stdout);
	free(all);
	free(h);
}

static int be_ktstr(const struct bench *b, unsigned int round)
{
	static const struct vm_ops ops = { .console = to_console };
	struct vm_config cfg = {
		.topology = { 0, 1, 1, 1, 1 },
		.memory_bytes = MEMORY_BYTES,
		.kernel_path = b->kernel,
		.initrd_path = b->initrd,
		.cmdline = b->cmdline,
		.transport = b->transport,
		.disks = b->disks,
		.nr_disks = b->nr_disks,
		.deadline_ns = LIMIT_NS,
	};
	struct vm_end end;
	char why[256] = "";
	int err;

	if (vm_new(&cfg, &ops, NULL, &child_vm, why, sizeof(why))) {
		log_err("ktstr: %s", why);
		return 1;
	}
	signal(SIGTERM, on_sigterm);
	err = vm_run(child_vm, &end);
	if (err || end.kind != VM_END_STOPPED) {
		log_err("ktstr: the VM ended by %s, %s",
			err ? strerror(-err) : vm_end_name(end.kind),
			err ? "" : end.detail);
		return 1;
	}
	say_lateness(b, child_vm, round);
	vm_free(child_vm);
	return 0;
}

/* ------------------------------------------------------- both of them --- */

static int be_other(const struct bench *b)
{
	/* its stdout is not ours: that has numbers */
	if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return 126;
	execv(b->vmm[0], b->vmm);
	log_err("%s: %s", b->vmm[0], strerror(errno));
	return 127;
}

enum side { SIDE_KTSTR, SIDE_OTHER, NR_SIDES };

static const char *const side_names[NR_SIDES] = { "ktstr", "other" };

static int child_start(const struct bench *b, enum side side,
		       unsigned int round, pid_t *pid, int *console)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return -errno;
	fflush(stdout);
	*pid = fork();
	if (*pid < 0) {
		close(fds[0]);
		close(fds[1]);
		return -EAGAIN;
	}
	if (*pid) {
		close(fds[1]);
		*console = fds[0];
		return 0;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(fds[1], CONSOLE_FD) < 0 || fcntl(CONSOLE_FD, F_SETFD, 0))
		_exit(126);
	/* else the end of it would never be seen */
	if (fds[0] != CONSOLE_FD)
		close(fds[0]);
	if (fds[1] != CONSOLE_FD)
		close(fds[1]);
	_exit(side == SIDE_KTSTR ? be_ktstr(b, round) : be_other(b));
}

/* Told to end; killed if it does not. No guest is waited for. */
static int child_end(pid_t pid)
{
	uint64_t until_ns = clock_now_ns() + QUIT_NS;
	int status = 0;

	kill(pid, SIGTERM);
	while (!waitpid(pid, &status, WNOHANG)) {
		if (clock_now_ns() > until_ns)
			kill(pid, SIGKILL);
		usleep(5000);
	}
	return status;
}

/* ------------------------------------------------- what the guest says -- */

struct watch {
	const char *side;
	unsigned int round;
	pid_t pid;
	struct bench_cpu begin;	/* at the last "b" */
	struct bench_cpu end;	/* at the last "e" */
	char job[32];
	uint64_t requests, took_ns; /* of the last run; 0: not heard yet */
	bool all_done;
};

static void say(const struct watch *w, unsigned int time, const char *what,
		double n)
{
	printf("%s %u %s/%s %.6g\n", w->side, w->round * ROUND_TIMES + time,
	       w->job, what, n);
}

/* Per second, of the guest's clock; and per second of host CPU. */
static void say_rates(const struct watch *w, unsigned int time)
{
	double device_ns = bench_cpu_device_ns(&w->begin, &w->end);
	double host_ns = bench_cpu_host_ns(&w->begin, &w->end);

	say(w, time, "rate", w->requests * 1e9 / w->took_ns);
	say(w, time, "device_us", device_ns / 1e3 / w->requests);
	say(w, time, "host_us", host_ns / 1e3 / w->requests);
	if (device_ns > 0)
		say(w, time, "per_device_s", w->requests * 1e9 / device_ns);
	if (host_ns > 0)
		say(w, time, "per_host_s", w->requests * 1e9 / host_ns);
}

static int on_number(struct watch *w, unsigned int time, const char *what,
		     uint64_t n)
{
	if (!strcmp(what, "requests"))
		w->requests = n;
	else if (!strcmp(what, "took_ns"))
		w->took_ns = n;
	say(w, time, what, n);
	if (w->requests && w->took_ns) {
		say_rates(w, time);
		w->requests = 0;
		w->took_ns = 0;
	}
	return 0;
}

static int on_line(struct watch *w, const char *line)
{
	char name[32], what[32];
	unsigned int time;
	uint64_t n;

	if (sscanf(line, "b %31s %u", name, &time) == 2)
		return bench_cpu_read(w->pid, &w->begin);
	if (sscanf(line, "e %31s %u", w->job, &time) == 2) {
		log_info("%s: round %u: %s %u", w->side, w->round, w->job,
			 time);
		return bench_cpu_read(w->pid, &w->end);
	}
	if (sscanf(line, "n %31s %u %31s %" SCNu64, name, &time, what, &n) == 4)
		return on_number(w, time, what, n);
	if (!strcmp(line, "end")) {
		w->all_done = true;
		return 0;
	}
	log_warn("%s: the guest says: %s", w->side, line);
	return strncmp(line, "fail ", 5) ? 0 : -EIO;
}

static int watch_console(struct watch *w, int fd)
{
	const struct timeval silence = { .tv_sec = SILENCE_MS / 1000 };
	uint64_t until_ns = clock_now_ns() + LIMIT_NS;
	FILE *f;
	char line[1024];
	int ret = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence));
	f = fdopen(fd, "re");
	if (!f) {
		close(fd);
		return -ENOMEM;
	}
	while (!ret && !w->all_done) {
		if (clock_now_ns() > until_ns)
			ret = -ETIMEDOUT;
		else if (!fgets(line, sizeof(line), f))
			ret = feof(f) ? -EPIPE : -ETIMEDOUT;
		if (ret)
			break;
		line[strcspn(line, "\r\n")] = '\0';
		if (*line)
			ret = on_line(w, line);
	}
	/* to the end of what it writes while it quits */
	fclose(f);
	return ret;
}

static int run_side(const struct bench *b, enum side side, unsigned int round)
{
	struct watch w = { .side = side_names[side], .round = round };
	int console = -1, status, ret;

	ret = child_start(b, side, round, &w.pid, &console);
	if (ret)
		return ret;
	ret = watch_console(&w, console);
	status = child_end(w.pid);
	if (!ret && (!WIFEXITED(status) || WEXITSTATUS(status)))
		ret = -EIO;
	if (ret)
		log_err("round %u: %s: %s", round, w.side, strerror(-ret));
	fflush(stdout);
	return ret;
}

/* Both in each round, the one first that was second the last time. */
static int measure(const struct bench *b, unsigned int rounds)
{
	unsigned int round, turn;
	int err = 0;

	for (round = 1; round <= rounds && !err; round++)
		for (turn = 0; turn < NR_SIDES && !err; turn++)
			err = run_side(b, (round + turn) % NR_SIDES, round);
	return err;
}

/* ---------------------------------------------------------- arguments --- */

/* "NAME:IOPS:BPS", split in place. */
static bool take_disk(struct bench *b, char *arg, const char *image)
{
	struct vm_disk_config *d = &b->disks[b->nr_disks];
	char *rates = strchr(arg, ':');

	if (!rates || b->nr_disks == VM_MAX_DISKS)
		return false;
	*rates++ = '\0';
	*d = (struct vm_disk_config){ .name = arg,
				      .size_bytes = IMAGE_BYTES,
				      .read_only = true,
				      .image_path = image };
	if (sscanf(rates, "%" SCNu64 ":%" SCNu64, &d->throttle.iops,
		   &d->throttle.bps) != 2)
		return false;
	b->nr_disks++;
	return true;
}

static bool take_args(struct bench *b, int argc, char **argv)
{
	int i;

	b->transport = strcmp(argv[3], "mmio") ? VM_TRANSPORT_PCI :
						 VM_TRANSPORT_MMIO;
	b->kernel = path_join(argv[4], "kernel");
	b->initrd = path_join(argv[4], "initrd");
	b->cmdline = argv[6];
	if (!b->kernel || !b->initrd)
		return false;
	for (i = 7; i < argc && strcmp(argv[i], "--"); i++)
		if (!take_disk(b, argv[i], argv[5]))
			return false;
	b->vmm = &argv[i + 1];
	return i + 1 < argc;
}

/* Nothing in it that a layer below could take for a hole. */
static int make_image(const char *path)
{
	uint64_t word[512], left, rng = 0x2545f4914f6cdd1d;
	FILE *f = fopen(path, "we");
	size_t i, n = 1;

	for (left = IMAGE_BYTES; f && n && left; left -= sizeof(word)) {
		for (i = 0; i < 512; i++) {
			rng ^= rng << 13;
			rng ^= rng >> 7;
			rng ^= rng << 17;
			word[i] = rng;
		}
		n = fwrite(word, sizeof(word), 1, f);
	}
	if (f && !fclose(f) && n)
		return 0;
	log_err("%s: %s", path, strerror(errno));
	return -EIO;
}

static int cmd_measure(int argc, char **argv)
{
	struct bench b = { 0 };
	int ret = 2;

	if (argc < 10 || !take_args(&b, argc, argv))
		fputs(usage, stderr);
	else
		ret = make_image(argv[5]) || measure(&b, atoi(argv[2]));
	free(b.kernel);
	free(b.initrd);
	return ret;
}

/* ------------------------------------------------------------ prepare --- */

static int add_file(struct cpio *c, const char *name, unsigned int mode,
		    const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		log_err("%s: %s", path, strerror(errno));
		return -errno;
	}
	cpio_file_fd(c, name, mode, fd);
	close(fd);
	return 0;
}

/* For both transports: who has no use for one does not mind. */
static int add_modules(struct cpio *c, const char *kernel_dir)
{
	static const char *const names[] = { "virtio_pci", "virtio_mmio",
					     "virtio_blk", NULL };
	struct module_list list;
	char why[256], name[160];
	size_t i;
	int err;

	if (!kernel_dir)
		return 0;
	err = modules_resolve(kernel_dir, names, &list, why, sizeof(why));
	if (err) {
		log_err("%s", why);
		return err;
	}
	for (i = 0; i < list.nr; i++) {
		snprintf(name, sizeof(name), "%s/%02zu-%s.ko", &MODULE_DIR[1],
			 i, list.v[i].name);
		cpio_file(c, name, 0644, list.v[i].data, list.v[i].len);
	}
	modules_free(&list);
	return 0;
}

static int write_initrd(int fd, const char *load, const char *jobs,
			const char *kernel_dir)
{
	struct cpio c;
	int err, end;

	cpio_open(&c, fd);
	cpio_node(&c, "dev/console", S_IFCHR | 0600, 5, 1);
	err = add_file(&c, "init", 0755, load);
	if (!err)
		err = add_file(&c, "jobs", 0644, jobs);
	if (!err)
		err = add_modules(&c, kernel_dir);
	end = cpio_close(&c);
	return err ? err : end;
}

static int prepare(const char *load, const char *jobs, const char *dir,
		   const struct kernel *k)
{
	char *kernel = path_join(dir, "kernel");
	char *initrd = path_join(dir, "initrd");
	int fd = -1, err = -ENOMEM;

	if (kernel && initrd)
		err = path_mkdirs(dir);
	if (!err && symlink(k->image, kernel))
		err = -errno;
	if (!err) {
		fd = open(initrd, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
			  0600);
		err = fd < 0 ? -errno :
			       write_initrd(fd, load, jobs, k->dir);
	}
	if (fd >= 0 && close(fd) && !err)
		err = -errno;
	if (err)
		log_err("%s: %s", dir, strerror(-err));
	free(kernel);
	free(initrd);
	return err;
}

static int cmd_prepare(int argc, char **argv)
{
	struct kernel k;
	char why[256];
	int err;

	if (argc != 5) {
		fputs(usage, stderr);
		return 2;
	}
	if (kernel_open(NULL, &k, why, sizeof(why))) {
		log_err("%s", why);
		return 1;
	}
	err = prepare(argv[2], argv[3], argv[4], &k);
	kernel_close(&k);
	return err ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} commands[] = {
		{ "prepare", cmd_prepare },
		{ "measure", cmd_measure },
	};
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	/* ktstr's child writes to it as well: whole lines only */
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc, argv);
	fputs(usage, stderr);
	return 2;
}
