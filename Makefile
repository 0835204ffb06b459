# SPDX-License-Identifier: GPL-2.0-only
#
# One graph: every folder's build.mk says by name what it builds.
# `make help` lists the targets; O=, V=1, SAN=, CC=, SETUP= are the knobs.

O      ?= build
V      ?= 0
SAN    ?=
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.SECONDEXPANSION:
.DEFAULT_GOAL := all

include mk/config.mk
include mk/rules.mk
include mk/fuzz.mk

include lib/build.mk
include vmm/build.mk
include monitor/build.mk
include runner/build.mk
include agent/build.mk
include bpf/build.mk
include tools/build.mk
include selftests/build.mk

all: $(O)/ktstr

include mk/mutants.mk
include mk/targets.mk
