// SPDX-License-Identifier: GPL-2.0-only
#include "runner/emu_slot.h"

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/path.h"
#include "runner/emu_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STORE_MAX (1ULL << 30)		/* above it, what no job uses goes */

static uint64_t io_deadline(void)
{
	return clock_now_ns() + EMU_CLIENT_NS;
}

/* Files that only the store links to are cached, not used. */
static void store_trim(void)
{
	char *const roots[] = { EMU_STORE_DIR, NULL };
	uint64_t total = 0;
	FTSENT *e;
	FTS *fts;

	for (int pass = 0; pass < 2; pass++) {
		fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
		if (!fts)
			return;
		while ((e = fts_read(fts))) {
			if (e->fts_info != FTS_F)
				continue;
			if (!pass)
				total += e->fts_statp->st_size;
			else if (e->fts_statp->st_nlink == 1)
				unlink(e->fts_path);
		}
		fts_close(fts);
		if (total <= STORE_MAX)
			return;
	}
}

/* Where a file of the job goes, its folder made. */
static int place(const struct emu_slot *s, const char *path,
		 char out[PATH_MAX])
{
	char *slash;
	int err;

	if (!emu_path_ok(path))
		return -EINVAL;
	if (snprintf(out, PATH_MAX, "%s/%s", s->dir, path) >= PATH_MAX)
		return -ENAMETOOLONG;
	slash = strrchr(out, '/');
	*slash = '\0';
	err = path_mkdirs(out);
	*slash = '/';
	return err;
}

struct wanted {
	const char *path, *sha256;	/* sha256 "": not for the store */
	json_int_t size;
	int exec;
};

static int wanted_parse(json_t *file, struct wanted *w)
{
	*w = (struct wanted){ .sha256 = "" };
	if (json_unpack(file, "{s:s, s:I, s?:s, s:b}", "path", &w->path,
			"size", &w->size, "sha256", &w->sha256, "exec",
			&w->exec))
		return -EPROTO;
	if (w->size < 0 || (*w->sha256 && strlen(w->sha256) != 64))
		return -EPROTO;
	return 0;
}

static void store_path(const char *sha256, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, EMU_STORE_DIR "/%s", sha256);
}

/*
 * A file that is in the store is linked at once, so that it stays. Return: 1
 * in place, 0 to be sent.
 */
static int link_stored(const struct emu_slot *s, const struct wanted *w)
{
	char from[PATH_MAX], to[PATH_MAX];
	int err = place(s, w->path, to);

	if (err)
		return err;
	if (!*w->sha256)
		return 0;
	store_path(w->sha256, from);
	if (!link(from, to))
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

static int receive_bytes(struct emu_slot *s, int fd, json_int_t size)
{
	struct emu_bytes_rx rx = { .fd = fd, .size = size, .left = size };
	uint64_t data_bytes = 0;

	while (rx.left) {
		struct frame f;
		int err = emu_link_recv(&s->link, &f, io_deadline());

		if (err > 0)
			err = emu_bytes_take(&rx, &f, &emu_bytes_in,
					     &data_bytes);
		if (err)
			return err;
	}
	return emu_bytes_end(&rx);
}

static int receive_file(struct emu_slot *s, const struct wanted *w)
{
	char to[PATH_MAX], stored[PATH_MAX];
	mode_t mode = w->exec || *w->sha256 ? 0755 : 0644;
	int fd, err = place(s, w->path, to);

	if (err)
		return err;
	fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	err = receive_bytes(s, fd, w->size);
	if (close(fd) && !err)
		err = -errno;
	if (err || !*w->sha256)
		return err;
	store_path(w->sha256, stored);
	/* Another slot may have stored the same just now. */
	if (link(to, stored) && errno != EEXIST)
		return -errno;
	return 0;
}

/* Does an earlier file of the job bring the same content? */
static bool comes_before(json_t *files, size_t index, const char *sha256)
{
	for (size_t i = 0; i < index; i++) {
		struct wanted w;

		if (!wanted_parse(json_array_get(files, i), &w) &&
		    !strcmp(w.sha256, sha256))
			return true;
	}
	return false;
}

static int receive_files(struct emu_slot *s, json_t *files)
{
	json_t *need = json_array(), *file, *index;
	struct wanted w;
	size_t i;
	int err = 0;

	json_array_foreach(files, i, file) {
		err = wanted_parse(file, &w);
		if (!err)
			err = link_stored(s, &w);
		if (err < 0)
			goto out;
		if (!err && !(*w.sha256 && comes_before(files, i, w.sha256)))
			json_array_append_new(need, json_integer(i));
	}
	err = emu_link_send_json(&s->link, EMU_MSG_NEED,
				 json_pack("{s:O}", "files", need),
				 io_deadline());
	json_array_foreach(need, i, index) {
		if (err)
			goto out;
		wanted_parse(json_array_get(files, json_integer_value(index)),
			     &w);
		err = receive_file(s, &w);
	}
	/* What an earlier file of this job has brought. */
	json_array_foreach(files, i, file) {
		if (err < 0)
			goto out;
		wanted_parse(file, &w);
		if (*w.sha256 && comes_before(files, i, w.sha256))
			err = link_stored(s, &w);
		if (err == -EEXIST)
			err = 0;
	}
	err = err < 0 ? err : 0;
out:
	json_decref(need);
	return err;
}

static int send_file(struct emu_slot *s, const char *host_path,
		     const char *path, const struct stat *st)
{
	int fd = open(host_path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = emu_link_send_json(&s->link, EMU_MSG_FILE,
				 json_pack("{s:s, s:I, s:i}", "path", path,
					   "size", (json_int_t)st->st_size,
					   "mode", st->st_mode & 0777),
				 io_deadline());
	if (!err)
		err = emu_bytes_send(&s->link, fd, st->st_size,
				     &emu_bytes_out, EMU_CLIENT_NS);
	close(fd);
	return err;
}

/* Every regular file below the job's output folder. */
static int send_out(struct emu_slot *s, const char *out)
{
	unsigned int count = 0;
	char dir[PATH_MAX + NAME_MAX];
	char *const roots[] = { dir, NULL };
	int err = 0;
	FTSENT *e;
	FTS *fts;

	if (out) {
		snprintf(dir, sizeof(dir), "%s/%s", s->dir, out);
		fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
		if (!fts)
			return -errno;
		while (!err && (e = fts_read(fts))) {
			if (e->fts_info != FTS_F)
				continue;
			err = send_file(s, e->fts_path,
					e->fts_path + strlen(dir) + 1,
					e->fts_statp);
			count++;
		}
		fts_close(fts);
	}
	if (err)
		return err;
	return emu_link_send_json(&s->link, EMU_MSG_DONE,
				  json_pack("{s:i}", "files", count),
				  io_deadline());
}

static int make_dirs(struct emu_slot *s, const char *out)
{
	char path[PATH_MAX];
	int err;

	path_remove_tree(s->dir);
	err = path_mkdirs(s->dir);
	if (err || !out)
		return err;
	err = place(s, out, path);
	if (!err && mkdir(path, 0755) && errno != EEXIST)
		err = -errno;
	return err;
}

/* Return: 0, or negative when the session is over. */
static int serve_job(struct emu_slot *s, json_t *job)
{
	const char *out = NULL;
	json_t *files, *argv, *exit_msg = NULL;
	int err;

	if (json_unpack(job, "{s:o, s:o, s?:s}", "argv", &argv, "files",
			&files, "out", &out))
		return -EPROTO;
	store_trim();
	err = make_dirs(s, out);
	if (!err)
		err = receive_files(s, files);
	if (!err)
		err = emu_slot_spawn(s, job, &exit_msg);
	if (!err)
		err = emu_link_send_json(&s->link, EMU_MSG_EXIT, exit_msg,
					 io_deadline());
	if (!err)
		err = send_out(s, out);
	path_remove_tree(s->dir);
	return err;
}

static int serve_session(struct emu_slot *s)
{
	for (;;) {
		struct frame f;
		json_t *job;
		int err = emu_link_recv(&s->link, &f,
					clock_now_ns() + NSEC_PER_SEC);

		if (err == -ETIMEDOUT)
			continue;
		if (err < 0)
			return err;
		if (f.type == EMU_MSG_SIGNAL) /* for a job that has ended */
			continue;
		if (f.type != EMU_MSG_JOB)
			return -EPROTO;
		job = emu_frame_json(&f);
		if (!job)
			return -EPROTO;
		err = serve_job(s, job);
		json_decref(job);
		if (err)
			return err;
	}
}

int emu_slot_main(unsigned int index, const char *port)
{
	/* An unconnected port polls as hung up: there is nothing to wait on. */
	const struct timespec pause = { .tv_nsec = 20 * NSEC_PER_MSEC };
	static struct emu_slot s;
	int fd, err;

	s.index = index;
	snprintf(s.dir, sizeof(s.dir), EMU_JOB_DIR "/%u", index);
	snprintf(s.cgroup, sizeof(s.cgroup), EMU_CGROUP_DIR "/slot%u", index);
	if (access(s.cgroup, F_OK))
		s.cgroup[0] = '\0';
	fd = open(port, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = emu_link_open(&s.link, fd);
	while (!err) {
		int ret = emu_link_welcome(&s.link,
					   clock_now_ns() + NSEC_PER_SEC);

		if (!ret) {
			ret = serve_session(&s);
			log_info("slot %u: session ended: %s", index,
				 strerror(-ret));
			emu_slot_kill(&s);
			path_remove_tree(s.dir);
		} else if (ret != -EAGAIN) {
			nanosleep(&pause, NULL);
		}
	}
	return err;
}
