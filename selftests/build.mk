# SPDX-License-Identifier: GPL-2.0-only
# VM tests that are programs; the scripts vm_*.sh need no line here.

vm_emu-objs := $(addprefix $(O)/selftests/,vm_emu.o emu_inside.o)
vm_emu-uses := $(foreach a,runner monitor vmm lib,$(O)/$(a)/$(a).a)
vm-tests += $(O)/selftests/vm_emu
deps += $(vm_emu-objs:.o=.d)

# It is also the init of the hosts that it boots: static, like ktstr
$(O)/selftests/vm_emu: $(vm_emu-objs) $(vm_emu-uses)
	$(call say,LD,$@)
	$(Q)$(CXX) $(KT_LDFLAGS) $(STATIC) -o $@ $(vm_emu-objs) \
		-Wl,--start-group $(vm_emu-uses) -Wl,--end-group $(HOST_LIBS)
