// SPDX-License-Identifier: GPL-2.0-only
#include "agent/load.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/plan.h"
#include "lib/clock.h"

#define SECTOR_BYTES 512
#define BUF_ALIGN 4096
#define ERROR_PAUSE_NS NSEC_PER_MSEC	/* a broken disk must not cost a CPU */

static int io_alloc(struct load *l, uint64_t bytes)
{
	int err = posix_memalign(&l->buf, BUF_ALIGN, bytes);

	return err ? load_fail(l, "alloc buffer", -err) : 0;
}

/* One call on the disk, of one request at a time. */
struct io {
	uint64_t offset, bytes;	/* no bytes: a flush */
	bool write;
	uint32_t gen;		/* stamp_freeze_gen() before the call */
	uint64_t submit_ns;
};

static void io_begin(struct load *l, struct io *io)
{
	io->gen = stamp_freeze_gen(&l->stamp);
	io->submit_ns = clock_now_ns();
}

static struct ktstr_cell *io_stamp(struct load *l, const struct io *io,
				   uint64_t return_ns)
{
	struct ktstr_io_event event = {
		.sector = io->offset / SECTOR_BYTES,
		.submit_ns = io->submit_ns,
		.return_ns = return_ns,
		.bytes = io->bytes,
		.write = io->write,
	};
	struct ktstr_cell *cell;

	cell = stamp_io_at(&l->stamp, io->submit_ns, io->gen, io->bytes,
			   return_ns, sched_getcpu());
	/* a flush has no sector to know it by */
	if (io->bytes)
		stamp_io_event(&l->stamp, &event, io->gen);
	return cell;
}

/*
 * The call has returned. An error is no progress: a worker on a broken disk is
 * to look stuck, not busy.
 */
static struct ktstr_cell *io_done(struct load *l, const struct io *io,
				  ssize_t moved)
{
	const struct timespec pause = { .tv_nsec = ERROR_PAUSE_NS };
	uint64_t return_ns = clock_now_ns();

	if (moved == (ssize_t)io->bytes)
		return io_stamp(l, io, return_ns);
	if (moved >= 0 || errno != EINTR) {
		stamp_io_error(&l->stamp);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

/* The first parameter of every kind here. */
enum { BLOCK_BYTES };

/* --- io_rand_read --- */

static int rand_read_setup(struct load *l)
{
	if (l->disk_bytes < l->param[BLOCK_BYTES])
		return load_fail(l, "disk below one block", -ENOSPC);
	return io_alloc(l, l->param[BLOCK_BYTES]);
}

static int rand_read_run(struct load *l)
{
	uint64_t block_bytes = l->param[BLOCK_BYTES];
	uint64_t blocks = l->disk_bytes / block_bytes;
	struct io io = { .bytes = block_bytes };
	ssize_t moved;

	while (!load_stopping(l)) {
		io.offset = rng_below(&l->rng, blocks) * block_bytes;
		io_begin(l, &io);
		moved = pread(l->disk_fd, l->buf, block_bytes, io.offset);
		stamp_iteration(io_done(l, &io, moved));
	}
	return 0;
}

const struct load_kind load_kind_io_rand_read = {
	.spec = &load_specs[LOAD_IO_RAND_READ],
	.setup = rand_read_setup,
	.run = rand_read_run,
};

/* --- writing --- */

/* Where a sequential writer is: round and round in its share of the disk. */
struct writer {
	uint64_t first;		/* byte of the disk */
	uint64_t blocks;	/* of the share */
	uint64_t next;		/* block of the share */
};

static struct writer writer_of(const struct load *l)
{
	uint64_t block_bytes = l->param[BLOCK_BYTES];
	uint64_t blocks = l->disk_bytes / block_bytes / l->workload->workers;

	return (struct writer){ .first = l->index * blocks * block_bytes,
				.blocks = blocks };
}

/* Bytes that no layer below takes for a hole. */
static void fill(struct load *l)
{
	uint64_t *word = l->buf, i;

	for (i = 0; i < l->param[BLOCK_BYTES] / sizeof(*word); i++)
		word[i] = rng_next(&l->rng);
}

static int write_setup(struct load *l)
{
	int err;

	if (!writer_of(l).blocks)
		return load_fail(l, "share below one block", -ENOSPC);
	err = io_alloc(l, l->param[BLOCK_BYTES]);
	if (!err)
		fill(l);
	return err;
}

static struct ktstr_cell *write_next(struct load *l, struct writer *w)
{
	uint64_t block_bytes = l->param[BLOCK_BYTES];
	struct io io = {
		.offset = w->first + w->next * block_bytes,
		.bytes = block_bytes,
		.write = true,
	};

	w->next = (w->next + 1) % w->blocks;
	io_begin(l, &io);
	return io_done(l, &io,
		       pwrite(l->disk_fd, l->buf, block_bytes, io.offset));
}

static int seq_write_run(struct load *l)
{
	struct writer w = writer_of(l);

	while (!load_stopping(l))
		stamp_iteration(write_next(l, &w));
	return 0;
}

const struct load_kind load_kind_io_seq_write = {
	.spec = &load_specs[LOAD_IO_SEQ_WRITE],
	.setup = write_setup,
	.run = seq_write_run,
};

/* --- io_sync_write --- */

enum { SYNC_WRITES = BLOCK_BYTES + 1 };

/* An operation of no bytes: the disk flushes. */
static struct ktstr_cell *sync_now(struct load *l)
{
	struct io io = { .write = true };

	io_begin(l, &io);
	return io_done(l, &io, fdatasync(l->disk_fd));
}

static int sync_write_run(struct load *l)
{
	struct writer w = writer_of(l);
	uint64_t i;

	while (!load_stopping(l)) {
		for (i = 0; i < l->param[SYNC_WRITES] && !load_stopping(l); i++)
			write_next(l, &w);
		if (!load_stopping(l))
			stamp_iteration(sync_now(l));
	}
	return 0;
}

const struct load_kind load_kind_io_sync_write = {
	.spec = &load_specs[LOAD_IO_SYNC_WRITE],
	.setup = write_setup,
	.run = sync_write_run,
};
