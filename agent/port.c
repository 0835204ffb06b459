// SPDX-License-Identifier: GPL-2.0-only
#include "agent/port.h"

#include "agent/sysfile.h"
#include "lib/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIND_INTERVAL_NS (5 * NSEC_PER_MSEC)
#define AWAY_NS (20 * NSEC_PER_MSEC)

int port_find(const char *sys_root, const char *name, char node[32])
{
	char dir[PATH_MAX], text[64];
	struct dirent *d;
	int err = -ENOENT;
	DIR *ports;

	snprintf(dir, sizeof(dir), "%s/sys/class/virtio-ports", sys_root);
	ports = opendir(dir);
	if (!ports)
		return -errno;
	while (err && (d = readdir(ports))) {
		if (d->d_name[0] == '.' || strlen(d->d_name) >= 32)
			continue;
		if (sysfile_read(text, sizeof(text), "%s/%s/name", dir,
				 d->d_name) < 0 || strcmp(text, name))
			continue;
		strcpy(node, d->d_name);
		err = 0;
	}
	closedir(ports);
	return err;
}

void port_init(struct port *p, int fd)
{
	*p = (struct port){ .fd = fd };
	frame_reader_init(&p->rx);
	if (fd >= 0)
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

int port_open(struct port *p, uint64_t timeout_ns)
{
	const struct timespec pause = clock_to_timespec(FIND_INTERVAL_NS);
	uint64_t end = clock_now_ns() + timeout_ns;
	char node[32], path[48];
	int fd;

	port_init(p, -1);
	while (1) {
		int err = port_find("", KTSTR_PORT_NAME, node);

		if (!err) {
			snprintf(path, sizeof(path), "/dev/%s", node);
			fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
			if (fd >= 0)
				break;
			err = -errno;
		}
		/* The name, and then the node, come after the device. */
		if (err != -ENOENT)
			return err;
		if (clock_now_ns() >= end)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	port_init(p, fd);
	return 0;
}

void port_close(struct port *p)
{
	if (p->fd >= 0)
		close(p->fd);
	free(p->tx);
	frame_reader_fini(&p->rx);
	*p = (struct port){ .fd = -1 };
}

static int tx_reserve(struct port *p, size_t more)
{
	size_t need = p->tx_len + more, cap = p->tx_cap ? p->tx_cap : 65536;
	uint8_t *tx;

	if (need <= p->tx_cap)
		return 0;
	while (cap < need)
		cap *= 2;
	tx = realloc(p->tx, cap);
	if (!tx)
		return -ENOMEM;
	p->tx = tx;
	p->tx_cap = cap;
	return 0;
}

static void tx_write(struct port *p)
{
	size_t done = 0;

	while (p->fd >= 0 && done < p->tx_len) {
		ssize_t n = write(p->fd, p->tx + done, p->tx_len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += n;
	}
	if (!done)
		return;
	memmove(p->tx, p->tx + done, p->tx_len - done);
	p->tx_len -= done;
}

int port_send(struct port *p, uint16_t type, const void *payload, size_t len)
{
	bool chatter = type == KTSTR_MSG_LOG || type == KTSTR_MSG_KMSG;
	size_t max = chatter ? PORT_TX_CHATTER : PORT_TX_MAX;
	struct ktstr_frame_hdr hdr;
	int err;

	/* A frame that is dropped takes no number: a gap would mean loss. */
	err = frame_hdr_fill(&hdr, type, p->tx_seq, payload, len);
	if (err)
		return err;
	if (p->tx_len + sizeof(hdr) + len > max)
		err = -ENOBUFS;
	else
		err = tx_reserve(p, sizeof(hdr) + len);
	if (err) {
		p->dropped++;
		return err;
	}
	memcpy(p->tx + p->tx_len, &hdr, sizeof(hdr));
	if (len)
		memcpy(p->tx + p->tx_len + sizeof(hdr), payload, len);
	p->tx_len += sizeof(hdr) + len;
	p->tx_seq++;
	tx_write(p);
	return 0;
}

int port_send_json(struct port *p, uint16_t type, json_t *body)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	int err = -ENOMEM;

	if (text)
		err = port_send(p, type, text, strlen(text));
	free(text);
	json_decref(body);
	return err;
}

uint64_t port_poll(const struct port *p, uint64_t now_ns, struct pollfd *pfd)
{
	*pfd = (struct pollfd){ .fd = p->fd };
	if (now_ns < p->retry_ns) {
		pfd->fd = -1;
		return p->retry_ns;
	}
	pfd->events = (p->rx_broken ? 0 : POLLIN) | (p->tx_len ? POLLOUT : 0);
	return 0;
}

static void rx_read(struct port *p)
{
	uint8_t buf[4096];

	while (!p->rx_broken) {
		ssize_t n = read(p->fd, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (frame_reader_feed(&p->rx, buf, n))
			p->rx_broken = true;
		if (n < (ssize_t)sizeof(buf))
			break;
	}
}

void port_io(struct port *p, short revents, uint64_t now_ns)
{
	if (revents & POLLOUT)
		tx_write(p);
	if (revents & POLLIN)
		rx_read(p);
	/* poll(2) would say so again at once, for as long as it lasts. */
	if (revents & (POLLHUP | POLLERR | POLLNVAL))
		p->retry_ns = now_ns + AWAY_NS;
}

int port_next(struct port *p, struct frame *f)
{
	int ret = p->rx_broken ? 0 : frame_reader_next(&p->rx, f);

	if (ret < 0)
		p->rx_broken = true;
	return ret;
}

int port_flush(struct port *p, uint64_t timeout_ns)
{
	uint64_t end = clock_now_ns() + timeout_ns;

	while (p->fd >= 0 && p->tx_len) {
		struct pollfd pfd = { .fd = p->fd, .events = POLLOUT };
		const struct timespec away = clock_to_timespec(AWAY_NS);
		uint64_t now = clock_now_ns();

		if (now >= end)
			return -ETIMEDOUT;
		if (poll(&pfd, 1, (end - now) / NSEC_PER_MSEC + 1) < 0 &&
		    errno != EINTR)
			return -errno;
		if (pfd.revents & POLLHUP)
			nanosleep(&away, NULL);
		tx_write(p);
	}
	return 0;
}
