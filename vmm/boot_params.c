// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/boot_params.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/layout.h"

#define PAGE 4096ULL
#define LOADER_UNDEFINED 0xff
#define INITRD_MAX_DEFAULT 0x7fffffffULL /* of kernels since 2.6.36 */

/* Control registers and EFER. */
#define CR0_PE (1ULL << 0)
#define CR0_MP (1ULL << 1)
#define CR0_ET (1ULL << 4)
#define CR0_NE (1ULL << 5)
#define CR0_PG (1ULL << 31)
#define CR4_PAE (1ULL << 5)
#define EFER_LME (1ULL << 8)
#define EFER_LMA (1ULL << 10)

/* Selectors the boot protocol asks for. */
#define SEL_CODE 0x10
#define SEL_DATA 0x18
#define SEL_TSS 0x20

#define PTE_PRESENT (1ULL << 0)
#define PTE_WRITE (1ULL << 1)
#define PTE_LARGE (1ULL << 7)

/* Highest address an initrd may end at; the hole is above both anyway. */
static uint64_t initrd_top(const struct guest_mem *mem,
			   const struct boot_image *img)
{
	uint64_t ram = mem->regions[0].gpa + mem->regions[0].len_bytes;
	uint64_t max = INITRD_MAX_DEFAULT;

	if (img->has_hdr && img->hdr.initrd_addr_max)
		max = img->hdr.initrd_addr_max;
	return ram < max + 1 ? ram : max + 1;
}

static int initrd_read(const struct guest_mem *mem, int fd, const char *path,
		       const struct boot_image *img, uint64_t *gpa,
		       uint64_t *len, const struct errmsg *e)
{
	uint64_t top = initrd_top(mem, img), at, done = 0;
	struct stat st;
	uint64_t size;
	char *to;

	if (fstat(fd, &st) < 0)
		return errmsg_errno(e, -errno, "stat initrd %s", path);
	size = st.st_size;
	if (size > top || (top - size) / PAGE * PAGE < img->end_gpa)
		return errmsg_set(e, -ENOSPC,
				  "initrd %s of %llu bytes does not fit below 0x%llx, above the kernel's 0x%llx",
				  path, (unsigned long long)size,
				  (unsigned long long)top,
				  (unsigned long long)img->end_gpa);
	at = (top - size) / PAGE * PAGE;
	to = guest_mem_hva(mem, at, size);
	if (!to)
		return errmsg_set(e, -ENOSPC, "initrd %s is outside memory",
				  path);
	while (done < size) {
		ssize_t n = pread(fd, to + done, size - done, done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return errmsg_errno(e, n ? -errno : -EIO,
					    "read initrd %s", path);
		done += n;
	}
	*gpa = at;
	*len = size;
	return 0;
}

int boot_initrd_load(const struct guest_mem *mem, const char *path,
		     const struct boot_image *img, uint64_t *gpa,
		     uint64_t *len, const struct errmsg *e)
{
	int err, fd;

	*gpa = 0;
	*len = 0;
	if (!path)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errmsg_errno(e, -errno, "open initrd %s", path);
	err = initrd_read(mem, fd, path, img, gpa, len, e);
	close(fd);
	return err;
}

static void e820_add(struct boot_params *bp, uint64_t from, uint64_t to,
		     uint32_t type)
{
	bp->e820_table[bp->e820_entries++] = (struct boot_e820_entry){
		.addr = from, .size = to - from, .type = type,
	};
}

static void e820_fill(struct boot_params *bp, const struct guest_mem *mem)
{
	const struct guest_mem_region *low = &mem->regions[0];
	unsigned int i;

	e820_add(bp, 0, LAYOUT_LOW_RAM_END, 1);
	e820_add(bp, LAYOUT_LOW_RAM_END, LAYOUT_HIGH_RAM, 2);
	e820_add(bp, LAYOUT_HIGH_RAM, low->len_bytes, 1);
	for (i = 1; i < mem->nr; i++)
		e820_add(bp, mem->regions[i].gpa,
			 mem->regions[i].gpa + mem->regions[i].len_bytes, 1);
}

static void zero_page_fill(struct boot_params *bp, const struct guest_mem *mem,
			   const struct boot_image *img, uint64_t initrd_gpa,
			   uint64_t initrd_len)
{
	memset(bp, 0, sizeof(*bp));
	if (img->has_hdr) {
		bp->hdr = img->hdr;
	} else {
		bp->hdr.boot_flag = 0xaa55;
		bp->hdr.header = 0x53726448; /* "HdrS" */
		bp->hdr.version = 0x020f;
		bp->hdr.kernel_alignment = 0x1000000;
	}
	bp->hdr.type_of_loader = LOADER_UNDEFINED;
	bp->hdr.loadflags |= LOADED_HIGH;
	/* No KASLR: then neither text nor memory areas move. */
	bp->hdr.loadflags &= ~KASLR_FLAG;
	bp->hdr.cmd_line_ptr = LAYOUT_CMDLINE;
	bp->hdr.cmdline_size = BOOT_CMDLINE_MAX;
	bp->hdr.ramdisk_image = initrd_gpa;
	bp->hdr.ramdisk_size = initrd_len;
	bp->acpi_rsdp_addr = LAYOUT_ACPI;
	e820_fill(bp, mem);
}

/* Identity map of the low 4 GiB in 2 MiB pages. */
static void page_tables_fill(uint64_t *pt)
{
	uint64_t *pdpt = pt + 512, *pd = pt + 1024;
	const uint64_t table = PTE_PRESENT | PTE_WRITE;
	unsigned int i;

	pt[0] = (LAYOUT_PAGE_TABLES + PAGE) | table;
	for (i = 0; i < 4; i++)
		pdpt[i] = (LAYOUT_PAGE_TABLES + (2 + i) * PAGE) | table;
	for (i = 0; i < 4 * 512; i++)
		pd[i] = i * 2 * MIB | table | PTE_LARGE;
}

static void gdt_fill(uint64_t *gdt)
{
	gdt[SEL_CODE / 8] = 0x00af9b000000ffffULL; /* 64-bit, execute, read */
	gdt[SEL_DATA / 8] = 0x00cf93000000ffffULL; /* flat, read, write */
	gdt[SEL_TSS / 8] = 0x00008b0000000067ULL;
}

int boot_tables_write(const struct guest_mem *mem)
{
	char *base = guest_mem_hva(mem, 0, LAYOUT_HIGH_RAM);

	if (!base)
		return -EFAULT;
	gdt_fill((void *)(base + LAYOUT_GDT));
	page_tables_fill((void *)(base + LAYOUT_PAGE_TABLES));
	return 0;
}

int boot_params_write(const struct guest_mem *mem, const struct boot_image *img,
		      const char *cmdline, uint64_t initrd_gpa,
		      uint64_t initrd_len, const struct errmsg *e)
{
	size_t len = strlen(cmdline);
	char *base = guest_mem_hva(mem, 0, LAYOUT_HIGH_RAM);

	if (!base)
		return errmsg_set(e, -EFAULT, "no memory below 1 MiB");
	if (len > BOOT_CMDLINE_MAX)
		return errmsg_set(e, -E2BIG,
				  "kernel command line of %zu bytes: at most %d",
				  len, BOOT_CMDLINE_MAX);
	memcpy(base + LAYOUT_CMDLINE, cmdline, len + 1);
	zero_page_fill((void *)(base + LAYOUT_BOOT_PARAMS), mem, img,
		       initrd_gpa, initrd_len);
	return boot_tables_write(mem);
}

void boot_sregs(struct kvm_sregs *s)
{
	const struct kvm_segment code = {
		.selector = SEL_CODE, .limit = 0xffffffff, .type = 0xb,
		.present = 1, .s = 1, .l = 1, .g = 1,
	};
	const struct kvm_segment data = {
		.selector = SEL_DATA, .limit = 0xffffffff, .type = 0x3,
		.present = 1, .s = 1, .db = 1, .g = 1,
	};

	s->cs = code;
	s->ds = s->es = s->fs = s->gs = s->ss = data;
	s->tr = (struct kvm_segment){
		.selector = SEL_TSS, .limit = 0x67, .type = 0xb, .present = 1,
	};
	s->gdt.base = LAYOUT_GDT;
	s->gdt.limit = SEL_TSS + 16 - 1;
	s->idt.base = 0;
	s->idt.limit = 0;
	s->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_PG;
	s->cr3 = LAYOUT_PAGE_TABLES;
	s->cr4 = CR4_PAE;
	s->efer = EFER_LME | EFER_LMA;
}

struct kvm_regs boot_regs(uint64_t entry_gpa)
{
	return (struct kvm_regs){
		.rip = entry_gpa,
		.rsi = LAYOUT_BOOT_PARAMS,
		.rsp = LAYOUT_GDT, /* grows down, in reserved memory */
		.rflags = 2,
	};
}
