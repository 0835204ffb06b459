# SPDX-License-Identifier: GPL-2.0-only
monitor-objs := \
	btf_json.o \
	btf_type.o \
	btf_value.o \
	idr.o \
	kbtf.o \
	kmem.o \
	locate.o \
	map.o \
	map_json.o \
	monitor.o \
	numbers.o \
	page_walk.o \
	sched.o \
	scx.o
$(eval $(call archive,monitor,$(monitor-objs)))
