/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages between the host's session and the guest's agent, over one virtio
 * port (KTSTR_PORT_NAME), and between the runner and an emulated host.
 *
 * A frame is struct ktstr_frame_hdr, then len bytes of payload. All integers
 * little-endian. Payloads are UTF-8 JSON objects unless said otherwise; the
 * members are documented in docs/internals/protocol.md. Unknown members are
 * ignored, unknown types counted and skipped.
 */
#ifndef KTSTR_WIRE_H
#define KTSTR_WIRE_H

#include <linux/types.h>

#define KTSTR_PORT_NAME "ktstr.agent"
#define KTSTR_FRAME_MAGIC 0x4d52464b /* "KFRM" */
#define KTSTR_FRAME_VERSION 1
#define KTSTR_FRAME_MAX (1u << 20) /* payload bytes */

struct ktstr_frame_hdr {
	__u32 magic;
	__u16 version;
	__u16 type;	/* enum ktstr_msg or enum ktstr_emu_msg */
	__u32 seq;	/* 0, 1, 2, ... per direction: a gap means loss */
	__u32 len;	/* of the payload */
	__u32 crc;	/* CRC-32 (zlib) of the payload; 0 when len is 0 */
	__u32 hdr_crc;	/* CRC-32 (zlib) of the 20 bytes before */
};

_Static_assert(sizeof(struct ktstr_frame_hdr) == 24, "ktstr_frame_hdr");

enum ktstr_msg {
	/* agent to host */
	KTSTR_MSG_HELLO = 1,	/* who, which kernel, symbols, page table */
	KTSTR_MSG_LOG = 2,	/* text: one line of the agent's log */
	KTSTR_MSG_TOPOLOGY = 3,	/* what sysfs shows, and what differs */
	KTSTR_MSG_SHM = 4,	/* id and size of the shared region's map */
	KTSTR_MSG_SCHED = 5,	/* scheduler loaded, attached, failed, gone */
	KTSTR_MSG_READY = 6,	/* every worker waits at the barrier */
	KTSTR_MSG_PHASE_READY = 7, /* may phase N begin? answered by GO */
	KTSTR_MSG_PHASE_START = 8, /* guest time it began */
	KTSTR_MSG_PHASE_END = 9, /* guest time it ended, scheduler's state */
	KTSTR_MSG_KMSG = 10,	/* text: kernel log lines, newline-separated */
	KTSTR_MSG_FATAL = 11,	/* the agent gives up: stage, what, errno */
	KTSTR_MSG_DONE = 12,	/* all phases over, nothing more will come */
	KTSTR_MSG_CLOCK = 13,	/* the agent is in a clock exchange: shm.h */
	KTSTR_MSG_WRITTEN = 14,	/* a WRITE_MAP was done, or why not */
	KTSTR_MSG_OBSERVER = 15, /* an observer is attached, or why not */
	KTSTR_MSG_EXEC_STDOUT = 16, /* bytes that plan.exec's program wrote */
	KTSTR_MSG_EXEC_STDERR = 17, /* likewise */
	KTSTR_MSG_EXEC_STDIN_TAKEN = 18, /* so many more bytes it was given */
	KTSTR_MSG_EXEC_EXIT = 19, /* {exit} or {signal}; all output was before */
	KTSTR_MSG_LOAD_OUTPUT = 20, /* a line of JSON, then a program's bytes */
	KTSTR_MSG_LOAD_END = 21, /* how a program of a workload ended */
	/* host to agent */
	KTSTR_MSG_GO = 64,	/* phase N may begin */
	KTSTR_MSG_STOP = 65,	/* end early: stop workers, report, DONE */
	KTSTR_MSG_EXEC_STDIN = 66, /* bytes; none: end of file */
	KTSTR_MSG_EXEC_TAKEN = 67, /* so many more bytes of output passed on */
	KTSTR_MSG_WRITE_MAP = 68, /* a write_map step; answered by WRITTEN */
};

/*
 * plan.exec: neither side has more bytes under way, of stdin or of both
 * outputs together, than this; what the other has TAKEN frees it.
 */
#define KTSTR_EXEC_WINDOW (256u << 10)
#define KTSTR_EXEC_CHUNK (16u << 10) /* bytes in one message */

#endif
