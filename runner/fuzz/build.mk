# SPDX-License-Identifier: GPL-2.0-only
# Fuzz targets of the runner: see mk/fuzz.mk. One target a line.
runner-fuzz += scenario
fuzz-archives-scenario := runner lib
fuzz-libs-scenario := -ljansson -lmd
fuzz-args-scenario := -max_len=4096 -dict=runner/fuzz/scenario.dict

runner-fuzz += agent
fuzz-archives-agent := runner monitor lib
fuzz-libs-agent := $(HOST_LIBS)
fuzz-args-agent := -max_len=4096 -dict=runner/fuzz/agent.dict

runner-fuzz += progress
fuzz-archives-progress := runner lib
fuzz-libs-progress := -ljansson

$(foreach d,runner monitor lib,$(eval $(call fuzz_archive,$(d))))
$(eval $(call fuzz_targets,runner,$(runner-fuzz)))

runner-fuzz-objs := $(patsubst %,$(O)/runner/fuzz/%.o,$(runner-fuzz))
deps += $(runner-fuzz-objs:.o=.d)
$(eval $(call unit_tests,runner,fuzz_corpus_test,runner monitor lib,\
	$(runner-fuzz-objs) $(O)/runner/runner.a $(O)/monitor/monitor.a \
	$(O)/lib/lib.a $(HOST_LIBS) -lstdc++))
$(O)/runner/fuzz_corpus_test: $(runner-fuzz-objs)
