// SPDX-License-Identifier: GPL-2.0-only
#include "agent/port.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/symbols.h"
#include "lib/clock.h"
#include "lib/path.h"
#include "lib/test_run.h"

static struct port port;
static int host;	/* the other end */
static struct frame_reader reader;

static void setup(void)
{
	int fds[2];

	ck_assert_int_eq(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	port_init(&port, fds[0]);
	host = fds[1];
	fcntl(host, F_SETFL, O_NONBLOCK);
	frame_reader_init(&reader);
}

static void teardown(void)
{
	port_close(&port);
	if (host >= 0)
		close(host);
	frame_reader_fini(&reader);
}

/* Read all that was sent; every frame is whole and in sequence. */
static unsigned int read_host(uint16_t type)
{
	static char buf[1 << 20];
	unsigned int nr = 0;
	struct frame f;
	ssize_t n;
	int ret;

	while ((n = read(host, buf, sizeof(buf))) > 0)
		ck_assert_int_eq(0, frame_reader_feed(&reader, buf, n));
	while ((ret = frame_reader_next(&reader, &f)) > 0)
		nr += f.type == type;
	ck_assert_int_eq(0, ret);
	return nr;
}

static void send_to_port(uint16_t type, uint32_t seq, const char *text)
{
	struct ktstr_frame_hdr hdr;
	size_t len = strlen(text);

	ck_assert_int_eq(0, frame_hdr_fill(&hdr, type, seq, text, len));
	ck_assert_int_eq(sizeof(hdr), write(host, &hdr, sizeof(hdr)));
	ck_assert_int_eq(len, write(host, text, len));
}

START_TEST(messages_arrive_in_sequence)
{
	ck_assert_int_eq(0, port_send(&port, KTSTR_MSG_LOG, "hello", 5));
	ck_assert_int_eq(0, port_send_json(&port, KTSTR_MSG_READY,
					   json_pack("{s:i}", "workers", 4)));
	ck_assert_uint_eq(0, port.tx_len);
	ck_assert_uint_eq(1, read_host(KTSTR_MSG_READY));
	ck_assert_uint_eq(2, reader.frames);
}
END_TEST

START_TEST(frames_are_read_as_they_come)
{
	struct frame f;

	send_to_port(KTSTR_MSG_GO, 0, "{\"index\":0}");
	send_to_port(KTSTR_MSG_STOP, 1, "{}");
	port_io(&port, POLLIN, 0);
	ck_assert_int_eq(1, port_next(&port, &f));
	ck_assert_uint_eq(KTSTR_MSG_GO, f.type);
	ck_assert_mem_eq("{\"index\":0}", f.payload, f.len);
	ck_assert_int_eq(1, port_next(&port, &f));
	ck_assert_uint_eq(KTSTR_MSG_STOP, f.type);
	ck_assert_int_eq(0, port_next(&port, &f));
}
END_TEST

START_TEST(a_broken_stream_is_not_read_on)
{
	struct pollfd pfd;
	struct frame f;

	ck_assert_int_eq(32, write(host, "this is no frame, not at all....", 32));
	port_io(&port, POLLIN, 0);
	ck_assert_int_eq(-EPROTO, port_next(&port, &f));
	ck_assert_int_eq(0, port_next(&port, &f));
	port_poll(&port, 0, &pfd);
	ck_assert_int_eq(0, pfd.events & POLLIN);
}
END_TEST

START_TEST(chatter_is_dropped_first_and_leaves_no_gap)
{
	static char text[64 << 10];
	unsigned int logs = 0;
	size_t i;

	memset(text, 'x', sizeof(text));
	for (i = 0; i < 100; i++)
		logs += !port_send(&port, KTSTR_MSG_LOG, text, sizeof(text));
	ck_assert_uint_lt(logs, 100);
	ck_assert_uint_eq(100 - logs, port.dropped);
	ck_assert_uint_le(port.tx_len, PORT_TX_CHATTER);
	ck_assert_int_eq(0, port_send(&port, KTSTR_MSG_DONE, "{}", 2));
	/* as the host reads, the queue empties: nothing else is lost */
	i = 0;
	while (port.tx_len) {
		i += read_host(KTSTR_MSG_LOG);
		port_io(&port, POLLOUT, 0);
	}
	ck_assert_uint_eq(1, read_host(KTSTR_MSG_DONE));
}
END_TEST

START_TEST(the_queue_is_bounded_for_all)
{
	static char text[KTSTR_FRAME_MAX];
	size_t i, sent = 0;

	for (i = 0; i < 20; i++)
		sent += !port_send(&port, KTSTR_MSG_SCHED, text, sizeof(text));
	ck_assert_uint_lt(sent, 6);
	ck_assert_uint_le(port.tx_len, PORT_TX_MAX);
	ck_assert_int_eq(-EMSGSIZE, port_send(&port, KTSTR_MSG_SCHED, text,
					      KTSTR_FRAME_MAX + 1));
}
END_TEST

START_TEST(a_host_that_is_away_is_left_alone_for_a_while)
{
	struct pollfd pfd;

	port_io(&port, POLLHUP, 1000);
	ck_assert_uint_gt(port_poll(&port, 1001, &pfd), 1001);
	ck_assert_int_eq(-1, pfd.fd);
	ck_assert_uint_eq(0, port_poll(&port, port.retry_ns, &pfd));
	ck_assert_int_eq(port.fd, pfd.fd);
}
END_TEST

START_TEST(a_flush_gives_up_on_a_host_that_does_not_read)
{
	static char text[512 << 10];

	ck_assert_int_eq(0, port_send(&port, KTSTR_MSG_SCHED, text,
				      sizeof(text)));
	ck_assert_uint_gt(port.tx_len, 0);
	ck_assert_int_eq(-ETIMEDOUT, port_flush(&port, NSEC_PER_MSEC));
}
END_TEST

static void put(const char *root, const char *name, const char *text)
{
	char path[256], dir[256];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	strcpy(dir, path);
	*strrchr(dir, '/') = '\0';
	ck_assert_int_eq(0, path_mkdirs(dir));
	ck_assert_int_eq(0, path_write_file(path, text, strlen(text)));
}

START_TEST(the_port_is_found_by_its_name)
{
	char root[] = "/tmp/port_test.XXXXXX", node[32];

	ck_assert_ptr_nonnull(mkdtemp(root));
	ck_assert_int_eq(-ENOENT, port_find(root, "ktstr.agent", node));
	put(root, "sys/class/virtio-ports/vport1p1/name", "com.other\n");
	ck_assert_int_eq(-ENOENT, port_find(root, "ktstr.agent", node));
	put(root, "sys/class/virtio-ports/vport1p2/name", "ktstr.agent\n");
	ck_assert_int_eq(0, port_find(root, "ktstr.agent", node));
	ck_assert_str_eq("vport1p2", node);
	path_remove_tree(root);
	rmdir(root);
}
END_TEST

/* kallsyms as it is, with names that only look like ours */
static const char kallsyms[] =
	"0000000000000000 A fixed_percpu_data\n"
	"ffffffff8239f680 D linux_banner\n"
	"ffffffff8302a000 D init_top_pgt_not\n"
	"ffffffff83011140 D init_task\n"
	"ffffffff83cf65c0 b map_idr.part.0\n"
	"ffffffff831930f0 b map_idr\n"
	"ffffffffc0000000 t runqueues\t[a_module]\n"
	"ffffffff83cf65c0 D runqueues\n"
	"short\n"
	"\n";

START_TEST(symbols_are_found_in_pieces_of_any_size)
{
	size_t len = strlen(kallsyms), at;
	struct symbols_scan scan;
	struct symbols s;
	int i, found = 0;

	symbols_scan_init(&scan, &s);
	for (at = 0; at < len; at += _i)
		ck_assert(symbols_scan_feed(&scan, kallsyms + at,
					    len - at < (size_t)_i ?
						    len - at : (size_t)_i));
	for (i = 0; i < SYMBOLS_NR; i++) {
		if (!strcmp(symbol_names[i], "map_idr"))
			ck_assert_uint_eq(0xffffffff831930f0, s.addr[i]);
		if (!strcmp(symbol_names[i], "runqueues"))
			ck_assert_uint_eq(0xffffffff83cf65c0, s.addr[i]);
		found += !!s.addr[i];
	}
	ck_assert_int_eq(4, found);
	ck_assert_uint_eq(SYMBOLS_NR - 4, scan.missing);
}
END_TEST

START_TEST(the_kernels_place_and_paging_are_read)
{
	char root[] = "/tmp/symbols_test.XXXXXX";
	struct symbols s;

	ck_assert_ptr_nonnull(mkdtemp(root));
	ck_assert_int_eq(-ENOENT, symbols_read(root, &s));
	put(root, "proc/kallsyms", "0000000000000000 D linux_banner\n");
	ck_assert_int_eq(-EPERM, symbols_read(root, &s)); /* hidden */
	put(root, "proc/kallsyms", kallsyms);
	put(root, "proc/iomem", "00001000-0009fbff : System RAM\n"
	    "  2a000000-2bffffff : Kernel code\n  2c000000-2cffffff : Kernel data\n");
	put(root, "proc/cpuinfo", "flags\t\t: fpu la57x vme\n");
	ck_assert_int_eq(0, symbols_read(root, &s));
	ck_assert_uint_eq(0x2a000000, s.kernel_code_phys);
	ck_assert_uint_eq(4, s.levels);
	put(root, "proc/cpuinfo", "flags\t\t: fpu vme la57\n");
	ck_assert_int_eq(0, symbols_read(root, &s));
	ck_assert_uint_eq(5, s.levels);
	path_remove_tree(root);
	rmdir(root);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agent/port");
	TCase *tc = tcase_create("port");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, messages_arrive_in_sequence);
	tcase_add_test(tc, frames_are_read_as_they_come);
	tcase_add_test(tc, a_broken_stream_is_not_read_on);
	tcase_add_test(tc, chatter_is_dropped_first_and_leaves_no_gap);
	tcase_add_test(tc, the_queue_is_bounded_for_all);
	tcase_add_test(tc, a_host_that_is_away_is_left_alone_for_a_while);
	tcase_add_test(tc, a_flush_gives_up_on_a_host_that_does_not_read);
	tcase_add_test(tc, the_port_is_found_by_its_name);
	tcase_add_loop_test(tc, symbols_are_found_in_pieces_of_any_size, 1, 80);
	tcase_add_test(tc, the_kernels_place_and_paging_are_read);
	suite_add_tcase(s, tc);
	return test_run(s);
}
