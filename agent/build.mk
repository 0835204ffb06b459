# SPDX-License-Identifier: GPL-2.0-only
# The workers and their loads
agent-objs := cgroup.o disk.o load.o load_bursty.o load_io.o load_spin.o \
	schedstat.o stamp.o worker.o worker_main.o
agent-tests := cgroup_test disk_test load_test stamp_test worker_test

# What prepares the guest, and the supervisor
agent-objs += plan.o shm.o sysfile.o

$(eval $(call archive,agent,$(agent-objs)))
$(eval $(call unit_tests,agent,$(agent-tests),agent lib,$(AGENT_LIBS)))
