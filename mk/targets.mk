# SPDX-License-Identifier: GPL-2.0-only

.PHONY: all unit-tests run-unit clean help

unit-tests: $(unit-tests)

# make unit-DIR builds and runs the unit tests of one folder
unit-%: $$(unit-tests-$$*)
	@set -e; for t in $(unit-tests-$*); do echo "  TEST    $$t"; $$t; done

clean:
	rm -rf $(O)

help:
	@echo 'make            build $(O)/ktstr'
	@echo 'make run        install what is missing, build, run the default scenario'
	@echo 'make check      every test: unit tests, sanitizers, VM tests'
	@echo 'make unit-DIR   the unit tests of one folder (lib, vmm, monitor, ...)'
	@echo 'make clean      remove $(O)'
	@echo 'knobs: O=dir V=1 CC=clang SAN=address,undefined'

-include $(deps)
