// SPDX-License-Identifier: GPL-2.0-only
#include "agent/kmsg.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KMSG_RECORD_MAX 8192	/* the kernel's CONSOLE_EXT_LOG_MAX */
#define KMSG_LEVEL_WARNING 4
#define SCX_PREFIX "sched_ext: "

/* Severities do not say everything: a stall's details are informational. */
static const char *const wanted_words[] = {
	"sched_ext", "hung", "lockup", "LOCKUP", "Kernel panic", "Oops", "BUG",
	"stall", "blocked for more than",
};

static bool take_number(const char **p, const char *end, uint64_t *v)
{
	const char *start = *p;

	*v = 0;
	while (*p < end && **p >= '0' && **p <= '9')
		*v = *v * 10 + (*(*p)++ - '0');
	return *p > start;
}

bool kmsg_parse(const char *record, size_t len, struct kmsg_line *line)
{
	const char *p = record, *end = record + len, *nl;
	uint64_t prio, seq, usec;

	if (!take_number(&p, end, &prio) || p == end || *p++ != ',' ||
	    !take_number(&p, end, &seq) || p == end || *p++ != ',' ||
	    !take_number(&p, end, &usec))
		return false;
	p = memchr(p, ';', end - p);
	if (!p)
		return false;
	p++;
	nl = memchr(p, '\n', end - p);
	*line = (struct kmsg_line){
		.level = prio & 7,
		.facility = prio >> 3,
		.seq = seq,
		.usec = usec,
		.text = p,
		.len = (nl ? nl : end) - p,
	};
	return true;
}

bool kmsg_wanted(const struct kmsg_line *line)
{
	size_t i;

	if (line->level <= KMSG_LEVEL_WARNING)
		return true;
	for (i = 0; i < sizeof(wanted_words) / sizeof(wanted_words[0]); i++) {
		if (memmem(line->text, line->len, wanted_words[i],
			   strlen(wanted_words[i])))
			return true;
	}
	return false;
}

static void copy_span(char *out, size_t cap, const char *from, size_t len)
{
	if (len > cap - 1)
		len = cap - 1;
	memcpy(out, from, len);
	out[len] = '\0';
}

/* The last ')' closes the reason, which may hold some of its own. */
static bool note_disabled(struct kmsg_exit *exit, const char *text, size_t len)
{
	static const char head[] = SCX_PREFIX "BPF scheduler \"";
	static const char mid[] = "\" disabled (";
	const char *name = text + sizeof(head) - 1, *m, *close;

	if (len < sizeof(head) || memcmp(text, head, sizeof(head) - 1))
		return false;
	m = memmem(name, text + len - name, mid, sizeof(mid) - 1);
	if (!m)
		return false;
	close = memrchr(m, ')', text + len - m);
	*exit = (struct kmsg_exit){ .seen = true };
	copy_span(exit->scheduler, sizeof(exit->scheduler), name, m - name);
	m += sizeof(mid) - 1;
	copy_span(exit->reason, sizeof(exit->reason), m,
		  (close ? close : text + len) - m);
	return true;
}

void kmsg_note_exit(struct kmsg_exit *exit, const struct kmsg_line *line)
{
	char head[sizeof(SCX_PREFIX) + sizeof(exit->scheduler) + 2];
	int n;

	if (note_disabled(exit, line->text, line->len))
		return;
	if (!exit->seen || exit->message[0])
		return;
	n = snprintf(head, sizeof(head), SCX_PREFIX "%s: ", exit->scheduler);
	if (line->len > (size_t)n && !memcmp(line->text, head, n))
		copy_span(exit->message, sizeof(exit->message), line->text + n,
			  line->len - n);
}

int kmsg_open(struct kmsg *k)
{
	*k = (struct kmsg){
		.fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC),
	};
	return k->fd < 0 ? -errno : 0;
}

void kmsg_close(struct kmsg *k)
{
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
}

size_t kmsg_drain(struct kmsg *k, char *out, size_t cap)
{
	char record[KMSG_RECORD_MAX];
	struct kmsg_line line;
	size_t len = 0;

	while (k->fd >= 0 && cap - len > KMSG_RECORD_MAX) {
		ssize_t n = read(k->fd, record, sizeof(record));

		if (n < 0 && errno == EPIPE) {
			k->lost++;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (!kmsg_parse(record, n, &line))
			continue;
		kmsg_note_exit(&k->exit, &line);
		if (!kmsg_wanted(&line))
			continue;
		len += snprintf(out + len, cap - len,
				"%s%u,%" PRIu64 ",%" PRIu64 ";%.*s",
				len ? "\n" : "", line.level, line.seq,
				line.usec, (int)line.len, line.text);
	}
	return len;
}
