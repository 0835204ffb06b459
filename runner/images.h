/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The files that a run's disks begin as, from before its VM is made until after
 * it is gone. Used by the launcher.
 */
#ifndef KTSTR_RUNNER_IMAGES_H
#define KTSTR_RUNNER_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#define IMAGES_MAX 8
/* What is sent to the emulated host, holes not counted. */
#define IMAGES_SEND_MAX (1ULL << 30)

struct image {
	unsigned int disk;	/* index in the plan */
	const char *path;	/* borrowed from the plan */
	int fd;			/* owned; holds the lock */
	uint64_t size_bytes;
	bool keep;		/* the guest's writes are to be in the file */
};

struct images {
	struct image v[IMAGES_MAX];
	unsigned int nr;
};

/**
 * images_open() - open and lock what the plan's disks name
 * @plan: outlives @im
 * @im: for images_close(), also after an error
 *
 * A file whose writes are kept is locked against all others, one that is only
 * read against those. The VM process inherits descriptors and locks.
 *
 * Return: 0; -EBUSY somebody has it locked; -ESTALE it has changed its size
 * since the scenario was checked; -errno. A line in @err_msg.
 */
int images_open(json_t *plan, struct images *im, char *err_msg,
		size_t err_len);
void images_close(struct images *im);

/** image_name() - "disk-N": of the file in IN or OUT */
const char *image_name(const struct image *image, char buf[16]);
/** image_path() - as which it can be opened again, here and in the child */
const char *image_path(const struct image *image, char buf[32]);

/** images_link() - links to them in the folder IN. Return: 0 or -errno. */
int images_link(const struct images *im, const char *dir);

/** images_data_bytes() - what would have to be sent; holes are not counted */
uint64_t images_data_bytes(const struct images *im);

/**
 * images_take_back() - write what came back into the files
 * @out_dir: has disk-N for each that is kept; removed
 *
 * Only what differs is written, and zeroes are given back as holes. One of the
 * wrong size came in part: it is left alone.
 *
 * Return: 0; -ENOENT one did not come back, whole; -errno. A line in @err_msg.
 */
int images_take_back(const struct images *im, const char *out_dir,
		     char *err_msg, size_t err_len);

#endif
