# SPDX-License-Identifier: GPL-2.0-only
# make fuzz-NAME runs a libFuzzer program for FUZZ_SECONDS; inputs that it
# finds go to $(O)/fuzz/NAME.corpus. As plain tests: vmm/fuzz_corpus_test.
fuzz-targets := chain mmio console frame
FUZZ_SECONDS ?= 60
FUZZ_CC ?= clang

fuzz-srcs-chain := vmm/virtqueue.c
fuzz-srcs-mmio := vmm/virtio_mmio.c vmm/virtio_core.c lib/log.c
fuzz-srcs-console := vmm/virtio_console.c vmm/virtqueue.c lib/log.c
fuzz-srcs-frame := lib/frame.c

fuzz-objs := $(patsubst %,$(O)/vmm/fuzz/%.o,$(fuzz-targets))
deps += $(fuzz-objs:.o=.d)

$(eval $(call unit_tests,vmm,fuzz_corpus_test,vmm lib,$(fuzz-objs) $(O)/vmm/vmm.a $(O)/lib/lib.a -lz))
$(O)/vmm/fuzz_corpus_test: $(fuzz-objs)

$(O)/fuzz/%: vmm/fuzz/%.c vmm/fuzz/fuzz.h $$(fuzz-srcs-$$*)
	$(call say,FUZZ,$@)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(CPPFLAGS) -std=gnu11 -O1 -g -fno-strict-aliasing \
		-fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all -DFUZZ_ENTRY=fuzz_$* -o $@ \
		$< $(fuzz-srcs-$*) -lz -lpthread

.PHONY: $(addprefix fuzz-,$(fuzz-targets))
$(addprefix fuzz-,$(fuzz-targets)): fuzz-%: $(O)/fuzz/%
	@mkdir -p $(O)/fuzz/$*.corpus
	$(O)/fuzz/$* -max_total_time=$(FUZZ_SECONDS) -max_len=512 \
		-close_fd_mask=0 -artifact_prefix=$(O)/fuzz/ \
		$(O)/fuzz/$*.corpus vmm/fuzz/corpus/$*
