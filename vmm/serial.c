// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/serial.h"

#include <linux/serial_reg.h>

#define IER_MASK 0x0f /* the upper bits tell other chips apart */
#define MCR_MASK 0x1f
#define IIR_FIFO 0xc0

static bool has_rx_irq(const struct serial *s)
{
	return (s->ier & UART_IER_RDI) && s->rx_ready;
}

static bool has_tx_irq(const struct serial *s)
{
	return (s->ier & UART_IER_THRI) && s->tx_empty_pending;
}

static bool line_is_up(const struct serial *s)
{
	return has_rx_irq(s) || has_tx_irq(s);
}

static enum serial_effect write_thr(struct serial *s, uint8_t value)
{
	s->tx_empty_pending = true; /* already gone */
	if (s->mcr & UART_MCR_LOOP) {
		s->rbr = value;
		s->rx_ready = true;
		return SERIAL_NOTHING;
	}
	return SERIAL_SEND;
}

static void write_ier(struct serial *s, uint8_t value)
{
	/* An empty holding register interrupts as soon as it may. */
	if ((value & UART_IER_THRI) && !(s->ier & UART_IER_THRI))
		s->tx_empty_pending = true;
	s->ier = value & IER_MASK;
}

static void write_fcr(struct serial *s, uint8_t value)
{
	s->fifo = value & UART_FCR_ENABLE_FIFO;
	if (value & UART_FCR_CLEAR_RCVR)
		s->rx_ready = false;
}

enum serial_effect serial_write(struct serial *s, unsigned int reg,
				uint8_t value)
{
	bool dlab = s->lcr & UART_LCR_DLAB, was_up = line_is_up(s);
	enum serial_effect effect = SERIAL_NOTHING;

	switch (reg) {
	case UART_TX:
		if (dlab)
			s->dll = value;
		else
			effect = write_thr(s, value);
		break;
	case UART_IER:
		if (dlab)
			s->dlm = value;
		else
			write_ier(s, value);
		break;
	case UART_FCR:
		write_fcr(s, value);
		break;
	case UART_LCR:
		s->lcr = value;
		break;
	case UART_MCR:
		s->mcr = value & MCR_MASK;
		break;
	case UART_SCR:
		s->scr = value;
		break;
	default:
		break; /* LSR and MSR are read-only */
	}
	if (!was_up && line_is_up(s))
		effect |= SERIAL_IRQ;
	return effect;
}

static uint8_t read_rbr(struct serial *s)
{
	s->rx_ready = false;
	return s->rbr;
}

static uint8_t read_iir(struct serial *s)
{
	uint8_t id = UART_IIR_NO_INT;

	if (has_rx_irq(s)) {
		id = UART_IIR_RDI;
	} else if (has_tx_irq(s)) {
		id = UART_IIR_THRI;
		s->tx_empty_pending = false;
	}
	return id | (s->fifo ? IIR_FIFO : 0);
}

/* In loopback the modem outputs come back as inputs; else all is connected. */
static uint8_t read_msr(const struct serial *s)
{
	uint8_t msr = 0;

	if (!(s->mcr & UART_MCR_LOOP))
		return UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS;
	if (s->mcr & UART_MCR_DTR)
		msr |= UART_MSR_DSR;
	if (s->mcr & UART_MCR_RTS)
		msr |= UART_MSR_CTS;
	if (s->mcr & UART_MCR_OUT1)
		msr |= UART_MSR_RI;
	if (s->mcr & UART_MCR_OUT2)
		msr |= UART_MSR_DCD;
	return msr;
}

uint8_t serial_read(struct serial *s, unsigned int reg)
{
	bool dlab = s->lcr & UART_LCR_DLAB;

	switch (reg) {
	case UART_RX:
		return dlab ? s->dll : read_rbr(s);
	case UART_IER:
		return dlab ? s->dlm : s->ier;
	case UART_IIR:
		return read_iir(s);
	case UART_LCR:
		return s->lcr;
	case UART_MCR:
		return s->mcr;
	case UART_LSR:
		return UART_LSR_THRE | UART_LSR_TEMT |
		       (s->rx_ready ? UART_LSR_DR : 0);
	case UART_MSR:
		return read_msr(s);
	case UART_SCR:
		return s->scr;
	default:
		return 0xff;
	}
}
