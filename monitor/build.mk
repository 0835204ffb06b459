# SPDX-License-Identifier: GPL-2.0-only
monitor-objs := \
	btf_json.o \
	btf_type.o \
	btf_value.o \
	idr.o \
	kbtf.o \
	kmem.o \
	locate.o \
	map.o \
	map_json.o \
	monitor.o \
	numbers.o \
	page_walk.o \
	sched.o \
	scx.o
$(eval $(call archive,monitor,$(monitor-objs)))

# The hand-made guest is a test's, not the archive's.
monitor-test-libs := $(LIBBPF_LIBS) -ljansson
$(eval $(call unit_tests,monitor,monitor_test,monitor,$(O)/monitor/test_image.o $(monitor-test-libs)))
$(O)/monitor/monitor_test: $(O)/monitor/test_image.o
deps += $(O)/monitor/test_image.d
