/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The agent's end of the virtio port: frames out through a bounded queue,
 * frames in. Never blocks but where it says so. Belongs to PID 1.
 */
#ifndef KTSTR_AGENT_PORT_H
#define KTSTR_AGENT_PORT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "lib/frame.h"

#define PORT_TX_MAX (4u << 20)	/* bytes the host may leave unread */
#define PORT_TX_CHATTER (1u << 20) /* above it, log lines are dropped */

struct port {
	int fd;			/* owned; -1: none */
	uint32_t tx_seq;
	uint8_t *tx;		/* owned; tx_len bytes wait in it */
	size_t tx_len, tx_cap;
	struct frame_reader rx;
	bool rx_broken;		/* the host's stream is; nothing more is read */
	uint64_t dropped;	/* messages that found the queue full */
	uint64_t retry_ns;	/* the host is away: not polled until then */
};

/**
 * port_find() - the device node of the port that has a name
 * @sys_root: "" or a test's tree with sys/class/virtio-ports in it
 * @node: "vport1p1"
 *
 * Return: 0; -ENOENT no such port (yet).
 */
int port_find(const char *sys_root, const char *name, char node[32]);

/** port_init() - over a descriptor, which becomes ours and non-blocking */
void port_init(struct port *p, int fd);

/**
 * port_open() - find the agent's port and open it
 *
 * Blocks until there is one, @timeout_ns at most.
 *
 * Return: 0; -ETIMEDOUT; -errno of open(2).
 */
int port_open(struct port *p, uint64_t timeout_ns);
void port_close(struct port *p);

/**
 * port_send() - queue a frame, and write what can be written
 * @type: enum ktstr_msg; LOG and KMSG are dropped first when the host lags
 *
 * Return: 0; -ENOBUFS it was dropped; -EMSGSIZE; -ENOMEM.
 */
int port_send(struct port *p, uint16_t type, const void *payload, size_t len);

/** port_send_json() - likewise an object; takes the reference. */
int port_send_json(struct port *p, uint16_t type, json_t *body);

/**
 * port_poll() - what to wait for
 *
 * Return: 0; or, when the host is away, the CLOCK_MONOTONIC time at which to
 * look again: @pfd then waits for nothing.
 */
uint64_t port_poll(const struct port *p, uint64_t now_ns, struct pollfd *pfd);

/** port_io() - poll said @revents: read and write what there is. */
void port_io(struct port *p, short revents, uint64_t now_ns);

/** port_next() - the next frame received; as frame_reader_next(). */
int port_next(struct port *p, struct frame *f);

/**
 * port_flush() - block until all is written, @timeout_ns at most
 *
 * Return: 0; -ETIMEDOUT.
 */
int port_flush(struct port *p, uint64_t timeout_ns);

#endif
