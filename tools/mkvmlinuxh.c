// SPDX-License-Identifier: GPL-2.0-only
/*
 * mkvmlinuxh BTF OUT: vmlinux.h for the build of bpf/, from a kernel image or
 * raw BTF; what the runner does for a user's scheduler source.
 */
#include "runner/sched_source.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/log.h"

int main(int argc, char **argv)
{
	char why[512];

	if (argc != 3) {
		fprintf(stderr, "usage: mkvmlinuxh BTF OUT\n");
		return 2;
	}
	if (!vmlinux_h_write(argv[1], argv[2], why, sizeof(why)))
		return EXIT_SUCCESS;
	log_err("mkvmlinuxh: %s", why);
	return EXIT_FAILURE;
}
