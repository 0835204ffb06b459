# SPDX-License-Identifier: GPL-2.0-only

.PHONY: all unit-tests list-unit-tests list-tsan-tests list-vm-tests run check \
	check-unit check-san check-vm check-static setup install clean format \
	vm-test-programs bench bench-programs help

# As many jobs as CPUs, unless make was told.
jobs = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
sub_make = +@$(MAKE) $(jobs)

unit-tests: $(unit-tests)
bench-programs: $(bench-programs)
vm-test-programs: $(vm-tests)

# A folder's build.mk adds to tsan-tests (as DIR/NAME) what runs with threads
list-unit-tests:
	@printf '%s\n' $(unit-tests)
list-tsan-tests:
	@printf '%s\n' $(addprefix $(O)/,$(tsan-tests))
# Programs of selftests/ beside its scripts
list-vm-tests:
	@printf '%s\n' $(vm-tests)

# make unit-DIR builds and runs the unit tests of one folder
unit-%: $$(unit-tests-$$*)
	@set -e; for t in $(unit-tests-$*); do echo "  TEST    $$t"; $$t; done

# What is missing is installed first; then make starts again, since
# config.mk reads what set-up wrote.
setup:
	@tools/setup -y --stage build

run: setup
	$(sub_make) all
	@KTSTR=$(O)/ktstr tools/setup -y --stage emulator
	$(O)/ktstr run scenarios/throttled-reader.toml

check: setup
	+@O=$(O) SAN=$(SAN) MAKE='$(MAKE) $(jobs)' tools/check

# One part of it: check-static, check-unit, check-san, check-vm
check-static check-unit check-san check-vm: check-%: setup
	+@O=$(O) SAN=$(SAN) MAKE='$(MAKE) $(jobs)' tools/check $*

# make install PREFIX=/usr DESTDIR=stage; ktstr finds its scenarios from there
PREFIX ?= /usr/local
install: all
	install -Dm755 $(O)/ktstr $(DESTDIR)$(PREFIX)/bin/ktstr
	install -d $(DESTDIR)$(PREFIX)/share/ktstr/scenarios
	install -m644 scenarios/*.toml \
		$(DESTDIR)$(PREFIX)/share/ktstr/scenarios
	install -Dm644 docs/ktstr.1 $(DESTDIR)$(PREFIX)/share/man/man1/ktstr.1

# Each writes its section of docs/benchmarks.md. On a machine whose KVM can't
# run a kernel they need QEMU, elsewhere it is what is compared with.
bench: bench-all
bench-%: setup
	$(sub_make) all $(bench-programs)
	@KTSTR=$(O)/ktstr tools/setup -y --stage emulator
	@O=$(O) tools/bench $(filter-out all,$*)

clean:
	rm -rf $(O)

# git knows which files are ours
format:
	clang-format -i $$(git ls-files '*.c' '*.h' '*.cc')

compile_commands.json: Makefile $(wildcard mk/*.mk */build.mk)
	@$(MAKE) -nB V=1 all unit-tests >$@.tmp
	@tools/compile-commands <$@.tmp >$@; rm -f $@.tmp

help:
	@echo 'make            build $(O)/ktstr'
	@echo 'make run        install what is missing, build, run the default scenario'
	@echo 'make check      every test; the last line counts them'
	@echo '  check-static  the second compiler, includes, shell scripts'
	@echo '  check-unit    unit tests'
	@echo '  check-san     unit tests with sanitizers (SAN=thread: only that one)'
	@echo '  check-vm      tests that boot guests'
	@echo 'make mutants    break the disk line by line: the tests must notice'
	@echo 'make fuzz T=60  each fuzz target for T seconds (fuzz-NAME: one)'
	@echo 'make unit-DIR   the unit tests of one folder (lib, vmm, monitor, ...)'
	@echo 'make bench      measure, and write docs/benchmarks.md; bench-boot, -disk, -telemetry, -slowdown: one section'
	@echo 'make setup      only install what is missing (tools/setup --help)'
	@echo 'make install    ktstr, scenarios and man page below PREFIX=/usr/local'
	@echo 'make format     clang-format over all of it'
	@echo 'make compile_commands.json'
	@echo 'make clean      remove $(O)'
	@echo 'knobs: O=dir V=1 CC=clang-22 SAN=address,undefined'

-include $(deps)
