// SPDX-License-Identifier: GPL-2.0-only
#include "agent/symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const symbol_names[SYMBOLS_NR] = {
	"linux_banner", "init_top_pgt", "phys_base", "page_offset_base",
	"vmemmap_base", "__per_cpu_offset", "runqueues", "map_idr", "prog_idr",
	"scx_root", "scx_enable_state_var", "init_task", "nr_cpu_ids",
	"jiffies_64", "nr_node_ids", "bpf_stats_enabled_key",
	"psi_system", "psi_disabled",
	/* of kernels before 6.16, which had one scheduler and no struct of it */
	"scx_ops", "scx_ops_enable_state_var", "scx_exit_kind",
	"scx_exit_info", "dsq_hash",
};

#define ADDR_DIGITS 16

void symbols_scan_init(struct symbols_scan *s, struct symbols *out)
{
	*s = (struct symbols_scan){ .out = out, .missing = SYMBOLS_NR };
	memset(out->addr, 0, sizeof(out->addr));
}

/* "ffffffff82a0 D init_task": address, type, name; modules have a 4th column */
static void take_line(struct symbols_scan *s)
{
	const char *name = s->line + ADDR_DIGITS + 3;
	int i;

	s->line[s->len] = '\0';
	if (s->len < ADDR_DIGITS + 4 || s->line[ADDR_DIGITS] != ' ')
		return;
	for (i = 0; i < SYMBOLS_NR; i++) {
		if (s->out->addr[i] || strcmp(symbol_names[i], name))
			continue;
		s->out->addr[i] = strtoull(s->line, NULL, 16);
		if (s->out->addr[i])
			s->missing--;
		return;
	}
}

bool symbols_scan_feed(struct symbols_scan *s, const char *text, size_t len)
{
	while (len && s->missing) {
		const char *nl = memchr(text, '\n', len);
		size_t piece = nl ? (size_t)(nl - text) : len;
		size_t room = sizeof(s->line) - 1 - s->len;

		memcpy(s->line + s->len, text, piece < room ? piece : room);
		s->len += piece < room ? piece : room;
		if (!nl)
			break;
		take_line(s);
		s->len = 0;
		text += piece + 1;
		len -= piece + 1;
	}
	return s->missing > 0;
}

static int read_kallsyms(const char *root, struct symbols *out)
{
	struct symbols_scan scan;
	char path[PATH_MAX], buf[32768];
	ssize_t n;
	int fd, err = 0;

	snprintf(path, sizeof(path), "%s/proc/kallsyms", root);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	symbols_scan_init(&scan, out);
	do {
		n = read(fd, buf, sizeof(buf));
		if (n < 0)
			err = -errno;
	} while (n > 0 && symbols_scan_feed(&scan, buf, n));
	close(fd);
	if (!err && scan.missing == SYMBOLS_NR)
		err = -EPERM;
	return err;
}

/* "  01000000-021fffff : Kernel code" */
static int read_iomem(const char *root, uint64_t *code_phys)
{
	char path[PATH_MAX], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/iomem", root);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	*code_phys = 0;
	while (fgets(line, sizeof(line), f)) {
		if (strstr(line, " : Kernel code\n")) {
			*code_phys = strtoull(line, NULL, 16);
			break;
		}
	}
	fclose(f);
	return 0;
}

/* The kernel clears the flag when it runs with four levels. */
static int read_levels(const char *root, unsigned int *levels)
{
	char path[PATH_MAX], line[8192];
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/cpuinfo", root);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	*levels = 4;
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "flags", 5))
			continue;
		line[strcspn(line, "\n")] = ' ';
		if (strstr(line, " la57 "))
			*levels = 5;
		break;
	}
	fclose(f);
	return 0;
}

int symbols_read(const char *root, struct symbols *out)
{
	int err = read_kallsyms(root, out);

	if (!err)
		err = read_iomem(root, &out->kernel_code_phys);
	if (!err)
		err = read_levels(root, &out->levels);
	return err;
}
