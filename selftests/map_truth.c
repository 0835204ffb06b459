// SPDX-License-Identifier: GPL-2.0-only
/*
 * The other side of vm_maps.sh: runs in the guest and says what its kernel
 * tells by system call of the maps that the host reads from outside, one line
 * for each element: "NAME KEY A,B ...". It puts storage on itself, its cgroup,
 * a file and a socket, and stays so that they do.
 */
#include <bpf/bpf.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_CPUS 64
#define MAX_ELEMS 256

struct value {
	__u64 a, b;
};

static void die(const char *what)
{
	fprintf(stderr, "map_truth: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int possible_cpus(void)
{
	int last = 0;
	FILE *f = fopen("/sys/devices/system/cpu/possible", "re");

	if (!f || fscanf(f, "0-%d", &last) < 0)
		die("possible CPUs");
	fclose(f);
	return last + 1;
}

static void say_value(const struct value *v)
{
	printf(" %llu,%llu", v->a, v->b);
}

static void each_key(int fd, const char *name, int cpus)
{
	struct value v[MAX_CPUS];
	__u32 key, *prev = NULL;
	int i;

	for (; !bpf_map_get_next_key(fd, prev, &key); prev = &key) {
		if (bpf_map_lookup_elem(fd, &key, v))
			die(name);
		printf("%s %u", name, key);
		for (i = 0; i < cpus; i++)
			say_value(&v[i]);
		putchar('\n');
	}
}

/* The kernel keeps no types of what queues and stacks hold. */
static void say_bytes(const char *name, int i, const struct value *v)
{
	const unsigned char *p = (const unsigned char *)v;
	size_t k;

	printf("%s %d ", name, i);
	for (k = 0; k < sizeof(*v); k++)
		printf("%02x", p[k]);
	putchar('\n');
}

/* All are popped, and pushed back so that they are as before. */
static void each_popped(int fd, const char *name, int reverse)
{
	struct value v[MAX_ELEMS];
	int nr = 0, i;

	while (nr < MAX_ELEMS &&
	       !bpf_map_lookup_and_delete_elem(fd, NULL, &v[nr])) {
		say_bytes(name, nr, &v[nr]);
		nr++;
	}
	for (i = 0; i < nr; i++)
		if (bpf_map_update_elem(fd, NULL,
					&v[reverse ? nr - 1 - i : i], BPF_ANY))
			die(name);
}

static void own_storage(int fd, const char *name, int owner, __u64 owner_id)
{
	struct value v = { owner_id * 3, 12345 }, seen;

	if (owner < 0 || bpf_map_update_elem(fd, &owner, &v, BPF_ANY) ||
	    bpf_map_lookup_elem(fd, &owner, &seen))
		die(name);
	printf("%s %" PRIu64, name, (uint64_t)owner_id);
	say_value(&seen);
	putchar('\n');
}

static __u64 inode_of(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		die(path);
	return st.st_ino;
}

static const char *own_cgroup(void)
{
	static char path[4096], below[4001];
	FILE *f = fopen("/proc/self/cgroup", "re");

	if (!f || fscanf(f, "0::%4000s", below) != 1)
		die("own cgroup");
	fclose(f);
	snprintf(path, sizeof(path), "/sys/fs/cgroup%s", below);
	return path;
}

static void positions(int fd, const char *name)
{
	long page = sysconf(_SC_PAGESIZE);
	unsigned long *consumer, *producer;

	consumer = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);
	producer = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, page);
	if (consumer == MAP_FAILED || producer == MAP_FAILED)
		die(name);
	printf("%s %lu %lu\n", name, *consumer, *producer);
}

static void say(int fd, const struct bpf_map_info *info)
{
	int self = syscall(SYS_pidfd_open, getpid(), 0);

	switch (info->type) {
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
		each_key(fd, info->name, 1);
		break;
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
		each_key(fd, info->name, possible_cpus());
		break;
	case BPF_MAP_TYPE_QUEUE:
		each_popped(fd, info->name, 0);
		break;
	case BPF_MAP_TYPE_STACK:
		each_popped(fd, info->name, 1);
		break;
	case BPF_MAP_TYPE_TASK_STORAGE:
		own_storage(fd, info->name, self, getpid());
		break;
	case 32: /* BPF_MAP_TYPE_CGRP_STORAGE */
		own_storage(fd, info->name, open(own_cgroup(), O_RDONLY),
			    inode_of(own_cgroup()));
		break;
	case BPF_MAP_TYPE_INODE_STORAGE:
		own_storage(fd, info->name, open("/proc/self/exe", O_RDONLY),
			    inode_of("/proc/self/exe"));
		break;
	case BPF_MAP_TYPE_SK_STORAGE:
		own_storage(fd, info->name, socket(AF_UNIX, SOCK_STREAM, 0), 7);
		break;
	case BPF_MAP_TYPE_RINGBUF:
		positions(fd, info->name);
		break;
	default:
		break;
	}
	close(self);
}

int main(void)
{
	__u32 id = 0;

	while (!bpf_map_get_next_id(id, &id)) {
		struct bpf_map_info info = { 0 };
		__u32 len = sizeof(info);
		int fd = bpf_map_get_fd_by_id(id);

		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
			die("a map");
		/* The test's own maps go by t_NAME. */
		if (!strncmp(info.name, "t_", 2))
			say(fd, &info);
	}
	printf("self %d\n", getpid());
	fflush(stdout);
	for (;;)
		pause();
}
