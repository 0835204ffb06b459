# SPDX-License-Identifier: GPL-2.0-only
# Pattern rules, and the two functions the build.mk files call.

ifeq ($(V),1)
say = @:
Q :=
else
say = @printf '  %-7s %s\n' $(1) $(2)
Q := @
endif

deps :=
unit-tests :=
bench-programs :=

$(O)/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(KT_CFLAGS) $(CFLAGS) $(KT_CFLAGS_$(subst /,_,$(patsubst %/,%,$(dir $<)))) -c $< -o $@

$(O)/%.o: %.cc
	$(call say,CXX,$<)
	@mkdir -p $(@D)
	$(Q)$(CXX) $(CPPFLAGS) $(KT_CXXFLAGS) $(CXXFLAGS) -c $< -o $@

# $(call archive,DIR,OBJS): DIR.a from the folder's objects
define archive
$(O)/$(1)/$(1).a: $(addprefix $(O)/$(1)/,$(2))
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@; $$(AR) rcs $$@ $$^
deps += $(patsubst %.o,$(O)/$(1)/%.d,$(2))
endef

# $(call unit_tests,DIR,NAMES,ARCHIVES,LIBS): DIR/NAME.c is a libcheck program
# linked with ARCHIVES (folder names, in link order) and LIBS
define unit_tests
$(foreach t,$(2),$(eval unit-tests += $(O)/$(1)/$(t))
$(eval unit-tests-$(1) += $(O)/$(1)/$(t))
$(eval deps += $(O)/$(1)/$(t).d)
$(eval $(call unit_test_rule,$(1),$(t),$(3),$(4))))
endef

define unit_test_rule
$(O)/$(1)/$(2): $(O)/$(1)/$(2).o $(foreach a,$(3),$(O)/$(a)/$(a).a)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(KT_LDFLAGS) -o $$@ $$< $(foreach a,$(3),$(O)/$(a)/$(a).a) $(4) -lcheck -lsubunit -lrt -lm -lpthread
endef
