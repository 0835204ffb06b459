// SPDX-License-Identifier: GPL-2.0-only
/* kunpack KERNEL OUT: the ELF in a bzImage, for the build of bpf/. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "vmm/vmm.h"

int main(int argc, char **argv)
{
	char why[512];
	int fd, err;

	if (argc != 3) {
		fprintf(stderr, "usage: kunpack KERNEL OUT\n");
		return 2;
	}
	fd = open(argv[2], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0) {
		log_err("kunpack: %s: %s", argv[2], strerror(errno));
		return EXIT_FAILURE;
	}
	err = vm_kernel_unpack(argv[1], fd, why, sizeof(why));
	if (err)
		log_err("kunpack: %s", why);
	if (close(fd) && !err) {
		err = -errno;
		log_err("kunpack: %s: %s", argv[2], strerror(-err));
	}
	if (err)
		unlink(argv[2]);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
