# SPDX-License-Identifier: GPL-2.0-only
# make mutants breaks the disk's code a line at a time (tools/mutants.list) and
# fails if the test named for it does not notice. It takes minutes; so make
# check only sees that each mutant still fits the code (mutants-check).

mutants-env = O=$(O) MUTANT_CC='$(CC) $(CPPFLAGS) $(KT_CFLAGS) $(CFLAGS)' \
	MUTANT_LINK='$(CC) $(KT_LDFLAGS)' \
	MUTANT_LIBS='$(vmm-libs) -lcheck -lsubunit -lrt -lm -lpthread'

.PHONY: mutants mutants-check
mutants: $$(unit-tests-vmm)
	+@$(MAKE) O=$(O)/tsan SAN=thread \
		$(addprefix $(O)/tsan/,$(filter vmm/%,$(tsan-tests)))
	@$(mutants-env) tools/mutants $(LIST)

mutants-check: $$(O)/vmm/blk_policy_test
	@$(mutants-env) tools/mutants --self-test
	@tools/mutants --stale
