// SPDX-License-Identifier: GPL-2.0-only
#include "runner/emu_bytes.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/path.h"
#include "lib/sparse.h"

const struct emu_bytes_types emu_bytes_in = { EMU_MSG_DATA, EMU_MSG_HOLE };
const struct emu_bytes_types emu_bytes_out = { EMU_MSG_FILE_DATA,
					       EMU_MSG_FILE_HOLE };

static int send_hole(struct emu_link *l, uint64_t len, uint16_t type,
		     uint64_t limit_ns)
{
	const uint64_t le = htole64(len);

	if (!len)
		return 0;
	return emu_link_send(l, type, &le, sizeof(le),
			     clock_now_ns() + limit_ns);
}

static int send_data(struct emu_link *l, int fd, uint64_t off, uint64_t end,
		     uint16_t type, uint64_t limit_ns)
{
	uint8_t buf[EMU_FRAME_MAX];

	while (off < end) {
		size_t want = end - off < sizeof(buf) ? end - off : sizeof(buf);
		ssize_t n = pread(fd, buf, want, off);
		int err;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		err = emu_link_send(l, type, buf, n,
				    clock_now_ns() + limit_ns);
		if (err)
			return err;
		off += n;
	}
	return 0;
}

int emu_bytes_send(struct emu_link *l, int fd, uint64_t size,
		   const struct emu_bytes_types *types, uint64_t limit_ns)
{
	uint64_t at = 0, start, stop;
	int err = 0;

	while (!err && at < size) {
		err = sparse_next(fd, at, size, &start, &stop);
		if (!err)
			err = send_hole(l, start - at, types->hole, limit_ns);
		if (!err)
			err = send_data(l, fd, start, stop, types->data,
					limit_ns);
		at = stop;
	}
	/* what was cut off looks like a hole */
	if (!err && lseek(fd, 0, SEEK_END) < (off_t)size)
		err = -ENODATA;
	return err;
}

static int take_hole(struct emu_bytes_rx *rx, const struct frame *f)
{
	uint64_t len;

	if (f->len != sizeof(len))
		return -EPROTO;
	memcpy(&len, f->payload, sizeof(len));
	len = le64toh(len);
	if (len > rx->left)
		return -EPROTO;
	if (lseek(rx->fd, len, SEEK_CUR) < 0)
		return -errno;
	rx->left -= len;
	return 0;
}

int emu_bytes_take(struct emu_bytes_rx *rx, const struct frame *f,
		   const struct emu_bytes_types *types, uint64_t *data_bytes)
{
	int err;

	if (f->type == types->hole)
		return take_hole(rx, f);
	if (f->type != types->data || f->len > rx->left)
		return -EPROTO;
	err = write_all(rx->fd, f->payload, f->len);
	if (err)
		return err;
	rx->left -= f->len;
	*data_bytes += f->len;
	return 0;
}

int emu_bytes_end(struct emu_bytes_rx *rx)
{
	if (rx->left)
		return -EPROTO;
	return ftruncate(rx->fd, rx->size) ? -errno : 0;
}
