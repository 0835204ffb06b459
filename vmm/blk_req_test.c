// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_req.h"

#include <check.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/test_run.h"

#define OK VIRTIO_BLK_S_OK
#define IOERR VIRTIO_BLK_S_IOERR
#define UNSUPP VIRTIO_BLK_S_UNSUPP
#define IN VIRTIO_BLK_T_IN
#define OUT VIRTIO_BLK_T_OUT
#define FLUSH VIRTIO_BLK_T_FLUSH
#define GET_ID VIRTIO_BLK_T_GET_ID
#define DISCARD VIRTIO_BLK_T_DISCARD
#define ZEROES VIRTIO_BLK_T_WRITE_ZEROES
#define SECTORS 64

static struct blk_disk disk;
static struct blk_image image;
static struct blk_req req;
static struct vq_chain chain;
static struct virtio_blk_outhdr hdr;
static uint8_t data[SECTORS * 512], status;

static void setup(void)
{
	disk = (struct blk_disk){
		.sectors = SECTORS,
		.features = 1ULL << VIRTIO_BLK_F_DISCARD |
			    1ULL << VIRTIO_BLK_F_WRITE_ZEROES,
		.id = "data",
	};
	ck_assert_int_eq(0, blk_image_open(&image, "test", SECTORS * 512));
	status = 0xee;
}

static void teardown(void)
{
	blk_image_close(&image);
}

/* Append [@p, @p + @len) to one side of the chain, in pieces of @piece. */
static void add(bool writable, void *p, size_t len, size_t piece)
{
	struct iovec *iov = writable ? chain.in : chain.out;
	unsigned int *nr = writable ? &chain.nr_in : &chain.nr_out;
	size_t n;

	*(writable ? &chain.in_bytes : &chain.out_bytes) += len;
	while (len) {
		n = len < piece ? len : piece;
		ck_assert_uint_lt(*nr, VQ_MAX_SEGS);
		iov[(*nr)++] = (struct iovec){ p, n };
		p = (char *)p + n;
		len -= n;
	}
}

static void begin(uint32_t type, uint64_t sector)
{
	memset(&chain, 0, sizeof(chain));
	hdr = (struct virtio_blk_outhdr){ .type = type, .sector = sector };
}

/* Header, readable and writable data, status; @data is used for both. */
static bool parse(uint32_t type, uint64_t sector, size_t out_len,
		  size_t in_len)
{
	begin(type, sector);
	add(false, &hdr, sizeof(hdr), SIZE_MAX);
	add(false, data, out_len, SIZE_MAX);
	add(true, data, in_len, SIZE_MAX);
	add(true, &status, 1, SIZE_MAX);
	return blk_req_parse(&req, &chain, &disk);
}

/* C4, C12, section 9: what is refused, and how */
static const struct parse_case {
	uint32_t type;
	uint64_t sector;
	size_t out_len, in_len;
	uint8_t status;
} parse_cases[] = {
	{ IN, 0, 0, 512, OK },
	{ IN, 0, 0, 0, OK },
	{ IN, SECTORS, 0, 0, OK },
	{ IN, SECTORS - 1, 0, 512, OK },
	{ IN, SECTORS, 0, 512, IOERR },
	{ IN, SECTORS - 1, 0, 1024, IOERR },
	{ IN, SECTORS + 1, 0, 0, IOERR },
	{ IN, UINT64_MAX, 0, 512, IOERR },
	{ IN, UINT64_MAX >> 9, 0, 512, IOERR },
	{ IN, 1ULL << 55, 0, 512, IOERR },	/* << 9 is 0 */
	{ IN, 0, 0, 511, IOERR },
	{ IN, 0, 0, 513, IOERR },
	{ IN, 0, 512, 512, IOERR },		/* wrong direction */
	{ IN, 0, 1, 512, IOERR },
	{ OUT, 0, 512, 0, OK },
	{ OUT, 0, 0, 0, OK },
	{ OUT, SECTORS, 512, 0, IOERR },
	{ OUT, UINT64_MAX, 512, 0, IOERR },
	{ OUT, 0, 100, 0, IOERR },
	{ OUT, 0, 512, 512, IOERR },		/* wrong direction */
	{ OUT, 0, 0, 512, IOERR },
	{ FLUSH, 0, 0, 0, OK },
	{ FLUSH, UINT64_MAX, 0, 0, OK },
	{ GET_ID, 0, 0, 20, OK },
	{ GET_ID, 0, 0, 0, OK },
	{ GET_ID, 0, 20, 20, IOERR },
	{ DISCARD, 0, 0, 0, IOERR },		/* no range */
	{ DISCARD, 0, 15, 0, IOERR },
	{ DISCARD, 0, 17, 0, IOERR },
	{ DISCARD, 0, 16 * (BLK_MAX_RANGES + 1), 0, IOERR },
	{ DISCARD, 0, 16, 16, IOERR },
	{ ZEROES, 0, 8, 0, IOERR },
	{ 2, 0, 0, 512, UNSUPP },
	{ 3, 0, 512, 0, UNSUPP },
	{ VIRTIO_BLK_T_SECURE_ERASE, 0, 16, 0, UNSUPP },
	{ 15, 0, 0, 0, UNSUPP },
	{ UINT32_MAX, 0, 512, 512, UNSUPP },
	{ VIRTIO_BLK_T_BARRIER, 0, 0, 512, UNSUPP },
};

START_TEST(parse_c4_c12)
{
	const struct parse_case *c = &parse_cases[_i];

	memset(data, 0, sizeof(data));
	ck_assert(parse(c->type, c->sector, c->out_len, c->in_len));
	ck_assert_uint_eq(c->status, req.status);
	ck_assert_uint_eq(c->status == OK, req.cost_ops);
	if (c->status != OK)
		ck_assert_uint_eq(0, req.cost_bytes);
	blk_req_run(&req, &disk, &image);
	ck_assert_uint_eq(c->status, status);
}
END_TEST

/* An image that must not be asked for anything */
static ssize_t no_preadv(int fd, const struct iovec *iov, int nr, off_t off)
{
	ck_abort_msg("backing IO for a refused request");
}

static int no_fallocate(int fd, int mode, off_t off, off_t len)
{
	ck_abort_msg("backing IO for a refused request");
}

static int no_fdatasync(int fd)
{
	ck_abort_msg("backing IO for a refused request");
}

static const struct blk_image_io no_io = {
	.preadv = no_preadv,
	.pwritev = no_preadv,
	.fallocate = no_fallocate,
	.fdatasync = no_fdatasync,
};

START_TEST(refused_requests_touch_nothing_c12)
{
	const struct parse_case *c = &parse_cases[_i];

	if (c->status == OK)
		return;
	image.io = &no_io;
	memset(data, 0x11, sizeof(data));
	ck_assert(parse(c->type, c->sector, c->out_len, c->in_len));
	blk_req_run(&req, &disk, &image);
	ck_assert_uint_eq(0x11, data[0]);
}
END_TEST

START_TEST(no_byte_for_status_c11)
{
	begin(IN, 0);
	ck_assert(!blk_req_parse(&req, &chain, &disk));
	begin(OUT, 0);
	add(false, &hdr, sizeof(hdr), SIZE_MAX);
	add(false, data, 512, SIZE_MAX);
	ck_assert(!blk_req_parse(&req, &chain, &disk));
}
END_TEST

/* section 9: short, or in writable memory, where it is only buffer */
START_TEST(short_header_is_an_error)
{
	size_t len = _i;

	begin(IN, 0);
	add(false, &hdr, len, SIZE_MAX);
	add(true, data, 512, SIZE_MAX);
	add(true, &status, 1, SIZE_MAX);
	ck_assert(blk_req_parse(&req, &chain, &disk));
	ck_assert_uint_eq(IOERR, req.status);
	/* 512 bytes before the status were not written: none are promised */
	ck_assert_uint_eq(0, blk_req_run(&req, &disk, &image).used_len);
	ck_assert_uint_eq(IOERR, status);
}
END_TEST

START_TEST(writable_header_is_an_error)
{
	begin(IN, 0);
	add(true, &hdr, sizeof(hdr), SIZE_MAX);
	add(true, &status, 1, SIZE_MAX);
	ck_assert(blk_req_parse(&req, &chain, &disk));
	ck_assert_uint_eq(IOERR, req.status);
}
END_TEST

/* C4: whether or not RO was acknowledged */
START_TEST(read_only_refuses_all_that_modifies_c4)
{
	const struct virtio_blk_discard_write_zeroes range = { 0, 1, 0 };
	const uint32_t types[] = { OUT, DISCARD, ZEROES };

	disk.read_only = true;
	if (_i / 3)
		disk.features |= 1ULL << VIRTIO_BLK_F_RO;
	image.io = &no_io;
	memcpy(data, &range, sizeof(range));
	ck_assert(parse(types[_i % 3], 0, _i % 3 ? 16 : 512, 0));
	ck_assert_uint_eq(IOERR, req.status);
	blk_req_run(&req, &disk, &image);
	image.io = &blk_image_host;
	ck_assert(parse(IN, 0, 0, 512));
	ck_assert_uint_eq(OK, req.status);
	ck_assert(parse(FLUSH, 0, 0, 0));
	ck_assert_uint_eq(OK, req.status);
}
END_TEST

START_TEST(not_negotiated_is_unsupported)
{
	disk.features = 0;
	memset(data, 0, 16);
	ck_assert(parse(_i ? DISCARD : ZEROES, 0, 16, 0));
	ck_assert_uint_eq(UNSUPP, req.status);
}
END_TEST

/* section 9: every range is checked before any is done */
static const struct range_case {
	uint32_t type;
	uint8_t status;
	unsigned int nr;
	struct virtio_blk_discard_write_zeroes ranges[3];
} range_cases[] = {
	{ DISCARD, OK, 2, { { 0, 8, 0 }, { 8, 56, 0 } } },
	{ DISCARD, OK, 1, { { SECTORS, 0, 0 } } },
	{ DISCARD, IOERR, 2, { { 0, 8, 0 }, { 8, 57, 0 } } },
	{ DISCARD, IOERR, 2, { { 0, 8, 0 }, { UINT64_MAX, 1, 0 } } },
	{ DISCARD, IOERR, 2, { { 0, 8, 0 }, { UINT64_MAX, UINT32_MAX, 0 } } },
	{ DISCARD, IOERR, 2, { { 0, 8, 0 }, { 1, UINT32_MAX, 0 } } },
	{ DISCARD, UNSUPP, 2, { { 0, 8, 0 }, { 0, 8, 1 } } },
	{ DISCARD, UNSUPP, 2, { { 0, 8, 0 }, { 0, 8, 2 } } },
	{ ZEROES, OK, 2, { { 0, 8, 0 }, { 0, 8, 1 } } },
	{ ZEROES, UNSUPP, 2, { { 0, 8, 1 }, { 0, 8, 2 } } },
	{ ZEROES, UNSUPP, 1, { { 0, 8, 0x80000001 } } },
	{ ZEROES, IOERR, 2, { { 0, 8, 1 }, { 60, 8, 1 } } },
};

START_TEST(ranges_are_all_or_nothing)
{
	const struct range_case *c = &range_cases[_i];

	/* something that a range done too early would wipe */
	memset(data, 0x42, sizeof(data));
	ck_assert(parse(OUT, 0, sizeof(data), 0));
	blk_req_run(&req, &disk, &image);

	memcpy(data, c->ranges, sizeof(c->ranges));
	ck_assert(parse(c->type, 0, c->nr * 16, 0));
	ck_assert_uint_eq(c->status, req.status);
	blk_req_run(&req, &disk, &image);
	ck_assert_uint_eq(c->status, status);
	if (c->status == OK && !c->ranges[0].num_sectors)
		return;
	ck_assert(parse(IN, 0, 0, 512));
	blk_req_run(&req, &disk, &image);
	ck_assert_uint_eq(c->status == OK ? 0 : 0x42, data[511]);
}
END_TEST

/* The largest range of each kind, on a disk that is larger still */
START_TEST(ranges_beyond_the_advertised_maximum_are_refused)
{
	const uint32_t max = _i ? BLK_MAX_DISCARD_SECTORS :
				  BLK_MAX_ZERO_SECTORS;
	struct virtio_blk_discard_write_zeroes r = { 0, max, 0 };

	disk.sectors = 1ULL << 40;
	memcpy(data, &r, sizeof(r));
	ck_assert(parse(_i ? DISCARD : ZEROES, 0, 16, 0));
	ck_assert_uint_eq(OK, req.status);
	r.num_sectors++;
	memcpy(data, &r, sizeof(r));
	ck_assert(parse(_i ? DISCARD : ZEROES, 0, 16, 0));
	ck_assert_uint_eq(IOERR, req.status);
}
END_TEST

/* Any split of header, data and status; the status joined to the data too */
START_TEST(any_split_works)
{
	static const size_t pieces[] = { 1, 3, 7, 15, 16, 17, 511, 512, 513,
					 SIZE_MAX };
	static uint8_t want[1025], got[1025];
	const size_t piece = pieces[_i];
	struct blk_result res;
	size_t i, data_piece = piece < 17 ? piece * 37 : piece;

	for (i = 0; i < sizeof(want); i++)
		want[i] = i * 7 + piece;
	begin(OUT, 3);
	add(false, &hdr, sizeof(hdr), piece);
	add(false, want, 1024, data_piece);
	add(true, &status, 1, piece);
	ck_assert(blk_req_parse(&req, &chain, &disk));
	ck_assert_uint_eq(OK, req.status);
	ck_assert_uint_eq(1024, req.cost_bytes);
	ck_assert_uint_eq(1, blk_req_run(&req, &disk, &image).used_len);

	begin(IN, 3);
	add(false, &hdr, sizeof(hdr), piece);
	add(true, got, 1025, data_piece); /* the last byte is the status */
	got[1024] = 0xee;
	ck_assert(blk_req_parse(&req, &chain, &disk));
	res = blk_req_run(&req, &disk, &image);
	ck_assert_uint_eq(1025, res.used_len);
	ck_assert_uint_eq(1024, res.moved_bytes);
	ck_assert_uint_eq(OK, got[1024]);
	ck_assert_mem_eq(want, got, 1024);
}
END_TEST

/* Header and data in one descriptor, at every boundary */
START_TEST(header_and_data_share_descriptors)
{
	static uint8_t both[16 + 512], got[512];
	const size_t cut = _i;

	memset(both, 0x33, sizeof(both));
	begin(OUT, 1);
	memcpy(both, &hdr, sizeof(hdr));
	add(false, both, cut, SIZE_MAX);
	add(false, both + cut, sizeof(both) - cut, SIZE_MAX);
	add(true, &status, 1, SIZE_MAX);
	ck_assert(blk_req_parse(&req, &chain, &disk));
	ck_assert_uint_eq(OK, req.status);
	ck_assert_uint_eq(512, req.data_bytes);
	blk_req_run(&req, &disk, &image);

	begin(IN, 1);
	add(false, &hdr, sizeof(hdr), SIZE_MAX);
	add(true, got, 512, SIZE_MAX);
	add(true, &status, 1, SIZE_MAX);
	ck_assert(blk_req_parse(&req, &chain, &disk));
	blk_req_run(&req, &disk, &image);
	ck_assert_mem_eq(both + 16, got, 512);
}
END_TEST

START_TEST(get_id_is_the_name)
{
	static const char want[20] = "data";
	struct blk_result res;

	memset(data, 0xff, 64);
	ck_assert(parse(GET_ID, 0, 0, 32));
	res = blk_req_run(&req, &disk, &image);
	ck_assert_uint_eq(20, res.used_len); /* 12 bytes were not written */
	ck_assert_mem_eq(want, data, 20);
	ck_assert_uint_eq(0xff, data[20]);
	ck_assert_uint_eq(OK, status);

	memset(data, 0xff, 64);
	ck_assert(parse(GET_ID, 0, 0, 3));
	res = blk_req_run(&req, &disk, &image);
	ck_assert_uint_eq(4, res.used_len);
	ck_assert_mem_eq("dat\xff", data, 4);
}
END_TEST

/* section 9: we use our copy, whatever becomes of the guest's */
START_TEST(changes_after_the_parse_have_no_effect)
{
	struct virtio_blk_discard_write_zeroes range = { 0, 8, 0 };

	ck_assert(parse(IN, 0, 0, 512));
	hdr.type = OUT;
	hdr.sector = UINT64_MAX;
	memset(data, 0x99, 512);
	blk_req_run(&req, &disk, &image);
	ck_assert_uint_eq(OK, status);
	ck_assert_uint_eq(0, data[0]);

	memcpy(data, &range, sizeof(range));
	ck_assert(parse(DISCARD, 0, 16, 0));
	range.num_sectors = UINT32_MAX;
	range.flags = UINT32_MAX;
	memcpy(data, &range, sizeof(range));
	blk_req_run(&req, &disk, &image);
	ck_assert_uint_eq(OK, status);
}
END_TEST

/* section 9: what the image answers */
static int fault_errno;
static ssize_t fault_bytes;

static ssize_t faulty_io(int fd, const struct iovec *iov, int nr, off_t off)
{
	if (fault_bytes) {
		ssize_t n = fault_bytes;

		fault_bytes = 0;
		return n;
	}
	errno = fault_errno;
	return fault_errno ? -1 : 0;
}

static int faulty_fallocate(int fd, int mode, off_t off, off_t len)
{
	errno = fault_errno;
	return -1;
}

static int faulty_fdatasync(int fd)
{
	errno = fault_errno;
	return -1;
}

static const struct blk_image_io faulty = {
	.preadv = faulty_io,
	.pwritev = faulty_io,
	.fallocate = faulty_fallocate,
	.fdatasync = faulty_fdatasync,
};

static const struct fault_case {
	uint32_t type;
	int err;	/* 0: end of file */
	ssize_t first;	/* bytes moved before it */
	uint32_t used_len;
} fault_cases[] = {
	{ IN, EIO, 0, 0 },	 { IN, 0, 0, 0 },  { IN, 0, 100, 100 },
	{ IN, EFAULT, 512, 512 }, { OUT, ENOSPC, 0, 1 }, { OUT, EIO, 100, 1 },
	{ OUT, 0, 512, 1 },	 { FLUSH, EIO, 0, 1 }, { DISCARD, EIO, 0, 1 },
	{ ZEROES, ENOSPC, 0, 1 },
};

START_TEST(image_faults_become_io_errors)
{
	const struct fault_case *c = &fault_cases[_i];
	const struct virtio_blk_discard_write_zeroes range = { 0, 8, 0 };
	size_t len = c->type == IN || c->type == OUT ? 1024 :
		     c->type == FLUSH ? 0 : 16;
	struct blk_result res;

	memcpy(data, &range, sizeof(range));
	image.io = &faulty;
	fault_errno = c->err;
	fault_bytes = c->first;
	ck_assert(parse(c->type, 0, c->type == IN ? 0 : len,
			c->type == IN ? len : 0));
	ck_assert_uint_eq(OK, req.status);
	res = blk_req_run(&req, &disk, &image);
	ck_assert_uint_eq(IOERR, status);
	ck_assert_int_eq(c->err ? -c->err : -EIO, res.err);
	ck_assert_uint_eq(c->used_len, res.used_len);
}
END_TEST

/* Short and interrupted calls go on where they stopped */
static unsigned int dribbles;

static ssize_t dribble(int fd, const struct iovec *iov, int nr, off_t off)
{
	struct iovec one = { iov->iov_base,
			     iov->iov_len < 100 ? iov->iov_len : 100 };

	if (dribbles++ % 3 == 1) {
		errno = EINTR;
		return -1;
	}
	return preadv(fd, &one, 1, off);
}

START_TEST(short_and_interrupted_reads_go_on)
{
	static const struct blk_image_io io = { .preadv = dribble };
	static uint8_t want[2048], got[2048];
	unsigned int i;

	for (i = 0; i < sizeof(want); i++)
		want[i] = i * 13;
	memcpy(data, want, sizeof(want));
	ck_assert(parse(OUT, 0, sizeof(want), 0));
	blk_req_run(&req, &disk, &image);
	image.io = &io;
	begin(IN, 0);
	add(false, &hdr, sizeof(hdr), SIZE_MAX);
	add(true, got, sizeof(got), 333);
	add(true, &status, 1, SIZE_MAX);
	ck_assert(blk_req_parse(&req, &chain, &disk));
	ck_assert_uint_eq(sizeof(got) + 1,
			  blk_req_run(&req, &disk, &image).used_len);
	ck_assert_mem_eq(want, got, sizeof(want));
}
END_TEST

/* The image is sealed: nobody can truncate it under us */
START_TEST(the_image_can_not_be_cut)
{
	ck_assert_int_eq(-1, ftruncate(image.fd, 0));
	ck_assert_int_eq(EPERM, errno);
	ck_assert_int_eq(-1, ftruncate(image.fd, SECTORS * 1024));
	ck_assert_int_eq(EPERM, errno);
}
END_TEST

#define NR(table) (sizeof(table) / sizeof((table)[0]))

int main(void)
{
	Suite *suite = suite_create("blk_req");
	TCase *tc = tcase_create("blk_req");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, parse_c4_c12, 0, NR(parse_cases));
	tcase_add_loop_test(tc, refused_requests_touch_nothing_c12, 0,
			    NR(parse_cases));
	tcase_add_test(tc, no_byte_for_status_c11);
	tcase_add_loop_test(tc, short_header_is_an_error, 0, 16);
	tcase_add_test(tc, writable_header_is_an_error);
	tcase_add_loop_test(tc, read_only_refuses_all_that_modifies_c4, 0, 6);
	tcase_add_loop_test(tc, not_negotiated_is_unsupported, 0, 2);
	tcase_add_loop_test(tc, ranges_are_all_or_nothing, 0,
			    NR(range_cases));
	tcase_add_loop_test(
		tc, ranges_beyond_the_advertised_maximum_are_refused, 0, 2);
	tcase_add_loop_test(tc, any_split_works, 0, 10);
	tcase_add_loop_test(tc, header_and_data_share_descriptors, 0, 528);
	tcase_add_test(tc, get_id_is_the_name);
	tcase_add_test(tc, changes_after_the_parse_have_no_effect);
	tcase_add_loop_test(tc, image_faults_become_io_errors, 0,
			    NR(fault_cases));
	tcase_add_test(tc, short_and_interrupted_reads_go_on);
	tcase_add_test(tc, the_image_can_not_be_cut);
	suite_add_tcase(suite, tc);

	return test_run(suite);
}
