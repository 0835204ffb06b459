#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The kselftest target: inside a kernel tree, under the tree's own scripts; and
# alone, where it must skip with a reason if no machine can be had. Then KTAP of
# `ktstr run`, read by the kernel's own parser.
. "$(dirname "$0")/lib.sh"
need_sources
selftests=tools/testing/selftests
export KTSTR=$ktstr TMPDIR=$tmp

# machine_fault TEXT: says nothing of what is tested
machine_fault() {
	if printf '%s' "$1" | grep -q 'fault of the emulating machine'; then
		echo "machine fault: $1"
		exit 77
	fi
}

# In a tree: a copy, since the sources are shared.
cp -r "$sources/." "$tmp/tree"
mkdir "$tmp/tree/$selftests/ktstr"
cp "$top"/selftests/{Makefile,settings,ktstr_kselftest.c} \
	"$top/scenarios/throttled-reader.toml" "$tmp/tree/$selftests/ktstr/"
MAKEFLAGS='' make -C "$tmp/tree/$selftests" TARGETS=ktstr \
	INSTALL_DEP_TARGETS='' KSFT_INSTALL_PATH="$tmp/install" install \
	>"$tmp/make.log" 2>&1
status=$?
is "the tree's make install: exit status" 0 "$status"
[ $status -eq 0 ] || tail -n 20 "$tmp/make.log"
like "the list of tests has it" '^ktstr:ktstr_kselftest$' \
	"$(cat "$tmp/install/kselftest-list.txt" 2>&1)"

out=$("$tmp/install/run_kselftest.sh" -c ktstr 2>&1)
status=$?
printf '%s\n' "$out" | sed 's/^/| /'
machine_fault "$out"
is "run_kselftest.sh: exit status" 0 $status
like "run_kselftest.sh: a plan of one test" '^1\.\.1$' "$out"
like "run_kselftest.sh: the test is ok" \
	'^ok 1 selftests: ktstr: ktstr_kselftest$' "$out"
like "run_kselftest.sh: the good scheduler passed" \
	'^# ok 1 a good scheduler passes' "$out"
like "run_kselftest.sh: the planted fault was caught" \
	'^# ok 2 a scheduler that starves a worker is caught' "$out"

# Alone, with nothing but the tree's headers.
mkdir "$tmp/alone"
MAKEFLAGS='' make -C "$top/selftests" OUTPUT="$tmp/alone" \
	KSELFTEST="$sources/$selftests" \
	>"$tmp/make.log" 2>&1
status=$?
is "alone: make's exit status" 0 "$status"
[ $status -eq 0 ] || tail -n 20 "$tmp/make.log"

# alone NAME WANTED: with a ktstr that exits as told
alone() {
	printf '#!/bin/sh\necho "%s"\nexit %s\n' "$2" "$1" >"$tmp/fake"
	chmod +x "$tmp/fake"
	out=$(KTSTR=$tmp/fake KTSTR_SCENARIO=$top/scenarios/throttled-reader.toml \
		"$tmp/alone/ktstr_kselftest" 2>&1)
	status=$?
}
alone 4 "SKIP throttled-reader: no KVM and no emulated host"
is "alone: a machine that can't exits with 4" 4 $status
like "alone: and says why" '# SKIP.*no KVM|SKIP throttled.*no KVM' "$out"
for code in 1 2 6 125; do
	alone $code "worker"
	is "alone: ktstr's status $code exits with 1" 1 $status
done
alone 0 PASS
is "alone: a fault that is not caught exits with 1" 1 $status
like "alone: and it is the one" '^not ok 2 a scheduler that starves' "$out"

# The real thing where neither machine can be had: no QEMU, and its own KVM is
# unfit, or the test would not be needed.
if ! "$ktstr" __probe >/dev/null 2>&1; then
	out=$(env -u KTSTR_EMU_HOST PATH="$tmp/no-qemu-here" \
		KTSTR_SCENARIO="$top/scenarios/throttled-reader.toml" \
		"$tmp/alone/ktstr_kselftest" 2>&1)
	status=$?
	printf '%s\n' "$out" | sed 's/^/| /'
	is "alone: no KVM and no emulator exits with 4" 4 $status
fi

# KTAP and JUnit of a real run.
cat >"$tmp/short.toml" <<'T'
schema = 1
name = "short"
[vm]
topology = "1n1l2c1t"
memory = "512M"
[[workload]]
name = "spin"
kind = "spin"
[[phase]]
name = "run"
duration = "500ms"
[telemetry]
interval = "50ms"
T
sed 's/"short"/"late"/; $a [[check]]\nmetric = "spin.iterations"\nmax = 0' \
	"$tmp/short.toml" >"$tmp/late.toml"
run_ktstr "$tmp/short.toml" "$tmp/late.toml" --ktap --junit "$tmp/j.xml"
machine_fault "$out"
is "--ktap: the worst of both decides" 1 $status
printf '%s\n' "$out" >"$tmp/ktap"
like "--ktap: the good run" '^ok 1 short$' "$out"
like "--ktap: the bad one" '^not ok 2 late # fail: spin\.iterations' "$out"
like "--junit: one failure" '<testsuites .* failures="1" errors="0"' \
	"$(cat "$tmp/j.xml")"
if command -v python3 >/dev/null; then
	python3 - "$sources/tools/testing/kunit" "$tmp/ktap" "$tmp/j.xml" <<'P' \
		>"$tmp/parsed" 2>&1
import sys, xml.etree.ElementTree as xml
sys.path.insert(0, sys.argv[1])
from kunit_parser import parse_run_tests, TestStatus
from kunit_printer import null_printer
test = parse_run_tests(open(sys.argv[2]), null_printer)
print(test.counts)
assert test.counts.errors == 0, "KTAP has errors"
assert test.counts.failed == 1, "not one failure"
assert [t.name for t in test.subtests] == ["short", "late"]
assert test.subtests[0].status == TestStatus.SUCCESS
assert test.subtests[1].status == TestStatus.FAILURE
suites = xml.parse(sys.argv[3]).getroot().findall("testsuite")
assert [len(s.findall("testcase")) for s in suites] == \
	[len(t.subtests) for t in test.subtests]
P
	status=$?
	is "--ktap, --junit: the kernel's parser and an XML parser agree" 0 $status
	[ $status -eq 0 ] || sed 's/^/  /' "$tmp/parsed"
fi

done_testing
