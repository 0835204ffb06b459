# SPDX-License-Identifier: GPL-2.0-only
# Programs of the measurements; tools/bench runs them.

bench_vm-uses := $(foreach a,runner monitor vmm lib,$(O)/$(a)/$(a).a)
bench-programs += $(O)/tools/bench_vm
deps += $(O)/tools/bench_vm.d

# It also runs inside the emulated host: static, like ktstr
$(O)/tools/bench_vm: $(O)/tools/bench_vm.o $(bench_vm-uses)
	$(call say,LD,$@)
	$(Q)$(CXX) $(KT_LDFLAGS) $(STATIC) -o $@ $< -Wl,--start-group \
		$(bench_vm-uses) -Wl,--end-group $(HOST_LIBS)

# They make guests as the monitor's tests do, and stay on this machine
bench-programs += $(O)/tools/bench_telemetry
deps += $(O)/tools/bench_telemetry.d
deps += $(addprefix $(O)/tools/,bench_image.d bench_slow.d bench_slow_guest.d)
bench-programs += $(O)/tools/bench_slow
made-objs := $(O)/tools/bench_image.o $(O)/monitor/test_image.o
$(O)/tools/bench_telemetry: $(O)/tools/bench_telemetry.o
$(O)/tools/bench_slow: $(O)/tools/bench_slow.o $(O)/tools/bench_slow_guest.o
$(addprefix $(O)/tools/,bench_telemetry bench_slow): $(made-objs) $(bench_vm-uses)
	$(call say,LD,$@)
	$(Q)$(CXX) $(KT_LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group \
		$(filter %.a,$^) -Wl,--end-group $(HOST_LIBS) -lcheck \
		-lsubunit -lrt

# The disk's measurements: two guests of their own, and what runs them
$(O)/tools/bench_load: $(O)/tools/bench_load.o $(O)/agent/agent.a $(O)/lib/lib.a
	$(call say,LD,$@)
	$(Q)$(CC) $(KT_LDFLAGS) $(STATIC) -s -o $@ $^

bench_disk-objs := $(addprefix $(O)/tools/,bench_disk.o bench_cpu.o)
$(O)/tools/bench_disk: $(bench_disk-objs) $(bench_vm-uses)
	$(call say,LD,$@)
	$(Q)$(CXX) $(KT_LDFLAGS) $(STATIC) -o $@ $(bench_disk-objs) \
		-Wl,--start-group $(bench_vm-uses) -Wl,--end-group $(HOST_LIBS)

bench_free-objs := $(addprefix $(O)/tools/,bench_free.o bench_guest.o)
bench_free-uses := $(foreach a,vmm lib,$(O)/$(a)/$(a).a)
$(O)/tools/bench_free: $(bench_free-objs) $(bench_free-uses)
	$(call say,LD,$@)
	$(Q)$(CC) $(KT_LDFLAGS) $(STATIC) -o $@ $^ $(vmm-libs) -lpthread

bench-programs += $(addprefix $(O)/tools/,bench_load bench_disk bench_free)
deps += $(addprefix $(O)/tools/,bench_load.d bench_disk.d bench_cpu.d bench_free.d \
	bench_guest.d)
