// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tools/bench.d/boot: ktstr's VM process and another VMM in turns, with the
 * same kernel and initramfs, up to the agent's first message. Static, so that
 * it also runs inside the emulated host, where nothing else is.
 *
 *   bench_vm prepare SCENARIO DIR	DIR is what `ktstr __vm` takes
 *   bench_vm measure ROUNDS MEMORY KTSTR DIR OUT -- VMM [ARG...]
 *
 * The other VMM gets the agent's port as descriptor 9, a connected socket. Each
 * line of stdout is SIDE ROUND WHAT NUMBER, in ns and bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "include/ktstr/wire.h"
#include "lib/clock.h"
#include "lib/frame.h"
#include "lib/log.h"
#include "lib/path.h"
#include "runner/diag.h"
#include "runner/launch.h"
#include "runner/plan.h"
#include "runner/prepare.h"
#include "runner/scenario.h"

#define PORT_FD 9
#define LIMIT_NS (120 * NSEC_PER_SEC)
/* A VMM's memory is looked at when its guest has been up for this long. */
#define SETTLE_NS (500 * NSEC_PER_MSEC)

static const char usage[] =
"usage: bench_vm prepare SCENARIO DIR\n"
"       bench_vm measure ROUNDS MEMORY KTSTR DIR OUT -- VMM [ARG...]\n";

struct bench {
	uint64_t memory_bytes;	/* of a guest */
	const char *ktstr, *in, *out;
	char **vmm;		/* argv, NULL at its end */
};

/* What one start of a VMM came to. */
struct sample {
	uint64_t up_ns;		/* from fork to the agent's first message */
	uint64_t end_ns;	/* from fork to the process's end */
	uint64_t quit_ns;	/* from SIGTERM to that; 0: it was not told */
	uint64_t vmm_pss, vmm_rss, guest_rss;
};

struct child {
	pid_t pid;
	int fd;			/* ktstr: its stderr; else: the agent's port */
	uint64_t start_ns;
};

/*
 * Memory of a process beside its guest's, which is the mapping that is as large
 * as the guest.
 */
static int read_memory(pid_t pid, uint64_t guest_bytes, struct sample *s)
{
	unsigned long long start, end, kb;
	bool is_guest = false;
	char path[64], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	f = fopen(path, "re");
	if (!f) {
		log_err("%s: %s", path, strerror(errno));
		return -errno;
	}
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%llx-%llx ", &start, &end) == 2)
			is_guest = end - start >= guest_bytes;
		else if (sscanf(line, "Rss: %llu kB", &kb) == 1)
			*(is_guest ? &s->guest_rss : &s->vmm_rss) += kb << 10;
		else if (sscanf(line, "Pss: %llu kB", &kb) == 1 && !is_guest)
			s->vmm_pss += kb << 10;
	}
	fclose(f);
	if (s->guest_rss)
		return 0;
	log_err("%s: no mapping of %" PRIu64 " bytes", path, guest_bytes);
	return -ENOENT;
}

/* The child gets @theirs as @as. Its stdout is not ours: that has numbers. */
static int child_start(struct child *c, char **argv, int theirs, int as)
{
	c->start_ns = clock_now_ns();
	c->pid = fork();
	if (c->pid < 0)
		return -errno;
	if (c->pid)
		return 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0 || dup2(theirs, as) < 0 ||
	    fcntl(as, F_SETFD, 0))
		_exit(126);
	execv(argv[0], argv);
	log_err("%s: %s", argv[0], strerror(errno));
	_exit(127);
}

static int wait_input(const struct child *c, uint64_t until_ns)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	uint64_t now_ns = clock_now_ns();

	if (now_ns >= until_ns)
		return -ETIMEDOUT;
	if (poll(&p, 1, (until_ns - now_ns) / NSEC_PER_MSEC + 1) < 0)
		return -errno;
	return p.revents ? 0 : -ETIMEDOUT;
}

/* Its end, killed if that takes too long. Return: the wait status. */
static int child_end(struct child *c, struct sample *s)
{
	uint64_t until_ns = c->start_ns + LIMIT_NS;
	int status = 0;

	while (!waitpid(c->pid, &status, WNOHANG)) {
		if (clock_now_ns() > until_ns)
			kill(c->pid, SIGKILL);
		usleep(500);
	}
	s->end_ns = clock_now_ns() - c->start_ns;
	return status;
}

/* Read stderr up to a line that holds @text; what comes by is passed on. */
static int await_line(struct child *c, FILE *err, const char *text)
{
	char line[1024];

	for (;;) {
		int ret = wait_input(c, c->start_ns + LIMIT_NS);

		if (ret)
			return ret;
		if (!fgets(line, sizeof(line), err))
			return -EPIPE;
		fputs(line, stderr);
		if (strstr(line, text))
			return 0;
	}
}

/*
 * The VM process says on its stderr when the agent is up, and when it lets a
 * phase begin.
 */
static int ktstr_watch(struct bench *b, struct child *c, struct sample *s)
{
	FILE *err = fdopen(c->fd, "re");
	int ret;

	if (!err)
		return -errno;
	/* so that poll() sees what is still to be read */
	setvbuf(err, NULL, _IONBF, 0);
	ret = await_line(c, err, "agent is up");
	s->up_ns = clock_now_ns() - c->start_ns;
	if (!ret)
		ret = await_line(c, err, "phase ");
	if (!ret) {
		usleep(SETTLE_NS / NSEC_PER_USEC);
		ret = read_memory(c->pid, b->memory_bytes, s);
	}
	if (ret)
		kill(c->pid, SIGKILL);
	if (child_end(c, s) && !ret)
		ret = -EIO;
	fclose(err);
	return ret;
}

static int run_ktstr(struct bench *b, struct sample *s)
{
	char *argv[] = { (char *)b->ktstr, "__vm", (char *)b->in,
			 (char *)b->out, NULL };
	struct child c = { .fd = -1 };
	int fds[2], err;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	c.fd = fds[0];
	err = child_start(&c, argv, fds[1], STDERR_FILENO);
	close(fds[1]);
	if (err)
		close(fds[0]);
	else
		err = ktstr_watch(b, &c, s);
	return err;
}

/* Read the agent's port up to its HELLO. */
static int await_hello(struct child *c)
{
	struct frame_reader r;
	struct frame f;
	char buf[4096];
	ssize_t n;
	int ret = 0;

	frame_reader_init(&r);
	while (!ret) {
		ret = wait_input(c, c->start_ns + LIMIT_NS);
		n = ret ? 0 : read(c->fd, buf, sizeof(buf));
		if (!ret && n <= 0)
			ret = n < 0 ? -errno : -EPIPE;
		if (!ret)
			ret = frame_reader_feed(&r, buf, n);
		while (!ret && (ret = frame_reader_next(&r, &f)) > 0 &&
		       f.type != KTSTR_MSG_HELLO)
			ret = 0;
	}
	frame_reader_fini(&r);
	return ret < 0 ? ret : 0;
}

static int run_other(struct bench *b, struct sample *s)
{
	struct child c = { .fd = -1 };
	uint64_t told_ns;
	int fds[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return -errno;
	c.fd = fds[0];
	ret = child_start(&c, b->vmm, fds[1], PORT_FD);
	close(fds[1]);
	if (ret) {
		close(fds[0]);
		return ret;
	}
	ret = await_hello(&c);
	s->up_ns = clock_now_ns() - c.start_ns;
	if (!ret) {
		usleep(SETTLE_NS / NSEC_PER_USEC);
		ret = read_memory(c.pid, b->memory_bytes, s);
	}
	told_ns = clock_now_ns();
	kill(c.pid, ret ? SIGKILL : SIGTERM);
	if (child_end(&c, s) && !ret)
		ret = -EIO;
	s->quit_ns = c.start_ns + s->end_ns - told_ns;
	close(fds[0]);
	return ret;
}

static const struct side {
	const char *name;
	int (*run)(struct bench *b, struct sample *s);
} sides[] = {
	{ "ktstr", run_ktstr },
	{ "other", run_other },
};

static void print_sample(const char *side, unsigned int round,
			 const struct sample *s)
{
	const struct {
		const char *what;
		uint64_t n;
	} numbers[] = {
		{ "up_ns", s->up_ns },
		{ "end_ns", s->end_ns },
		{ "quit_ns", s->quit_ns },
		{ "vmm_pss", s->vmm_pss },
		{ "vmm_rss", s->vmm_rss },
		{ "guest_rss", s->guest_rss },
	};
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		printf("%s %u %s %" PRIu64 "\n", side, round, numbers[i].what,
		       numbers[i].n);
	fflush(stdout);
	log_info("round %u: %s: up after %.2f s", round, side,
		 s->up_ns / 1e9);
}

/* Both in each round, the one first that was second the last time. */
static int measure(struct bench *b, unsigned int rounds)
{
	unsigned int round, turn;

	for (round = 1; round <= rounds; round++) {
		for (turn = 0; turn < 2; turn++) {
			const struct side *side = &sides[(round + turn) % 2];
			struct sample s = { 0 };
			int err = side->run(b, &s);

			if (err) {
				log_err("round %u: %s: %s", round, side->name,
					strerror(-err));
				return err;
			}
			print_sample(side->name, round, &s);
		}
	}
	return 0;
}

static int cmd_measure(int argc, char **argv)
{
	struct bench b;
	unsigned int rounds;

	if (argc < 9 || strcmp(argv[7], "--")) {
		fputs(usage, stderr);
		return 2;
	}
	rounds = atoi(argv[2]);
	b = (struct bench){
		.memory_bytes = strtoull(argv[3], NULL, 10),
		.ktstr = argv[4],
		.in = argv[5],
		.out = argv[6],
		.vmm = &argv[8],
	};
	signal(SIGPIPE, SIG_IGN);
	return measure(&b, rounds) ? 1 : 0;
}

/* As `ktstr run` does it, but that the folder stays. */
static int prepare(const struct scenario *s, const char *dir)
{
	struct launch_opts opts = { .accel = LAUNCH_ACCEL_EMULATED,
				    .out_dir = dir, .quiet = true };
	uint64_t start_ns = clock_now_ns();
	struct launch_result res;
	json_t *plan = plan_new(s, 1);
	char why[256];
	int err = -ENOMEM;

	if (plan) {
		/* the one transport that both VMMs have */
		plan_set_transport(plan, "mmio");
		launch_prepare(&opts, plan, &res);
		err = res.status == LAUNCH_OK ? 0 : -EINVAL;
		if (err)
			log_err("%s", res.reason);
		else if ((err = prepare_dir(plan, dir, why, sizeof(why))))
			log_err("%s", why);
	}
	if (!err)
		printf("prepare 1 ns %" PRIu64 "\n", clock_now_ns() - start_ns);
	json_decref(plan);
	return err;
}

static int cmd_prepare(int argc, char **argv)
{
	struct scenario_overrides none = { 0 };
	struct scenario *s;
	struct diag d;
	int err;

	if (argc != 4) {
		fputs(usage, stderr);
		return 2;
	}
	diag_init(&d, argv[2]);
	err = scenario_load(argv[2], &none, &s, &d);
	if (err)
		diag_print(&d, stderr);
	diag_fini(&d);
	if (err)
		return 1;
	err = path_mkdirs(argv[3]);
	if (!err)
		err = prepare(s, argv[3]);
	scenario_free(s);
	return err ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "prepare"))
		return cmd_prepare(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "measure"))
		return cmd_measure(argc, argv);
	fputs(usage, stderr);
	return 2;
}
