/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registers of a 16550A that sends at once and never receives: the
 * kernel's console. No lock, no fd: the caller does what the result says.
 */
#ifndef KTSTR_VMM_SERIAL_H
#define KTSTR_VMM_SERIAL_H

#include <stdbool.h>
#include <stdint.h>

#define SERIAL_PORTS 8

/* Open struct, for the caller's storage; zeroed is a chip after reset. */
struct serial {
	uint8_t ier, lcr, mcr, scr;
	uint8_t dll, dlm;
	uint8_t rbr;		/* filled in loopback only */
	bool fifo;
	bool rx_ready;
	bool tx_empty_pending;	/* the THRE interrupt, until IIR is read */
};

/* What a register access asks of the caller; bits. */
enum serial_effect {
	SERIAL_NOTHING = 0,
	SERIAL_SEND = 1, /* the byte written goes out */
	SERIAL_IRQ = 2,	 /* the interrupt line went up: one edge */
};

/** serial_write() - the guest wrote @value to register @reg (0..7) */
enum serial_effect serial_write(struct serial *s, unsigned int reg,
				uint8_t value);

/** serial_read() - the guest reads register @reg; may lower the line */
uint8_t serial_read(struct serial *s, unsigned int reg);

#endif
