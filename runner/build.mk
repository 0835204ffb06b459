# SPDX-License-Identifier: GPL-2.0-only

# The front: from a scenario to a plan, from facts to a verdict. It needs no
# VM, and its tests link nothing else.
runner-front-objs := toml.o units.o diag.o schema.o schema_print.o kinds.o \
	metrics.o builtin.o set.o scenario.o scenario_tables.o scenario_check.o scenario_disk.o \
	scenario_checks.o plan.o judge.o judge_auto.o judge_end.o \
	judge_fair.o judge_ratio.o result.o report.o rundir.o run_opts.o \
	run.o run_batch.o run_control.o progress.o status.o status_line.o \
	record.o ktap.o junit.o blame.o blame_cause.o blame_gap.o blame_look.o bundle.o image_id.o replay.o cmd_replay.o
runner-front-objs += exec_find.o judge_exec.o scenario_exec.o scenario_maps.o
runner-front-tests := blame_test replay_test judge_exec_test scenario_exec_test units_test scenario_test scenario_bad_test judge_test judge_ratio_test run_test ktap_test \
	junit_test progress_test status_test
runner-front-objs += scenario_image.o scenario_observe.o
runner-front-tests += scenario_image_test

runner-objs := cmd_check.o cmd_list.o cmd_run.o

# The emulated host
runner-objs += emu.o emu_boot.o emu_exec.o emu_init.o emu_job.o \
	emu_job_inside.o emu_link.o emu_bytes.o emu_serve.o emu_slot.o probe.o

# Kernels, and what goes into an initramfs
runner-objs += cpio.o decompress.o elf_deps.o kernel.o modules.o
$(eval $(call unit_tests,runner,cpio_test emu_link_test emu_bytes_test modules_test,\
	runner lib,$(HOST_LIBS)))

# From a plan to facts: the parent's side and the VM process
runner-objs += launch.o launch_child.o prepare.o blob.o blob_data.o \
	session.o session_agent.o session_facts.o sampler.o sample_line.o \
	console_log.o facts_disk.o facts_vcpu.o facts_workload.o clock_relation.o io_pair.o \
	io_wake.o session_clock.o session_details.o \
	session_progress.o look.o look_gap.o look_wait.o look_take.o look_watch.o session_write.o
$(eval $(call unit_tests,runner,look_test look_gap_test look_wait_test facts_test clock_relation_test io_pair_test \
	io_wake_test,runner lib,-ljansson))
$(eval $(call unit_tests,runner,look_watch_test,runner lib,-ljansson))
tsan-tests += runner/look_watch_test
# On the monitor's hand-made guest
$(eval $(call unit_tests,runner,sampler_test,runner monitor lib,\
	$(O)/monitor/test_image.o $(O)/runner/runner.a $(O)/monitor/monitor.a \
	$(O)/lib/lib.a $(HOST_LIBS)))
$(O)/runner/sampler_test: $(O)/monitor/test_image.o
tsan-tests += runner/clock_relation_test runner/sampler_test

$(eval $(call unit_tests,runner,sample_line_test,runner lib,-ljansson))

# Observers in the guest
runner-front-objs += observe_facts.o
runner-objs += observe.o observe_io.o observe_ran.o session_observe.o
$(eval $(call unit_tests,runner,observe_test,runner lib,-ljansson))
tsan-tests += runner/observe_test

# One command in a VM
runner-objs += cmd_exec.o exec_pack.o session_exec.o

# Programs of a scenario
runner-objs += facts_exec.o launch_exec.o session_load.o
$(eval $(call unit_tests,runner,facts_exec_test,runner lib,-ljansson))

$(eval $(call unit_tests,runner,exec_pack_test,runner lib,\
	-ljansson -lelf -lz -lzstd))
$(eval $(call unit_tests,runner,session_exec_test,runner lib,-ljansson))

# What this machine lacks
runner-objs += cmd_doctor.o doctor.o
$(eval $(call unit_tests,runner,doctor_test,runner,-ljansson))

# Disks that begin as files
runner-objs += images.o
$(eval $(call unit_tests,runner,images_test,runner lib,-ljansson))

# Scheduler sources
runner-objs += sched_source.o vmlinux_h.o
sched-source-objs := $(addprefix $(O)/runner/,sched_source.o vmlinux_h.o)
$(eval $(call unit_tests,runner,sched_source_test,lib,\
	$(sched-source-objs) $(O)/lib/lib.a $(LIBBPF_LIBS)))
$(O)/runner/sched_source_test: $(sched-source-objs)

$(eval $(call unit_tests,runner,$(runner-front-tests),lib,\
	$(O)/runner/front.a $(O)/lib/lib.a -ljansson -lmd -lstdc++))
$(addprefix $(O)/runner/,$(runner-front-tests)): $(O)/runner/front.a
$(O)/runner/front.a: $(addprefix $(O)/runner/,$(runner-front-objs))
	$(call say,AR,$@)
	$(Q)rm -f $@; $(AR) rcs $@ $^

runner-objs += $(runner-front-objs)
$(eval $(call archive,runner,$(runner-objs)))
deps += $(O)/runner/main.d

# C++ links it, since toml++ is C++; static, so that it also runs as PID 1
$(O)/ktstr: $(O)/runner/main.o $(foreach d,runner vmm monitor lib,$(O)/$(d)/$(d).a)
	$(call say,LD,$@)
	$(Q)$(CXX) $(KT_LDFLAGS) $(STATIC) -o $@ $< -Wl,--start-group \
		$(filter %.a,$^) -Wl,--end-group $(HOST_LIBS)

include runner/fuzz/build.mk
