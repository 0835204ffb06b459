# SPDX-License-Identifier: GPL-2.0-only
# Fuzz targets. A folder's fuzz/build.mk says
#
#   fuzz-srcs-NAME := the sources that DIR/fuzz/NAME.c tests
#   fuzz-archives-NAME := folders instead, of which it links what it needs
#   fuzz-libs-NAME := what else it links, if anything
#   fuzz-args-NAME := more of libFuzzer's options, if any
#   $(eval $(call fuzz_targets,DIR,NAME...))
#
# make fuzz T=60 runs them all, T seconds each, one after the other; make
# fuzz-NAME runs one. Inputs that are found go to $(O)/fuzz/NAME.corpus, those
# that break something to $(O)/fuzz/NAME-*. As plain tests: fuzz_corpus_test.

T ?= 60
FUZZ_SECONDS ?= $(T)
FUZZ_CC ?= clang
FUZZ_CXX ?= clang++
FUZZ_FLAGS := -O1 -g -fno-strict-aliasing -fsanitize=address,undefined \
	-fsanitize=fuzzer-no-link -fno-sanitize-recover=all -MMD -MP

fuzz-programs :=

$(O)/fuzz/obj/%.o: %.c
	$(call say,FUZZCC,$<)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(CPPFLAGS) -std=gnu11 $(FUZZ_FLAGS) \
		$(KT_CFLAGS_$(subst /,_,$(patsubst %/,%,$(dir $<)))) \
		$(FUZZ_DEFINES) -c $< -o $@

$(O)/fuzz/obj/%.o: %.cc
	$(call say,FUZZCXX,$<)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CXX) $(CPPFLAGS) -std=c++17 $(FUZZ_FLAGS) -c $< -o $@

# A folder's objects but for those that assemble other files
fuzz-no-objs := blob.o blob_data.o
define fuzz_archive
$(O)/fuzz/obj/$(1).a: $(patsubst %,$(O)/fuzz/obj/$(1)/%,$(filter-out $(fuzz-no-objs),$($(1)-objs)))
	$$(call say,FUZZAR,$$@)
	$$(Q)rm -f $$@; $$(AR) rcs $$@ $$^
deps += $(patsubst %.o,$(O)/fuzz/obj/$(1)/%.d,$($(1)-objs))
endef

# The target's own object has libFuzzer's entry
define fuzz_targets
$(foreach t,$(2),$(eval $(call fuzz_rule,$(1),$(t),$(patsubst %,$(O)/fuzz/obj/%.o,$(basename $(1)/fuzz/$(t).c $(fuzz-srcs-$(t)))))))
endef

define fuzz_rule
fuzz-programs += $(O)/fuzz/$(2)
fuzz-corpus-$(2) := $(1)/fuzz/corpus/$(2)
deps += $(3:.o=.d)
$(O)/fuzz/obj/$(1)/fuzz/$(2).o: FUZZ_DEFINES := -DFUZZ_ENTRY=fuzz_$(2)
$(O)/fuzz/$(2): $(3) $(patsubst %,$(O)/fuzz/obj/%.a,$(fuzz-archives-$(2)))
	$$(call say,FUZZ,$$@)
	$$(Q)$$(FUZZ_CXX) -fsanitize=fuzzer,address,undefined -o $$@ $$^ \
		$(fuzz-libs-$(2)) -lz -lpthread
.PHONY: fuzz-$(2)
fuzz-$(2): $(O)/fuzz/$(2)
	@tools/fuzz $(O)/fuzz/$(2) $(1)/fuzz/corpus/$(2) $$(FUZZ_SECONDS) \
		$(fuzz-args-$(2))
endef

.PHONY: fuzz list-fuzz
fuzz: $$(fuzz-programs)
	@status=0; $(foreach p,$(fuzz-programs),tools/fuzz $(p) \
		$(fuzz-corpus-$(notdir $(p))) $(FUZZ_SECONDS) \
		$(fuzz-args-$(notdir $(p))) || status=1;) exit $$status
list-fuzz:
	@printf '%s\n' $(notdir $(fuzz-programs))
