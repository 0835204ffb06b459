// SPDX-License-Identifier: GPL-2.0-only
#include "agent/sysfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int read_text(char *buf, size_t cap, const char *path)
{
	size_t len = 0;
	ssize_t n;
	int fd, err = 0;

	buf[0] = '\0';
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (len < cap - 1) {
		n = read(fd, buf + len, cap - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = -errno;
		if (n <= 0)
			break;
		len += n;
	}
	close(fd);
	if (err)
		len = 0;
	if (len && buf[len - 1] == '\n')
		len--;
	buf[len] = '\0';
	return err ? err : (int)len;
}

static int read_vpath(char *buf, size_t cap, const char *fmt, va_list ap)
{
	char path[PATH_MAX];
	int n = vsnprintf(path, sizeof(path), fmt, ap);

	buf[0] = '\0';
	if (n < 0 || n >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return read_text(buf, cap, path);
}

int sysfile_read(char *buf, size_t cap, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = read_vpath(buf, cap, fmt, ap);
	va_end(ap);
	return n;
}

int sysfile_read_int(int *value, const char *fmt, ...)
{
	char buf[32], *end;
	va_list ap;
	long v;
	int n;

	va_start(ap, fmt);
	n = read_vpath(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n < 0)
		return n;
	errno = 0;
	v = strtol(buf, &end, 10);
	if (end == buf || *end || errno || v < INT_MIN || v > INT_MAX)
		return -EINVAL;
	*value = v;
	return 0;
}

int sysfile_write(const char *path, const char *text)
{
	size_t len = strlen(text);
	ssize_t n;
	int fd, err = 0;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	if (n < 0)
		err = -errno;
	else if ((size_t)n != len)
		err = -EIO;
	close(fd);
	return err;
}

int sysfile_parse_list(const char *text, cpu_set_t *set)
{
	cpu_set_t result;
	char *end;

	CPU_ZERO(&result);
	while (*text) {
		unsigned long first, last;

		if (*text < '0' || *text > '9')
			return -EINVAL;
		first = strtoul(text, &end, 10);
		last = first;
		if (*end == '-') {
			text = end + 1;
			if (*text < '0' || *text > '9')
				return -EINVAL;
			last = strtoul(text, &end, 10);
		}
		if (last < first)
			return -EINVAL;
		if (last >= CPU_SETSIZE)
			return -ERANGE;
		for (; first <= last; first++)
			CPU_SET(first, &result);
		if (*end == ',' && end[1])
			end++;
		else if (*end)
			return -EINVAL;
		text = end;
	}
	*set = result;
	return 0;
}
