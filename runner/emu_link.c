// SPDX-License-Identifier: GPL-2.0-only
#include "runner/emu_link.h"

#include "lib/clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define HDR_LEN sizeof(struct ktstr_frame_hdr)
#define NONCE_LEN 16
#define ABORT_NS (100 * NSEC_PER_MSEC)

int emu_link_open(struct emu_link *l, int fd)
{
	*l = (struct emu_link){ .fd = fd, .last_rx_ns = clock_now_ns() };
	frame_reader_init(&l->rx);
	l->tx_buf = malloc(HDR_LEN + EMU_FRAME_MAX);
	if (l->tx_buf)
		return 0;
	emu_link_close(l);
	return -ENOMEM;
}

void emu_link_close(struct emu_link *l)
{
	frame_reader_fini(&l->rx);
	free(l->tx_buf);
	if (l->fd >= 0)
		close(l->fd);
	*l = (struct emu_link){ .fd = -1 };
}

int emu_link_wait(struct emu_link *l, short events, uint64_t deadline_ns)
{
	struct pollfd p = { .fd = l->fd, .events = events };
	int n;

	do {
		uint64_t now = clock_now_ns(), left;
		struct timespec ts;

		if (l->abort && l->abort(l->abort_ctx))
			return -ECANCELED;
		/*
		 * Too late, for whoever was stopped meanwhile as well: what is
		 * there is not late for that.
		 */
		if (now >= deadline_ns) {
			n = poll(&p, 1, 0);
			if (!n)
				return -ETIMEDOUT;
			break;
		}
		left = deadline_ns - now;
		if (l->abort && left > ABORT_NS)
			left = ABORT_NS;
		ts = clock_to_timespec(left);
		n = ppoll(&p, 1, &ts, NULL);
	} while (!n);
	if (n < 0)
		return -errno;
	/* Data that came before the other side left is still read. */
	if (p.revents & events)
		return 0;
	return -EPIPE;
}

/* The port in the guest is no socket; on a socket SIGPIPE must not come. */
static ssize_t write_some(int fd, const uint8_t *p, size_t len)
{
	ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

	if (n < 0 && errno == ENOTSOCK)
		n = write(fd, p, len);
	return n;
}

static int write_bytes(struct emu_link *l, const uint8_t *p, size_t len,
		       uint64_t deadline_ns)
{
	while (len) {
		ssize_t n = write_some(l->fd, p, len);
		int err;

		if (n > 0) {
			p += n;
			len -= n;
			continue;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return errno == ECONNRESET ? -EPIPE : -errno;
		err = emu_link_wait(l, POLLOUT, deadline_ns);
		if (err && err != -EINTR)
			return err;
	}
	return 0;
}

int emu_link_send(struct emu_link *l, uint16_t type, const void *payload,
		  size_t len, uint64_t deadline_ns)
{
	struct ktstr_frame_hdr hdr;
	int err;

	if (len > EMU_FRAME_MAX)
		return -EMSGSIZE;
	err = frame_hdr_fill(&hdr, type, l->tx_seq, payload, len);
	if (err)
		return err;
	memcpy(l->tx_buf, &hdr, HDR_LEN);
	if (len)
		memcpy(l->tx_buf + HDR_LEN, payload, len);
	err = write_bytes(l, l->tx_buf, HDR_LEN + len, deadline_ns);
	if (!err)
		l->tx_seq++;
	return err;
}

int emu_link_send_json(struct emu_link *l, uint16_t type, json_t *obj,
		       uint64_t deadline_ns)
{
	char *text = obj ? json_dumps(obj, JSON_COMPACT) : NULL;
	int err = -ENOMEM;

	if (text)
		err = emu_link_send(l, type, text, strlen(text), deadline_ns);
	free(text);
	json_decref(obj);
	return err;
}

/* One read into the reader. 0: something came, or a retry may help. */
static int fill(struct emu_link *l)
{
	uint8_t buf[EMU_FRAME_MAX];
	ssize_t n = read(l->fd, buf, sizeof(buf));

	if (n > 0) {
		l->last_rx_ns = clock_now_ns();
		return frame_reader_feed(&l->rx, buf, n);
	}
	if (!n || errno == ECONNRESET)
		return -EPIPE;
	return errno == EINTR ? -EAGAIN : -errno;
}

int emu_link_next(struct emu_link *l, struct frame *f)
{
	int ret = frame_reader_next(&l->rx, f);

	if (ret)
		return ret;
	ret = fill(l);
	if (ret == -EAGAIN)
		return 0;
	if (ret)
		return ret;
	return frame_reader_next(&l->rx, f);
}

int emu_link_recv(struct emu_link *l, struct frame *f, uint64_t deadline_ns)
{
	for (;;) {
		int ret = emu_link_next(l, f);

		if (ret)
			return ret;
		ret = emu_link_wait(l, POLLIN, deadline_ns);
		if (ret && ret != -EINTR)
			return ret;
	}
}

/* The next sound frame of @type, whatever comes before it. */
static int hunt(struct emu_link *l, uint16_t type, struct frame *f,
		uint64_t deadline_ns)
{
	for (;;) {
		int err;

		while (frame_reader_hunt(&l->rx, type)) {
			int ret = frame_reader_next(&l->rx, f);

			if (ret > 0)
				return 0;
			if (!ret)
				break; /* its payload is still on the way */
			l->rx.consumed = 1; /* only looked like a header */
		}
		err = fill(l);
		if (err == -EAGAIN)
			err = emu_link_wait(l, POLLIN, deadline_ns);
		if (err && err != -EINTR)
			return err;
	}
}

static int nonce_make(char nonce[NONCE_LEN + 1])
{
	uint64_t r;

	if (getrandom(&r, sizeof(r), 0) != sizeof(r))
		return -errno;
	snprintf(nonce, NONCE_LEN + 1, "%016llx", (unsigned long long)r);
	return 0;
}

int emu_link_greet(struct emu_link *l, uint64_t deadline_ns)
{
	char nonce[NONCE_LEN + 1];
	struct frame f;
	int err = nonce_make(nonce);

	if (err)
		return err;
	memset(l->tx_buf, 0, HDR_LEN + EMU_FRAME_MAX);
	err = write_bytes(l, l->tx_buf, HDR_LEN + EMU_FRAME_MAX, deadline_ns);
	if (!err)
		err = emu_link_send(l, EMU_MSG_HELLO, nonce, NONCE_LEN,
				    deadline_ns);
	while (!err) {
		err = hunt(l, EMU_MSG_WELCOME, &f, deadline_ns);
		if (!err && f.len == NONCE_LEN &&
		    !memcmp(f.payload, nonce, NONCE_LEN))
			break;
	}
	return err;
}

int emu_link_welcome(struct emu_link *l, uint64_t deadline_ns)
{
	struct frame f;
	int err = hunt(l, EMU_MSG_HELLO, &f, deadline_ns);

	if (err == -ETIMEDOUT)
		return -EAGAIN;
	if (err)
		return err;
	l->tx_seq = 0;
	return emu_link_send(l, EMU_MSG_WELCOME, f.payload, f.len,
			     clock_now_ns() + 10 * NSEC_PER_SEC);
}

json_t *emu_frame_json(const struct frame *f)
{
	return json_loadb((const char *)f->payload, f->len, 0, NULL);
}

bool emu_path_ok(const char *path)
{
	if (strlen(path) >= PATH_MAX / 2)
		return false;
	for (;;) {
		size_t n = strcspn(path, "/");

		if (!n || (n == 1 && path[0] == '.') ||
		    (n == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		if (!path[n])
			return true;
		path += n + 1;
	}
}
