# SPDX-License-Identifier: GPL-2.0-only
# Compilers, flags, and where tools/setup put what the distribution lacks.

KTSTR_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/ktstr

# Written by tools/setup: LIBBPF_DIR, GUEST_KERNEL_DIR, CLANG_BPF
-include $(KTSTR_CACHE)/setup.mk

ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin CXX),default)
CXX := $(if $(findstring clang,$(CC)),$(subst clang,clang++,$(CC)),g++)
endif
AR      ?= ar
CLANG_BPF ?= clang-22
LIBBPF_DIR ?= $(KTSTR_CACHE)/pkg
LIBBPF_CFLAGS := -isystem $(LIBBPF_DIR)/usr/include
LIBBPF_LIBS := $(LIBBPF_DIR)/usr/lib/x86_64-linux-gnu/libbpf.a -lelf -lz
GUEST_KERNEL_DIR ?= $(KTSTR_CACHE)/kernels/default

WARN := -Wall -Wextra -Werror -Wno-unused-parameter -Wmissing-prototypes \
	-Wstrict-prototypes -Wvla -Wshadow
CXXWARN := -Wall -Wextra -Werror -Wno-unused-parameter
ifneq ($(findstring clang,$(CC)),)
WARN += -Wno-gnu-variable-sized-type-not-at-end
else
# Messages may be cut; where a cut path matters the code compares lengths.
WARN += -Wno-format-truncation
endif
CPPFLAGS += -I. -Iinclude -D_GNU_SOURCE $(LIBBPF_CFLAGS)
CFLAGS   ?= -O2 -g
CXXFLAGS ?= -O1 -g
KT_CFLAGS := -std=gnu11 $(WARN) -fno-strict-aliasing -pthread -MMD -MP
KT_CXXFLAGS := -std=c++17 $(CXXWARN) -MMD -MP
ifneq ($(SAN),)
KT_CFLAGS += -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all
KT_CXXFLAGS += -fsanitize=$(SAN) -fno-omit-frame-pointer
KT_LDFLAGS += -fsanitize=$(SAN)
STATIC :=
else
STATIC := -static
endif

# What the host side links; all of it exists as a static library.
HOST_LIBS := $(LIBBPF_LIBS) -ljansson -lmd -lzstd -llzma -llz4 -lz -lpthread -lm
# --wrap: agent/libbpf_room.h
AGENT_LIBS := $(LIBBPF_LIBS) -ljansson -lz -lpthread -Wl,--wrap=realloc,-u,__wrap_realloc
