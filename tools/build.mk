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

# It makes guests as the monitor's tests do, and stays on this machine
bench-programs += $(O)/tools/bench_telemetry
deps += $(O)/tools/bench_telemetry.d
$(O)/tools/bench_telemetry: $(O)/tools/bench_telemetry.o \
		$(O)/monitor/test_image.o $(bench_vm-uses)
	$(call say,LD,$@)
	$(Q)$(CXX) $(KT_LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group \
		$(filter %.a,$^) -Wl,--end-group $(HOST_LIBS) -lcheck \
		-lsubunit -lrt
