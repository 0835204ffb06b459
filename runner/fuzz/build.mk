# SPDX-License-Identifier: GPL-2.0-only
# Fuzz targets of the runner: see mk/fuzz.mk. One target a line.
runner-fuzz += scenario
fuzz-srcs-scenario := runner/toml.cc lib/path.c lib/log.c \
	$(addprefix runner/,units.c diag.c schema.c schema_print.c kinds.c \
	metrics.c builtin.c set.c scenario.c scenario_tables.c \
	scenario_check.c scenario_checks.c plan.c)
fuzz-libs-scenario := -ljansson -lmd
fuzz-args-scenario := -max_len=4096 -dict=runner/fuzz/scenario.dict

runner-fuzz += agent
fuzz-srcs-agent := $(addprefix runner/,session.c session_agent.c \
	session_clock.c session_exec.c session_facts.c session_progress.c \
	progress.c look.c look_take.c session_write.c console_log.c \
	facts_disk.c facts_workload.c clock_relation.c io_pair.c io_wake.c \
	diag.c units.c metrics.c judge.c judge_auto.c judge_end.c judge_fair.c judge_ratio.c) \
	$(addprefix lib/,frame.c hist.c log.c path.c) \
	$(addprefix monitor/,$(patsubst %.o,%.c,$(monitor-objs)))
fuzz-libs-agent := $(LIBBPF_LIBS) -ljansson -lmd
fuzz-args-agent := -max_len=4096 -dict=runner/fuzz/agent.dict

$(eval $(call fuzz_targets,runner,$(runner-fuzz)))

runner-fuzz-objs := $(patsubst %,$(O)/runner/fuzz/%.o,$(runner-fuzz))
deps += $(runner-fuzz-objs:.o=.d)
$(eval $(call unit_tests,runner,fuzz_corpus_test,runner monitor lib,\
	$(runner-fuzz-objs) $(O)/runner/runner.a $(O)/monitor/monitor.a \
	$(O)/lib/lib.a $(HOST_LIBS) -lstdc++))
$(O)/runner/fuzz_corpus_test: $(runner-fuzz-objs)
