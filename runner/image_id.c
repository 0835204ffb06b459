// SPDX-License-Identifier: GPL-2.0-only
#include "runner/image_id.h"

#include "lib/clock.h"
#include "lib/log.h"

#include <sha256.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES 65536u

struct image_id {
	uint64_t size_bytes;
	int64_t mtime_ns;
	bool whole;
	char sha256[SHA256_DIGEST_STRING_LENGTH];
};

/* A file that is cut meanwhile ends early, and is another one then. */
static int hash_part(SHA2_CTX *sha, int fd, uint64_t from, uint64_t len)
{
	uint8_t buf[CHUNK_BYTES];

	while (len) {
		ssize_t n = pread(fd, buf, len < sizeof(buf) ? len :
				  sizeof(buf), from);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		SHA256Update(sha, buf, n);
		from += n;
		len -= n;
	}
	return 0;
}

static int hash_file(int fd, struct image_id *id)
{
	SHA2_CTX sha;
	int err;

	SHA256Init(&sha);
	if (id->whole) {
		err = hash_part(&sha, fd, 0, id->size_bytes);
	} else {
		err = hash_part(&sha, fd, 0, IMAGE_ID_PART);
		if (!err)
			err = hash_part(&sha, fd,
					id->size_bytes - IMAGE_ID_PART,
					IMAGE_ID_PART);
	}
	SHA256End(&sha, id->sha256);
	return err;
}

/* O_NONBLOCK: somebody may have put a FIFO there. */
static int read_id(const char *path, struct image_id *id)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = -EINVAL;
	if (!err) {
		id->size_bytes = st.st_size;
		id->mtime_ns = st.st_mtim.tv_sec * (int64_t)NSEC_PER_SEC +
			       st.st_mtim.tv_nsec;
		id->whole = id->size_bytes <= IMAGE_ID_WHOLE;
		err = hash_file(fd, id);
	}
	close(fd);
	return err;
}

void image_ids_note(json_t *plan)
{
	json_t *disk;
	size_t i;

	json_array_foreach(json_object_get(plan, "disks"), i, disk) {
		const char *path =
			json_string_value(json_object_get(disk, "image"));
		struct image_id id;
		int err;

		if (!path)
			continue;
		err = read_id(path, &id);
		if (err) {
			log_warn("image %s: %s", path, strerror(-err));
			continue;
		}
		json_object_set_new(disk, "image_id", json_pack(
			"{s:s, s:I, s:I, s:s, s:s}", "path", path, "size_bytes",
			(json_int_t)id.size_bytes, "mtime_ns",
			(json_int_t)id.mtime_ns, "sha256", id.sha256, "hashed",
			id.whole ? "whole" : "ends"));
	}
}

json_t *image_ids_of(const json_t *plan)
{
	json_t *ids = NULL, *disk, *id;
	size_t i;

	json_array_foreach(json_object_get(plan, "disks"), i, disk) {
		id = json_object_get(disk, "image_id");
		if (id && !ids)
			ids = json_object();
		if (id && ids)
			json_object_set(ids, json_string_value(
				json_object_get(disk, "name")), id);
	}
	return ids;
}

int image_id_check(const json_t *id, char *why, size_t why_len)
{
	const char *path = json_string_value(json_object_get(id, "path"));
	const char *sha256 = json_string_value(json_object_get(id, "sha256"));
	uint64_t size_bytes =
		json_integer_value(json_object_get(id, "size_bytes"));
	int64_t mtime_ns = json_integer_value(json_object_get(id, "mtime_ns"));
	struct image_id is;
	int err;

	if (!path || !sha256) {
		snprintf(why, why_len, "that run's is not told");
		return -EINVAL;
	}
	err = read_id(path, &is);
	if (err) {
		snprintf(why, why_len, "%s", strerror(-err));
		return err;
	}
	if (is.size_bytes != size_bytes) {
		snprintf(why, why_len, "it has %" PRIu64
			 " bytes, that run's had %" PRIu64, is.size_bytes,
			 size_bytes);
		return -EMSGSIZE;
	}
	if (strcmp(is.sha256, sha256))
		snprintf(why, why_len,
			 "its SHA-256 is %.12s..., that run's was %.12s...",
			 is.sha256, sha256);
	else if (!is.whole && is.mtime_ns != mtime_ns)
		snprintf(why, why_len, "it was written to since");
	else
		return 0;
	return -EBADMSG;
}
