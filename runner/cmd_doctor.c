// SPDX-License-Identifier: GPL-2.0-only
/* ktstr doctor: looks at this machine, and says what to do. */
#include "runner/cmd.h"

#include "lib/clock.h"
#include "lib/path.h"
#include "runner/doctor.h"
#include "runner/kernel.h"
#include "runner/sched_source.h"

#include <cpuid.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#define CPUID_HYPERVISOR (1u << 31)
#define PROC_MAX (1 << 20)

static void help(FILE *to)
{
	fputs("usage: ktstr doctor [--json]\n\n"
	      "Says what this machine has and lacks for runs, and the command that mends it.\n"
	      "Exits with 0 if runs are possible, 1 if not.\n",
	      to);
}

/* A program in $PATH, or the path that it already is. */
static bool find_program(const char *name, char *path, size_t len)
{
	const char *dirs = getenv("PATH");
	size_t n;

	if (strchr(name, '/')) {
		snprintf(path, len, "%s", name);
		return !access(path, X_OK);
	}
	for (; dirs && *dirs; dirs += n + (dirs[n] == ':')) {
		n = strcspn(dirs, ":");
		snprintf(path, len, "%.*s/%s", (int)n, dirs, name);
		if (n && !access(path, X_OK))
			return true;
	}
	*path = '\0';
	return false;
}

static void look_at_cpu(struct doctor_findings *f)
{
	unsigned int a, b, c, d;
	struct utsname uts;

	f->cpus = sysconf(_SC_NPROCESSORS_ONLN);
	f->x86_64 = !uname(&uts) && !strcmp(uts.machine, "x86_64");
	if (__get_cpuid(1, &a, &b, &c, &d))
		f->is_guest = c & CPUID_HYPERVISOR;
	if (__get_cpuid(0, &a, &b, &c, &d))
		f->intel = b == signature_INTEL_ebx;
}

/* "QEMU emulator version 10.0.2 (...)" */
static void look_at_qemu(struct doctor_findings *f)
{
	const char *asked = getenv("KTSTR_QEMU");
	char command[sizeof(f->qemu) + 32], line[256] = "";
	const char *version;
	FILE *p;

	if (!find_program(asked && *asked ? asked : "qemu-system-x86_64",
			  f->qemu, sizeof(f->qemu)) ||
	    strchr(f->qemu, '\''))
		return;
	snprintf(command, sizeof(command), "'%s' --version 2>/dev/null",
		 f->qemu);
	p = popen(command, "re");
	if (!p)
		return;
	version = fgets(line, sizeof(line), p) ? strstr(line, "version ") :
		NULL;
	if (version)
		f->qemu_major = strtoul(version + 8, NULL, 10);
	pclose(p);
}

static void look_at_kernel(struct doctor_findings *f)
{
	struct kernel k;

	f->kernel_err = kernel_open(NULL, &k, f->kernel_why,
				    sizeof(f->kernel_why));
	if (f->kernel_err)
		return;
	snprintf(f->kernel_release, sizeof(f->kernel_release), "%s",
		 k.release);
	f->kernel_btf = k.btf;
	f->kernel_sched_ext = k.has_sched_ext;
	kernel_close(&k);
}

static void look_at_clang(struct doctor_findings *f)
{
	const char *asked = getenv("KTSTR_CLANG");
	char path[512];
	unsigned int i;

	if (asked && *asked) {
		if (find_program(asked, path, sizeof(path)))
			snprintf(f->clang, sizeof(f->clang), "%.63s", asked);
		return;
	}
	for (i = 0; sched_source_compilers[i] && !*f->clang; i++)
		if (find_program(sched_source_compilers[i], path,
				 sizeof(path)))
			snprintf(f->clang, sizeof(f->clang), "%s",
				 sched_source_compilers[i]);
}

static bool read_u64(const char *path, const char *key, uint64_t *value)
{
	const char *p;
	char *text;
	size_t len;
	bool ok;

	if (path_read_file(path, PROC_MAX, &text, &len))
		return false;
	p = strstr(text, key);
	ok = p && sscanf(p + strlen(key), "%" SCNu64, value) == 1;
	free(text);
	return ok;
}

static void look_at_memory(struct doctor_findings *f)
{
	uint64_t kib = 0, limit, used = 0;

	read_u64("/proc/meminfo", "MemAvailable:", &kib);
	f->memory_bytes = kib << 10;
	if (!read_u64("/sys/fs/cgroup/memory.max", "", &limit))
		return; /* "max", or the root */
	read_u64("/sys/fs/cgroup/memory.current", "", &used);
	limit = limit > used ? limit - used : 0;
	if (limit < f->memory_bytes)
		f->memory_bytes = limit;
}

static void look_at_cache(struct doctor_findings *f)
{
	char *dir = path_cache_dir(NULL), *probe;
	struct statvfs st;

	if (!dir) {
		const char *asked = getenv("KTSTR_CACHE");

		f->cache_err = -errno;
		snprintf(f->cache_dir, sizeof(f->cache_dir), "%s",
			 asked ? asked : "the cache directory");
		return;
	}
	snprintf(f->cache_dir, sizeof(f->cache_dir), "%s", dir);
	probe = path_join(dir, ".doctor");
	f->cache_err = probe ? path_write_file(probe, "", 0) : -ENOMEM;
	if (!f->cache_err)
		unlink(probe);
	if (!statvfs(dir, &st))
		f->cache_free_bytes = (uint64_t)st.f_bavail * st.f_frsize;
	free(probe);
	free(dir);
}

/* user nice system idle iowait irq softirq steal */
static void look_at_noise(struct doctor_findings *f)
{
	unsigned long long t[8], sum = 0;
	unsigned int i;
	FILE *stat;

	f->steal_ratio = -1;
	if (getloadavg(&f->load1, 1) != 1)
		f->load1 = 0;
	stat = fopen("/proc/stat", "re");
	if (!stat)
		return;
	if (fscanf(stat, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &t[0],
		   &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]) == 8) {
		for (i = 0; i < 8; i++)
			sum += t[i];
		f->steal_ratio = sum ? (double)t[7] / sum : -1;
	}
	fclose(stat);
}

static void print(const struct doctor_report *r)
{
	unsigned int i;

	for (i = 0; i < r->nr; i++) {
		const struct doctor_line *l = &r->lines[i];

		printf("%-5s %-8s %s\n", doctor_state_name(l->state), l->name,
		       l->text);
		if (*l->mend)
			printf("      %-8s mend: %s\n", "", l->mend);
	}
	if (r->can_run)
		printf("runs are possible, with %s\n",
		       !strcmp(r->accel, "kvm") ? "KVM" : "the emulated host");
	else
		puts("no run is possible yet: see what is bad above");
}

int cmd_doctor(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	static struct doctor_findings f;
	static struct doctor_report report;
	bool as_json = false;
	json_t *out;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h') {
			help(stdout);
			return 0;
		}
		if (c != 'j')
			return KTSTR_EXIT_USAGE;
		as_json = true;
	}
	if (optind < argc) {
		help(stderr);
		return KTSTR_EXIT_USAGE;
	}
	look_at_cpu(&f);
	vm_kvm_probe(&f.kvm);
	look_at_qemu(&f);
	look_at_kernel(&f);
	look_at_clang(&f);
	look_at_memory(&f);
	look_at_cache(&f);
	look_at_noise(&f);
	doctor_judge(&f, &report);
	if (!as_json) {
		print(&report);
	} else {
		out = doctor_json(&report);
		json_dumpf(out, stdout, JSON_INDENT(1));
		putchar('\n');
		json_decref(out);
	}
	return report.can_run ? 0 : 1;
}
