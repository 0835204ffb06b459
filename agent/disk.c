// SPDX-License-Identifier: GPL-2.0-only
#include "agent/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/plan.h"
#include "agent/sysfile.h"

#define SYSFS_SECTOR_BYTES 512
#define MAX_DEVICES 64
#define DEV_NAME_MAX 32

struct device {
	char name[DEV_NAME_MAX];
	char serial[DISK_SERIAL_MAX + 1];
	uint64_t size_bytes;
};

struct device_list {
	struct device dev[MAX_DEVICES];
	unsigned int nr;
};

/* A device without a serial is none of ours. */
static int read_device(const char *sys_block, const char *name,
		       struct device *dev)
{
	char text[64];
	int err;

	if (strlen(name) >= sizeof(dev->name))
		return -ENAMETOOLONG;
	strcpy(dev->name, name);
	err = sysfile_read(text, sizeof(text), "%s/%s/serial", sys_block, name);
	if (err <= 0)
		return err ? err : -ENODATA;
	snprintf(dev->serial, sizeof(dev->serial), "%.*s", DISK_SERIAL_MAX,
		 text);
	err = sysfile_read(text, sizeof(text), "%s/%s/size", sys_block, name);
	if (err < 0)
		return err;
	dev->size_bytes = strtoull(text, NULL, 10) * SYSFS_SECTOR_BYTES;
	return 0;
}

static int list_devices(const char *sys_block, struct device_list *list)
{
	DIR *dir = opendir(sys_block);
	const struct dirent *entry;

	list->nr = 0;
	if (!dir)
		return -errno;
	while (list->nr < MAX_DEVICES && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, "vd", 2) &&
		    !read_device(sys_block, entry->d_name,
				 &list->dev[list->nr]))
			list->nr++;
	closedir(dir);
	return 0;
}

static void say_serials(const struct device_list *list, char *text, size_t len)
{
	unsigned int i;
	size_t at;

	at = snprintf(text, len, "%s", list->nr ? "" : " none");
	for (i = 0; i < list->nr && at < len; i++)
		at += snprintf(text + at, len - at, " %s=%s",
			       list->dev[i].name, list->dev[i].serial);
}

static int find_device(const struct device_list *list,
		       const struct plan_disk *disk, const struct device **dev,
		       char *err_msg, size_t err_len)
{
	const struct device *found = NULL, *d;
	char serials[256];

	for (d = list->dev; d < list->dev + list->nr; d++) {
		if (strncmp(d->serial, disk->name, DISK_SERIAL_MAX))
			continue;
		if (found) {
			snprintf(err_msg, err_len,
				 "disk %s: %s and %s both have its serial",
				 disk->name, found->name, d->name);
			return -EEXIST;
		}
		found = d;
	}
	if (!found) {
		say_serials(list, serials, sizeof(serials));
		snprintf(err_msg, err_len,
			 "disk %s: no device has its serial; there are:%s",
			 disk->name, serials);
		return -ENODEV;
	}
	if (found->size_bytes != disk->size_bytes) {
		snprintf(err_msg, err_len, "disk %s: %s has %" PRIu64
			 " bytes, not %" PRIu64, disk->name, found->name,
			 found->size_bytes, disk->size_bytes);
		return -EUCLEAN;
	}
	*dev = found;
	return 0;
}

static int make_link(const char *target_dir, const char *target,
		     const char *link_dir, const char *name)
{
	char from[PATH_MAX], to[PATH_MAX];

	if (snprintf(from, sizeof(from), "%s/%s", link_dir, name) >=
	    (int)sizeof(from) ||
	    snprintf(to, sizeof(to), "%s/%s", target_dir, target) >=
	    (int)sizeof(to))
		return -ENAMETOOLONG;
	if (unlink(from) && errno != ENOENT)
		return -errno;
	return symlink(to, from) ? -errno : 0;
}

static int make_dirs(const char *path)
{
	char part[PATH_MAX];
	char *end;

	if (snprintf(part, sizeof(part), "%s/", path) >= (int)sizeof(part))
		return -ENAMETOOLONG;
	for (end = strchr(part + 1, '/'); end; end = strchr(end + 1, '/')) {
		*end = '\0';
		if (mkdir(part, 0755) && errno != EEXIST)
			return -errno;
		*end = '/';
	}
	return 0;
}

int disks_link(const struct plan *plan, const struct disk_paths *paths,
	       char *err_msg, size_t err_len)
{
	const char *sys_block = paths && paths->sys_block ? paths->sys_block :
							    "/sys/block";
	const char *dev_dir = paths && paths->dev ? paths->dev : "/dev";
	const char *links = paths && paths->links ? paths->links : DISK_DIR;
	const struct plan_disk *disk = plan->disks;
	const struct device *dev;
	struct device_list list;
	int err;

	if (!plan->nr_disks)
		return 0;
	err = list_devices(sys_block, &list);
	if (err) {
		snprintf(err_msg, err_len, "list %s: %s", sys_block,
			 strerror(-err));
		return err;
	}
	err = make_dirs(links);
	for (; !err && disk < plan->disks + plan->nr_disks; disk++) {
		err = find_device(&list, disk, &dev, err_msg, err_len);
		if (err)
			return err;
		err = make_link(dev_dir, dev->name, links, disk->name);
	}
	if (err)
		snprintf(err_msg, err_len, "make links in %s: %s", links,
			 strerror(-err));
	return err;
}

int disk_open(const char *dir, const char *name, int flags, uint64_t *bytes)
{
	char path[PATH_MAX];
	struct stat st;
	int fd, err = 0;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, flags | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if (S_ISREG(st.st_mode))
		*bytes = st.st_size;
	else if (ioctl(fd, BLKGETSIZE64, bytes))
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}
