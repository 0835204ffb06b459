# SPDX-License-Identifier: GPL-2.0-only
#
# The BPF schedulers and observers, and what puts them and the agent into the ktstr binary.
# They are built against the types of the fetched kernel (VMLINUX= takes the
# ELF, or the raw BTF, of another), and run on any: libbpf relocates them.

VMLINUX ?= $(O)/guest-vmlinux
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -Wall -Werror -I. -I$(O)/include \
	$(LIBBPF_CFLAGS)
# The kernel's structs embed others by their tag alone
BPF_CFLAGS += -fms-extensions -Wno-microsoft-anon-tag
# Only DWARF goes: BTF stays
LLVM_STRIP ?= $(subst clang,llvm-strip,$(CLANG_BPF))

bpf-objs := simple fifo per_llc faults/starve_one faults/stall faults/map_lies \
	faults/delay_io faults/unfair faults/idle_leak \
	faults/late_kworker faults/slow_exit
bpf-objs += $(addprefix observers/,wake_latency io_completion who_ran \
	work_conservation)
bpf-objs := $(patsubst %,$(O)/bpf/%.bpf.o,$(bpf-objs))
deps += $(bpf-objs:.o=.d)

.PHONY: bpf
bpf: $(bpf-objs)

# tools that the build itself runs
kunpack-objs := $(O)/tools/kunpack.o $(addprefix $(O)/vmm/,boot_image.o \
	unpack.o) $(O)/lib/lib.a
$(O)/tools/kunpack: $(kunpack-objs)
	$(call say,LD,$@)
	$(Q)$(CC) $(KT_LDFLAGS) -o $@ $^ -lzstd -llzma -llz4 -lz
deps += $(O)/tools/kunpack.d

mkvmlinuxh-objs := $(O)/tools/mkvmlinuxh.o $(addprefix $(O)/runner/,\
	vmlinux_h.o) $(O)/lib/lib.a
$(O)/tools/mkvmlinuxh: $(mkvmlinuxh-objs)
	$(call say,LD,$@)
	$(Q)$(CC) $(KT_LDFLAGS) -o $@ $^ $(LIBBPF_LIBS)
deps += $(O)/tools/mkvmlinuxh.d

# The tools are relinked with any change of lib/: that makes no new types
$(O)/guest-vmlinux: $(GUEST_KERNEL_DIR)/vmlinuz | $(O)/tools/kunpack
	$(call say,UNPACK,$<)
	$(Q)$(O)/tools/kunpack $< $@

$(O)/include/vmlinux.h: $(VMLINUX) $(O)/runner/vmlinux_h.o | $(O)/tools/mkvmlinuxh
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q)$(O)/tools/mkvmlinuxh $< $@

$(O)/%.bpf.o: %.bpf.c $(O)/include/vmlinux.h
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG_BPF) $(BPF_CFLAGS) -MMD -MP -c $< -o $@
	$(Q)$(LLVM_STRIP) -g $@

# blob.S takes its files from $(O) by -I, so it must wait for them by name
$(O)/runner/blob_data.o: runner/blob.S runner/builtin_list.h \
		runner/observer_list.h $(bpf-objs) \
		$(O)/agent/ktstr-agent
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -I. -I$(O) -c $< -o $@
