// SPDX-License-Identifier: GPL-2.0-only
#include "lib/sha256.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Source: the examples of FIPS 180-4, and coreutils' sha256sum. */
static const struct {
	const char *text;
	unsigned int times;
	const char *hex;
} vectors[] = {
	{ "", 1,
	  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "abc", 1,
	  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
	  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	{ "a", 1000000,
	  "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
	{ "0123456789", 10, /* a piece across every block boundary */
	  "9cfe7faff7054298ca87557e15a10262de8d3eee77827417fbdfea1c41b9ec23" },
};

START_TEST(digest_matches_the_published_one)
{
	char hex[SHA256_HEX_LEN];
	struct sha256 s;

	sha256_init(&s);
	for (unsigned int i = 0; i < vectors[_i].times; i++)
		sha256_update(&s, vectors[_i].text, strlen(vectors[_i].text));
	sha256_final(&s, hex);
	ck_assert_str_eq(vectors[_i].hex, hex);
}
END_TEST

START_TEST(every_length_gives_the_same_in_one_piece_or_many)
{
	uint8_t data[200];
	char whole[SHA256_HEX_LEN], pieces[SHA256_HEX_LEN];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * 7;
	for (size_t len = 0; len <= sizeof(data); len++) {
		struct sha256 s;

		sha256_buf(data, len, whole);
		sha256_init(&s);
		for (size_t i = 0; i < len; i++)
			sha256_update(&s, data + i, 1);
		sha256_final(&s, pieces);
		ck_assert_str_eq(whole, pieces);
	}
}
END_TEST

START_TEST(file_digest_ignores_and_keeps_the_position)
{
	int fd = memfd_create("sha256", 0);
	char hex[SHA256_HEX_LEN];

	ck_assert_int_eq(3, write(fd, "abc", 3));
	ck_assert_int_eq(0, sha256_fd(fd, hex));
	ck_assert_str_eq(vectors[1].hex, hex);
	ck_assert_int_eq(3, lseek(fd, 0, SEEK_CUR));
	close(fd);
	ck_assert_int_lt(sha256_fd(fd, hex), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sha256");
	TCase *tc = tcase_create("sha256");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, digest_matches_the_published_one, 0,
			    sizeof(vectors) / sizeof(vectors[0]));
	tcase_add_test(tc, every_length_gives_the_same_in_one_piece_or_many);
	tcase_add_test(tc, file_digest_ignores_and_keeps_the_position);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
