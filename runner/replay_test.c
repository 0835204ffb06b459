// SPDX-License-Identifier: GPL-2.0-only
/* A run, its bundle, and the same again; with a launcher that starts nothing. */
#include "runner/replay.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/path.h"
#include "lib/test_run.h"
#include "runner/cmd.h"
#include "runner/run.h"

static struct {
	const char *kernel_hash, *sched_hash;	/* of what is there now */
	const char *iterations;			/* NULL: no facts */
	unsigned int ran;
	json_int_t seeds[8];
	char kernel[64], object[64], accel[16], transport[16];
	bool controlled;
} fake;

static char *tmp, *err_text;

static void set(json_t *plan, const char *group, const char *key,
		const char *text)
{
	json_t *object = json_object_get(plan, group);

	if (json_is_object(object))
		json_object_set_new(object, key, json_string(text));
}

/* As launch_prepare(), but for the kernel and the object. */
static void fake_prepare(const struct launch_opts *opts, json_t *plan,
			 struct launch_result *res)
{
	*res = (struct launch_result){ .status = LAUNCH_OK };
	snprintf(fake.kernel, sizeof(fake.kernel), "%s",
		 opts->kernel ? opts->kernel : "");
	snprintf(fake.object, sizeof(fake.object), "%s", opts->replay &&
		 opts->replay->object ? opts->replay->object : "");
	set(plan, "kernel", "release", "7.3.4-fake");
	set(plan, "kernel", "hash", fake.kernel_hash);
	set(plan, "kernel", "from", "/kernels/one");
	set(plan, "scheduler", "hash", fake.sched_hash);
	if (!replay_check(opts->replay, plan, res->reason,
			  sizeof(res->reason)))
		res->status = LAUNCH_USAGE;
}

static void fake_run(const struct launch_opts *opts, json_t *plan,
		     struct launch_result *res, json_t **facts)
{
	char *path = path_join(opts->out_dir, "sched.bpf.o");
	const char *transport;

	*res = (struct launch_result){ .status = LAUNCH_OK };
	ck_assert_uint_lt(fake.ran, 8);
	transport = json_string_value(json_object_get(
		json_object_get(plan, "vm"), "transport"));
	snprintf(fake.transport, sizeof(fake.transport), "%s",
		 transport ? transport : "");
	fake.seeds[fake.ran++] = json_integer_value(json_object_get(plan,
								    "seed"));
	ck_assert_int_eq(0, path_write_file(path, "object", 6));
	free(path);
	*facts = !fake.iterations ? NULL : json_pack(
		"{s:{s:s,s:s}, s:{s:s,s:s}, s:{s:s,s:s,s:{s:s},s:{s:s}},"
		" s:{s:{s:i}}, s:[], s:{s:{s:s}}}",
		"end", "kind", "done", "stage", "done",
		"kernel", "release", "7.3.4-fake", "hash", fake.kernel_hash,
		"scheduler", "kind", "builtin", "hash", fake.sched_hash,
		"exit", "dump", "the dump", "failed", "log", "",
		"workloads", "w", "iterations", atoi(fake.iterations),
		"phases", "maps", "stats", "type", "array");
}

static const struct run_ops ops = { fake_prepare, fake_run };

static int command(int (*cmd)(const struct run_ops *, int, char **, FILE *),
		   const char *words)
{
	char *argv[24], *copy = strdup(words), *save, *p;
	int argc = 0, code, saved = dup(2);
	int err_fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	FILE *null = fopen("/dev/null", "w");

	for (p = strtok_r(copy, " ", &save); p; p = strtok_r(NULL, " ", &save))
		argv[argc++] = p;
	argv[argc] = NULL;
	dup2(err_fd, 2);
	code = cmd(&ops, argc, argv, null);
	fflush(stderr);
	dup2(saved, 2);
	close(saved);
	fclose(null);
	free(err_text);
	err_text = calloc(1, 8192);
	ck_assert_int_ge(pread(err_fd, err_text, 8191, 0), 0);
	close(err_fd);
	free(copy);
	return code;
}

static void write_text(const char *name, const char *text)
{
	ck_assert_int_eq(0, path_write_file(name, text, strlen(text)));
}

static char *read_text(const char *name)
{
	char *text;
	size_t len;

	ck_assert_int_eq(0, path_read_file(name, 1 << 20, &text, &len));
	return text;
}

static void set_up(void)
{
	char template[] = "/tmp/ktstr-replay-test-XXXXXX";

	memset(&fake, 0, sizeof(fake));
	fake.kernel_hash = "aaaa1111";
	fake.sched_hash = "bbbb2222";
	fake.iterations = "5";
	tmp = strdup(mkdtemp(template));
	ck_assert_ptr_nonnull(tmp);
	ck_assert_int_eq(0, chdir(tmp));
	write_text("a.toml", "schema = 1\nname = \"a\"\n"
		   "[scheduler]\nbuiltin = \"simple\"\nset = { slice_ns = 7 }\n"
		   "[[workload]]\nname = \"w\"\nkind = \"spin\"\n"
		   "[[check]]\nmetric = \"w.iterations\"\nmin = 10\n");
}

static void tear_down(void)
{
	ck_assert_int_eq(0, chdir("/"));
	path_remove_tree(tmp);
	free(tmp);
	free(err_text);
	err_text = NULL;
}

static void run_it(void)
{
	ck_assert_int_ne(2, command(cmd_run_with,
				    "run --seed 77 --out r a.toml"));
	ck_assert_uint_eq(1, fake.ran);
}

START_TEST(a_run_that_fails_leaves_a_bundle)
{
	char *readme, *dump, *maps;

	run_it();
	readme = read_text("r/bundle/README");
	dump = read_text("r/bundle/dump.txt");
	maps = read_text("r/bundle/maps.json");
	ck_assert_ptr_nonnull(strstr(readme, "ktstr replay r\n"));
	ck_assert_ptr_nonnull(strstr(readme, "aaaa1111"));
	ck_assert_ptr_nonnull(strstr(readme, "bbbb2222"));
	ck_assert_ptr_nonnull(strstr(readme, "seed       77"));
	ck_assert_ptr_nonnull(strstr(readme, "/kernels/one"));
	ck_assert_ptr_nonnull(strstr(readme, "sched.bpf.o"));
	/* there was no verifier's log, and none is spoken of */
	ck_assert_ptr_null(strstr(readme, "verifier.log"));
	ck_assert_int_ne(0, access("r/bundle/verifier.log", F_OK));
	ck_assert_str_eq("the dump", dump);
	ck_assert_ptr_nonnull(strstr(maps, "\"stats\""));
	ck_assert_int_eq(0, access("r/bundle/scenario.toml", R_OK));
	ck_assert_int_eq(0, access("r/bundle/result.json", R_OK));
	free(readme);
	free(dump);
	free(maps);
}
END_TEST

START_TEST(a_run_without_facts_leaves_what_there_is)
{
	char *readme;

	fake.iterations = NULL;
	run_it();
	readme = read_text("r/bundle/README");
	ck_assert_ptr_nonnull(strstr(readme, "a: error"));
	ck_assert_int_ne(0, access("r/bundle/maps.json", F_OK));
	free(readme);
}
END_TEST

START_TEST(the_transport_of_the_run_is_taken_again)
{
	ck_assert_int_ne(2, command(cmd_run_with,
		"run --seed 77 --out r --transport mmio a.toml"));
	memset(fake.transport, 0, sizeof(fake.transport));
	ck_assert_int_ne(2, command(cmd_replay_with, "replay --out again r"));
	ck_assert_str_eq("mmio", fake.transport);
}
END_TEST

START_TEST(the_same_kernel_scheduler_and_seed_run_again)
{
	run_it();
	ck_assert_int_ne(2, command(cmd_replay_with, "replay --out again r"));
	ck_assert_uint_eq(2, fake.ran);
	ck_assert_int_eq(77, fake.seeds[1]);
	ck_assert_str_eq("/kernels/one", fake.kernel);
	ck_assert_str_eq("r/sched.bpf.o", fake.object);
	ck_assert_int_eq(0, access("again/result.json", R_OK));
	ck_assert_ptr_nonnull(strstr(err_text, "that run's verdict was "));
	/* from the bundle too, and one after the other */
	ck_assert_int_ne(2, command(cmd_replay_with,
				    "replay -q --out b again/bundle"));
	ck_assert_int_eq(77, fake.seeds[2]);
}
END_TEST

START_TEST(another_kernel_is_refused_by_name)
{
	run_it();
	fake.kernel_hash = "cccc3333";
	ck_assert_int_eq(2, command(cmd_replay_with, "replay --out x r"));
	ck_assert_uint_eq(1, fake.ran);
	ck_assert_ptr_nonnull(strstr(err_text, "the kernel is not the one of that run: its SHA-256 is cccc3333..., that run's was aaaa1111...;"));
	ck_assert_ptr_nonnull(strstr(err_text, "--kernel"));
	/* unless it is asked for */
	ck_assert_int_ne(2, command(cmd_replay_with,
				    "replay --kernel /other --out y r"));
	ck_assert_uint_eq(2, fake.ran);
	ck_assert_str_eq("/other", fake.kernel);
}
END_TEST

START_TEST(another_scheduler_is_refused_by_name)
{
	run_it();
	fake.sched_hash = "dddd4444";
	ck_assert_int_eq(2, command(cmd_replay_with, "replay --out x r"));
	ck_assert_ptr_nonnull(strstr(err_text, "the scheduler is not the one of that run"));
	ck_assert_int_ne(2, command(cmd_replay_with,
				    "replay --scheduler fifo --out y r"));
	ck_assert_uint_eq(2, fake.ran);
	ck_assert_str_eq("", fake.object);
}
END_TEST

/* A file of @size bytes, with @text at @at; not made anew. */
static void write_image(const char *name, off_t size, off_t at,
			const char *text)
{
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_eq(0, ftruncate(fd, size));
	ck_assert_int_eq(strlen(text), pwrite(fd, text, strlen(text), at));
	close(fd);
}

#define MI (1 << 20)

static void run_image(off_t size)
{
	write_image("d.img", size, 0, "begin");
	write_text("a.toml", "schema = 1\nname = \"a\"\n"
		   "[[disk]]\nname = \"data\"\nimage = \"d.img\"\n"
		   "[[workload]]\nname = \"w\"\nkind = \"spin\"\n");
	run_it();
}

static const struct changed_image {
	off_t size, new_size, at;
	const char *text, *says;	/* NULL: it is the same to us */
} changed_images[] = {
	{ MI, MI, 0, "begin", NULL },	/* only the time of its last change */
	{ MI, MI, MI / 2, "x", "its SHA-256 is " },
	{ MI, 2 * MI, 0, "begin", "it has 2097152 bytes, that run's had 1048576" },
	{ 65 * MI, 65 * MI, 5, "x", "its SHA-256 is " },
	{ 65 * MI, 65 * MI, 65 * MI - 1, "x", "its SHA-256 is " },
	/* not hashed there */
	{ 65 * MI, 65 * MI, 30 * MI, "x", "it was written to since" },
};

START_TEST(another_image_is_refused_by_name)
{
	const struct changed_image *c = &changed_images[_i];
	const struct timespec times[2] = { { 1, 0 }, { 1, 0 } };

	run_image(c->size);
	write_image("d.img", c->new_size, c->at, c->text);
	ck_assert_int_eq(0, utimensat(AT_FDCWD, "d.img", times, 0));
	if (!c->says) {
		ck_assert_int_ne(2, command(cmd_replay_with,
					    "replay --out x r"));
		return;
	}
	ck_assert_int_eq(2, command(cmd_replay_with, "replay --out x r"));
	ck_assert_uint_eq(1, fake.ran);
	ck_assert_ptr_nonnull(strstr(err_text, "the image of disk data, /"));
	ck_assert_msg(strstr(err_text, c->says), "%s", err_text);
	/* unless it is asked for; of another size it is no such disk */
	ck_assert_int_eq(c->size == c->new_size,
			 strstr(err_text, "--images") != NULL);
	if (c->size != c->new_size)
		return;
	ck_assert_int_ne(2, command(cmd_replay_with,
				    "replay --images --out y r"));
	ck_assert_uint_eq(2, fake.ran);
}
END_TEST

START_TEST(a_large_image_that_was_left_alone_is_the_same)
{
	run_image(65 * MI);
	ck_assert_int_ne(2, command(cmd_replay_with, "replay --out x r"));
	ck_assert_uint_eq(2, fake.ran);
}
END_TEST

START_TEST(an_image_that_is_gone_is_told)
{
	run_image(MI);
	ck_assert_int_eq(0, unlink("d.img"));
	ck_assert_int_eq(0, mkfifo("d.img", 0600));
	ck_assert_int_eq(2, command(cmd_replay_with, "replay --out x r"));
	ck_assert_ptr_nonnull(strstr(err_text, "Invalid argument"));
	ck_assert_int_eq(0, unlink("d.img"));
	ck_assert_int_eq(2, command(cmd_replay_with, "replay --out x r"));
	ck_assert_ptr_nonnull(strstr(err_text, "No such file"));
	ck_assert_uint_eq(1, fake.ran);
}
END_TEST

START_TEST(a_control_is_run_again_with_the_seeds_it_had)
{
	ck_assert_int_ne(2, command(cmd_run_with,
				    "run --control -n 2 --out r a.toml"));
	ck_assert_uint_eq(4, fake.ran);
	ck_assert_int_ne(2, command(cmd_replay_with, "replay --out x r"));
	ck_assert_uint_eq(8, fake.ran);
	ck_assert_int_eq(fake.seeds[0], fake.seeds[4]);
	ck_assert_int_eq(fake.seeds[2], fake.seeds[6]);
	ck_assert_int_ne(fake.seeds[0], fake.seeds[2]);
}
END_TEST

static const struct {
	const char *spoil, *with, *words, *says;
} bad[] = {
	{ "r/scenario.toml", "name = \"b\"\n", "replay r",
	  "r/scenario.toml is not what ran" },
	{ "r/result.json", "{", "replay r", "r is no run directory" },
	{ "r/result.json", "{}", "replay r",
	  "the run never got as far as a kernel" },
	{ "r/result.json", "{\"kernel\": {\"hash\": \"x\"}}", "replay r",
	  "result.json has no seed" },
	{ NULL, NULL, "replay nowhere", "nowhere is no run directory" },
	{ NULL, NULL, "replay", "usage: ktstr replay" },
	{ NULL, NULL, "replay r r", "usage: ktstr replay" },
	{ NULL, NULL, "replay --seed 4 r", "ktstr replay --help" },
	{ NULL, NULL, "replay --accel fast r", "not one of auto, kvm" },
};

START_TEST(what_can_not_be_done_again_says_why_and_runs_nothing)
{
	run_it();
	if (bad[_i].spoil)
		write_text(bad[_i].spoil, bad[_i].with);
	ck_assert_int_eq(2, command(cmd_replay_with, bad[_i].words));
	ck_assert_msg(strstr(err_text, bad[_i].says), "%s", err_text);
	ck_assert_uint_eq(1, fake.ran);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("replay");
	TCase *tc = tcase_create("replay");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_run_that_fails_leaves_a_bundle);
	tcase_add_test(tc, a_run_without_facts_leaves_what_there_is);
	tcase_add_test(tc, the_transport_of_the_run_is_taken_again);
	tcase_add_test(tc, the_same_kernel_scheduler_and_seed_run_again);
	tcase_add_test(tc, another_kernel_is_refused_by_name);
	tcase_add_test(tc, another_scheduler_is_refused_by_name);
	tcase_add_loop_test(tc, another_image_is_refused_by_name, 0,
			    sizeof(changed_images) / sizeof(changed_images[0]));
	tcase_add_test(tc, a_large_image_that_was_left_alone_is_the_same);
	tcase_add_test(tc, an_image_that_is_gone_is_told);
	tcase_add_test(tc, a_control_is_run_again_with_the_seeds_it_had);
	tcase_add_loop_test(tc, what_can_not_be_done_again_says_why_and_runs_nothing,
			    0, sizeof(bad) / sizeof(bad[0]));
	suite_add_tcase(suite, tc);
	return test_run(suite);
}
