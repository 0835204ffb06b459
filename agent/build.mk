# SPDX-License-Identifier: GPL-2.0-only
# The workers and their loads
agent-objs := capture.o cgroup.o disk.o load.o load_bursty.o load_exec.o load_io.o load_pair.o \
	load_periodic.o load_spin.o load_yield.o program.o schedstat.o stamp.o worker.o \
	worker_main.o
agent-tests := cgroup_test disk_test load_exec_test program_test load_run_test load_test stamp_test \
	worker_test

# What prepares the guest, and the supervisor
agent-objs += exec.o agent.o agent_phases.o agent_programs.o clock_exchange.o init.o json_text.o \
	kmsg.o libbpf_room.o map_write.o module.o observer.o phase.o plan.o port.o sched.o sched_exec.o sched_exit.o sched_loader.o sched_set.o \
	shm.o symbols.o sysfile.o time_floor.o topology.o
agent-tests += sched_exec_test exec_test clock_exchange_test kmsg_test libbpf_room_test map_write_test observer_test phase_test plan_test port_test sched_set_test \
	sched_test topology_test

$(eval $(call archive,agent,$(agent-objs)))
$(eval $(call unit_tests,agent,$(agent-tests),agent lib,$(AGENT_LIBS)))

# The guest's PID 1. Static and stripped: it travels in every initrd.
$(O)/agent/ktstr-agent: $(O)/agent/main.o $(O)/agent/agent.a $(O)/lib/lib.a
	$(call say,LD,$@)
	$(Q)$(CC) $(KT_LDFLAGS) $(STATIC) -s -o $@ $^ $(AGENT_LIBS)
deps += $(O)/agent/main.d

# a scheduler's variables, without a scheduler
$(O)/agent/sched_set_test: | $(O)/agent/sched_set_test.bpf.o
deps += $(O)/agent/sched_set_test.bpf.d
