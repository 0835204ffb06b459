// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_file.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/test_run.h"
#include "vmm/blk_image.h"
#include "vmm/blk_req.h"
#include "vmm/vmm.h"

#define SIZE (8u << 20)
#define MIDDLE ((3u << 20) + 100) /* of a hole, and of a page */

static char path[256];
static struct blk_image image;
static struct vm_disk_config cfg;
static uint8_t buf[65536];

static void put_file(const void *data, size_t len, off_t off)
{
	int fd = open(path, O_WRONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(len, pwrite(fd, data, len, off));
	close(fd);
}

static void get_file(void *data, size_t len, off_t off)
{
	int fd = open(path, O_RDONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(len, pread(fd, data, len, off));
	close(fd);
}

static void setup(void)
{
	const char *tmp = getenv("TMPDIR");
	int fd;

	snprintf(path, sizeof(path), "%s/ktstr-blk-file-XXXXXX",
		 tmp && *tmp ? tmp : "/tmp");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(0, ftruncate(fd, SIZE));
	close(fd);
	put_file("first", 5, 0);
	put_file("middle", 6, MIDDLE);
	put_file("last", 4, SIZE - 4);
	cfg = (struct vm_disk_config){
		.name = "data", .size_bytes = SIZE, .image_path = path,
	};
}

static void teardown(void)
{
	blk_image_close(&image);
	unlink(path);
}

static void open_image(void)
{
	ck_assert_int_eq(0, blk_file_open(&image, &cfg));
}

static int image_read(uint64_t off, void *to, size_t len)
{
	struct iovec iov = { to, len };
	uint64_t moved;

	return blk_image_read(&image, off, &iov, 1, &moved);
}

static int image_write(uint64_t off, const void *from, size_t len)
{
	struct iovec iov = { (void *)from, len };
	uint64_t moved;

	return blk_image_write(&image, off, &iov, 1, &moved);
}

static void image_holds(uint64_t off, const char *text)
{
	char got[16] = "";

	ck_assert_int_eq(0, image_read(off, got, strlen(text)));
	ck_assert_str_eq(text, got);
}

static void image_is_zero(uint64_t off, size_t len)
{
	static const uint8_t zeroes[sizeof(buf)];

	ck_assert_uint_le(len, sizeof(buf));
	ck_assert_int_eq(0, image_read(off, buf, len));
	ck_assert_mem_eq(zeroes, buf, len);
}

static uint64_t allocated(int fd)
{
	struct stat st;

	ck_assert_int_eq(0, fstat(fd, &st));
	return (uint64_t)st.st_blocks * 512;
}

START_TEST(no_image_is_all_zeroes)
{
	cfg.image_path = NULL;
	open_image();
	image_is_zero(0, sizeof(buf));
	image_is_zero(SIZE - sizeof(buf), sizeof(buf));
}
END_TEST

/* Copy, read-only, kept: all of them begin as the file is */
START_TEST(the_disk_begins_as_the_file_is)
{
	cfg.read_only = _i == 1;
	cfg.keep_writes = _i == 2;
	open_image();
	image_holds(0, "first");
	image_holds(MIDDLE, "middle");
	image_holds(SIZE - 4, "last");
	image_is_zero(5, 4000);
	image_is_zero(1 << 20, sizeof(buf));
}
END_TEST

/* Three pages with data; zeroes that the file does hold are not copied */
START_TEST(a_copy_takes_memory_for_data_alone)
{
	memset(buf, 0, sizeof(buf));
	put_file(buf, sizeof(buf), 5 << 20);
	open_image();
	ck_assert(!image.in_place);
	ck_assert_uint_eq(3 * 4096, allocated(image.fd));
}
END_TEST

START_TEST(a_copy_and_its_file_are_apart)
{
	char got[8] = "";

	open_image();
	ck_assert_int_eq(0, image_write(0, "guest", 5));
	get_file(got, 5, 0);
	ck_assert_str_eq("first", got);
	put_file("human", 5, 0);
	image_holds(0, "guest");
	ck_assert_int_eq(0, truncate(path, 0));
	image_holds(SIZE - 4, "last");
	/* sealed, as every image in memory is */
	ck_assert_int_eq(-1, ftruncate(image.fd, 0));
}
END_TEST

START_TEST(kept_writes_are_in_the_file)
{
	char got[8] = "";

	cfg.keep_writes = true;
	open_image();
	ck_assert_int_eq(0, image_write(SIZE / 2, "guest", 5));
	ck_assert_int_eq(0, blk_image_flush(&image));
	get_file(got, 5, SIZE / 2);
	ck_assert_str_eq("guest", got);
}
END_TEST

START_TEST(a_read_only_file_is_not_open_for_writing)
{
	cfg.read_only = true;
	cfg.keep_writes = _i; /* read-only wins */
	open_image();
	ck_assert_int_eq(O_RDONLY, fcntl(image.fd, F_GETFL) & O_ACCMODE);
	ck_assert_int_eq(-EBADF, image_write(0, "guest", 5));
}
END_TEST

START_TEST(discard_gives_the_files_blocks_back)
{
	cfg.keep_writes = true;
	memset(buf, 7, sizeof(buf));
	put_file(buf, sizeof(buf), 1 << 20);
	open_image();
	ck_assert_uint_ge(allocated(image.fd), sizeof(buf));
	ck_assert_int_eq(0, blk_image_discard(&image, 1 << 20, sizeof(buf)));
	image_is_zero(1 << 20, sizeof(buf));
	ck_assert_uint_lt(allocated(image.fd), sizeof(buf));
	ck_assert_int_eq(SIZE, lseek(image.fd, 0, SEEK_END));
}
END_TEST

START_TEST(zeroes_in_a_file_keep_its_blocks)
{
	cfg.keep_writes = true;
	memset(buf, 7, sizeof(buf));
	put_file(buf, sizeof(buf), 1 << 20);
	open_image();
	ck_assert_int_eq(0, blk_image_zero(&image, 1 << 20, sizeof(buf),
					   false));
	image_is_zero(1 << 20, sizeof(buf));
	ck_assert_uint_ge(allocated(image.fd), sizeof(buf));
	ck_assert_int_eq(SIZE, lseek(image.fd, 0, SEEK_END));
}
END_TEST

static void make_fifo(void)
{
	unlink(path);
	ck_assert_int_eq(0, mkfifo(path, 0600));
}

static void make_dir(void)
{
	unlink(path);
	ck_assert_int_eq(0, mkdir(path, 0700));
}

static void make_none(void)
{
	unlink(path);
}

static void make_short(void)
{
	ck_assert_int_eq(0, truncate(path, SIZE - 512));
}

static void make_long(void)
{
	ck_assert_int_eq(0, truncate(path, SIZE + 512));
}

static const struct unfit {
	void (*make)(void);
	bool keep_writes;
	int err;
} unfits[] = {
	{ make_none, false, -ENOENT }, { make_none, true, -ENOENT },
	{ make_dir, false, -EINVAL },  { make_dir, true, -EISDIR },
	{ make_fifo, false, -EINVAL }, { make_fifo, true, -EINVAL },
	{ make_short, false, -EINVAL }, { make_short, true, -EINVAL },
	{ make_long, false, -EINVAL }, { make_long, true, -EINVAL },
};

/* None of them blocks, and none leaves a descriptor */
START_TEST(what_is_no_image_of_that_size_is_refused)
{
	const int next_fd = dup(0);

	close(next_fd);
	unfits[_i].make();
	cfg.keep_writes = unfits[_i].keep_writes;
	ck_assert_int_eq(unfits[_i].err, blk_file_open(&image, &cfg));
	ck_assert_int_eq(-1, image.fd);
	ck_assert_int_eq(next_fd, dup(0));
	rmdir(path);
}
END_TEST

/* Section 9: a file that is cut under us is an IO error, not a SIGBUS */
START_TEST(a_file_cut_under_us_is_an_io_error)
{
	const struct blk_disk disk = { .sectors = SIZE / 512 };
	struct virtio_blk_outhdr hdr = {
		.type = VIRTIO_BLK_T_IN, .sector = SIZE / 512 - 2,
	};
	static struct vq_chain chain;
	static struct blk_req req;
	struct blk_result res;
	uint8_t status = 0xee;

	cfg.read_only = true;
	open_image();
	ck_assert_int_eq(0, truncate(path, SIZE - 512));
	chain.out[0] = (struct iovec){ &hdr, sizeof(hdr) };
	chain.in[0] = (struct iovec){ buf, 1024 };
	chain.in[1] = (struct iovec){ &status, 1 };
	chain.nr_out = 1;
	chain.nr_in = 2;
	chain.out_bytes = sizeof(hdr);
	chain.in_bytes = 1025;
	ck_assert(blk_req_parse(&req, &chain, &disk));
	res = blk_req_run(&req, &disk, &image);
	ck_assert_uint_eq(VIRTIO_BLK_S_IOERR, status);
	ck_assert_int_eq(-EIO, res.err);
	ck_assert_uint_eq(512, res.moved_bytes);
	ck_assert_uint_eq(512, res.used_len);
}
END_TEST

/* A full host, as far as a test can make one: no room beyond 4 MiB */
START_TEST(a_full_host_is_an_error_for_each_write)
{
	const struct rlimit limit = { 4 << 20, 4 << 20 };

	cfg.keep_writes = true;
	open_image();
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(0, setrlimit(RLIMIT_FSIZE, &limit));
	ck_assert_int_eq(0, image_write(0, "guest", 5));
	ck_assert_int_eq(-EFBIG, image_write(5 << 20, "guest", 5));
	image_holds(SIZE - 4, "last");
}
END_TEST

/* What a host answers to fallocate: by its modes, in the order asked for */
static int asked[4], nr_asked;
static bool knows_punch, knows_zero, interrupted;

static int some_fallocate(int fd, int mode, off_t off, off_t len)
{
	ck_assert_int_eq(FALLOC_FL_KEEP_SIZE, mode & FALLOC_FL_KEEP_SIZE);
	mode &= ~FALLOC_FL_KEEP_SIZE;
	if (!interrupted) {
		interrupted = true;
		errno = EINTR;
		return -1;
	}
	ck_assert_int_lt(nr_asked, 4);
	asked[nr_asked++] = mode;
	if (mode == FALLOC_FL_PUNCH_HOLE ? knows_punch : knows_zero)
		return 0;
	errno = EOPNOTSUPP;
	return -1;
}

#define PUNCH FALLOC_FL_PUNCH_HOLE
#define ZERO FALLOC_FL_ZERO_RANGE

static const struct way {
	bool in_place, unmap, knows_punch, knows_zero;
	int asked[2];
	bool written;
} ways[] = {
	{ true, true, true, true, { PUNCH }, false },
	{ true, true, false, true, { PUNCH, ZERO }, false },
	{ true, true, false, false, { PUNCH, ZERO }, true },
	{ true, false, true, true, { ZERO }, false },
	{ true, false, true, false, { ZERO }, true },
	{ false, true, true, false, { PUNCH }, false },
	{ false, true, false, false, { PUNCH }, true },
	{ false, false, true, true, { 0 }, true },
};

START_TEST(zeroes_come_the_cheapest_way_there_is)
{
	struct blk_image_io io = blk_image_host;
	const struct way *w = &ways[_i];

	io.fallocate = some_fallocate;
	open_image();
	image.io = &io;
	image.in_place = w->in_place;
	knows_punch = w->knows_punch;
	knows_zero = w->knows_zero;
	ck_assert_int_eq(0, blk_image_zero(&image, 0, 4096, w->unmap));
	ck_assert_mem_eq(w->asked, asked, sizeof(w->asked));
	if (w->written)
		image_is_zero(0, 4096);
	else
		image_holds(0, "first");
}
END_TEST

START_TEST(a_discard_where_nothing_can_be_given_back_does_nothing)
{
	struct blk_image_io io = blk_image_host;

	io.fallocate = some_fallocate;
	open_image();
	image.io = &io;
	ck_assert_int_eq(0, blk_image_discard(&image, 0, 4096));
	image_holds(0, "first");
	ck_assert_int_eq(1, nr_asked);
}
END_TEST

static unsigned int syncs;

static int some_fdatasync(int fd)
{
	errno = syncs++ ? EIO : EINTR;
	return -1;
}

START_TEST(an_interrupted_flush_goes_on)
{
	struct blk_image_io io = blk_image_host;

	io.fdatasync = some_fdatasync;
	open_image();
	image.io = &io;
	ck_assert_int_eq(-EIO, blk_image_flush(&image));
	ck_assert_uint_eq(2, syncs);
}
END_TEST

#define NR(table) (sizeof(table) / sizeof((table)[0]))

int main(void)
{
	Suite *suite = suite_create("blk_file");
	TCase *tc = tcase_create("blk_file");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, no_image_is_all_zeroes);
	tcase_add_loop_test(tc, the_disk_begins_as_the_file_is, 0, 3);
	tcase_add_test(tc, a_copy_takes_memory_for_data_alone);
	tcase_add_test(tc, a_copy_and_its_file_are_apart);
	tcase_add_test(tc, kept_writes_are_in_the_file);
	tcase_add_loop_test(tc, a_read_only_file_is_not_open_for_writing, 0, 2);
	tcase_add_test(tc, discard_gives_the_files_blocks_back);
	tcase_add_test(tc, zeroes_in_a_file_keep_its_blocks);
	tcase_add_loop_test(tc, what_is_no_image_of_that_size_is_refused, 0,
			    NR(unfits));
	tcase_add_test(tc, a_file_cut_under_us_is_an_io_error);
	tcase_add_test(tc, a_full_host_is_an_error_for_each_write);
	tcase_add_loop_test(tc, zeroes_come_the_cheapest_way_there_is, 0,
			    NR(ways));
	tcase_add_test(tc,
		       a_discard_where_nothing_can_be_given_back_does_nothing);
	tcase_add_test(tc, an_interrupted_flush_goes_on);
	suite_add_tcase(suite, tc);

	return test_run(suite);
}
