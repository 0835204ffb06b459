# SPDX-License-Identifier: GPL-2.0-only
# Fuzz targets of the guest's reader: see mk/fuzz.mk. One target a line.
monitor-fuzz += reader
fuzz-srcs-reader := monitor/test_full.c monitor/test_image.c
fuzz-archives-reader := monitor lib
fuzz-libs-reader := $(LIBBPF_LIBS) -ljansson

$(eval $(call fuzz_targets,monitor,$(monitor-fuzz)))

monitor-fuzz-objs := $(patsubst %,$(O)/monitor/fuzz/%.o,$(monitor-fuzz))
deps += $(monitor-fuzz-objs:.o=.d)
$(eval $(call unit_tests,monitor,fuzz_corpus_test,monitor lib,\
	$(monitor-fuzz-objs) $(monitor-made) $(O)/monitor/monitor.a \
	$(O)/lib/lib.a $(LIBBPF_LIBS) -ljansson))
$(O)/monitor/fuzz_corpus_test: $(monitor-fuzz-objs) $(monitor-made)
