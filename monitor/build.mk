# SPDX-License-Identifier: GPL-2.0-only
monitor-objs := \
	array_numbers.o \
	btf_json.o \
	btf_type.o \
	btf_value.o \
	hash_numbers.o \
	htab.o \
	idr.o \
	kbtf.o \
	kmem.o \
	locate.o \
	details.o \
	dsq.o \
	map.o \
	map_json.o \
	map_other.o \
	monitor.o \
	numbers.o \
	page_walk.o \
	psi.o \
	queue.o \
	sched.o \
	sched_details.o \
	scx.o \
	storage.o \
	struct_ops.o \
	tasks.o
$(eval $(call archive,monitor,$(monitor-objs)))

# The hand-made guest is a test's, not the archive's.
monitor-tests := array_numbers_test btf_json_test cpus_test details_test hash_numbers_test hostile_test \
	kmem_test live_test map_kinds_test map_test monitor_test page_walk_test \
	psi_test tasks_test
monitor-made := $(O)/monitor/test_full.o $(O)/monitor/test_image.o
monitor-test-libs := $(monitor-made) $(O)/monitor/monitor.a $(LIBBPF_LIBS) -ljansson
$(eval $(call unit_tests,monitor,$(monitor-tests),monitor,$(monitor-test-libs)))
$(addprefix $(O)/monitor/,$(monitor-tests)): $(monitor-made)
deps += $(monitor-made:.o=.d)
tsan-tests += monitor/kmem_test monitor/live_test

include monitor/fuzz/build.mk
