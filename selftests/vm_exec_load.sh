#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Any program as a load: Debian's hackbench and cyclictest by their own numbers,
# one that fails, one that has to be killed, one that this machine has not.
. "$(dirname "$0")/lib.sh"

if [ ! -e "$cache/programs/usr/bin/hackbench" ]; then
	echo "skipped: no programs in $cache/programs; run" \
		"'tools/setup --stage sources'"
	exit 4
fi

# Both at once, and a program that ends long before the phase does.
cat >"$tmp/good.toml" <<'T'
schema = 1
name = "programs"
[vm]
topology = "1n1l2c1t"
memory = "512M"
deadline = "120s"
[scheduler]
builtin = "simple"
[[workload]]
name = "hb"
kind = "exec"
exec = ["hackbench", "-g", "1", "-f", "5", "-l", "20"]
match = { time = 'Time: ([0-9.]+)', none = 'no such ([0-9]+)' }
cgroup = "batch"
cpus = [1]
nice = 5
[[workload]]
name = "ct"
kind = "exec"
exec = ["cyclictest", "-q", "--policy=other", "-i", "20000", "-l", "20", "--json=out.json"]
json = "out.json"
[[workload]]
name = "spin"
kind = "spin"
cgroup = "batch"
cpus = [1]
[[phase]]
name = "run"
duration = "4s"
[telemetry]
interval = "100ms"
[[check]]
metric = "hb.match.time"
max = 1000
[[check]]
metric = "ct.json.thread.0.cycles"
between = [1, 20]
T
run_ktstr "$tmp/good.toml"
is "both: exit status" 0 "$status"
holds "hackbench: its time is a number above 0" \
	'any(.checks[]; .metric == "hb.match.time" and .value > 0)'
holds "hackbench: a number that it does not print is null" \
	'.workloads.hb.match.none == null'
holds "hackbench: ended by itself, once" \
	'.workloads.hb.programs[0] | .end == "exited" and .code == 0 and .runs == 1'
holds "hackbench: CPU time of all its tasks" \
	'.workloads.hb.cpu_time_ns > 1000000'
holds "hackbench: what is not measured is not 0" \
	'.workloads.hb.wake_latency_ns == null and .workloads.hb.migrations == null'
holds "cyclictest: its JSON is there" '.workloads.ct.json.num_threads == 1'
holds "cyclictest: judged" \
	'any(.checks[]; .metric == "ct.json.thread.0.cycles" and .value > 0 and .verdict == "pass")'
holds "the workers beside it are counted as ever" '.workloads.spin.iterations > 0'
holds "gap and cpuset are skipped, saying why" \
	'[.checks[] | select(.verdict == "skip" and (.reason | test("stamps")))] | length == 4'
like "hackbench: its stdout is kept" '^Time: [0-9.]+' \
	"$(grep Time "$dir/hb.0.stdout")"
[ -s "$dir/ct.0.json" ]
ok $? "cyclictest: its JSON file is kept"

# One that fails, and one that does not listen, while a third goes on.
cat >"$tmp/bad.toml" <<'T'
schema = 1
name = "failing"
[vm]
topology = "1n1l2c1t"
memory = "512M"
deadline = "120s"
[[workload]]
name = "bad"
kind = "exec"
exec = ["sh", "-c", "echo started; echo no luck >&2; exit 3"]
[[workload]]
name = "deaf"
kind = "exec"
exec = ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"]
add = ["sleep"]
[[workload]]
name = "long"
kind = "exec"
exec = ["sleep", "1000"]
workers = 2
[[phase]]
name = "one"
duration = "1s"
[[phase]]
name = "two"
duration = "1s"
[telemetry]
interval = "100ms"
[[check]]
metric = "bad.json.x"
max = 1
T
run_ktstr "$tmp/bad.toml"
is "a failure: exit status" 1 "$status"
is "a failure: named, with status and last words" \
	"sh (bad) exited with status 3: no luck" "$(reason)"
holds "a failure: skipped in the phase after its end" \
	'any(.checks[]; .metric == "bad.progress" and .phase == "two" and .verdict == "skip")'
holds "a failure: a metric that is missing is inconclusive" \
	'any(.checks[]; .metric == "bad.json.x" and .verdict == "inconclusive")'
holds "killed in the end: warned of, no failure" \
	'any(.checks[]; .metric == "deaf.program" and .verdict == "pass" and (.reason | test("was killed")))'
holds "endless: stopped in the end, each copy" \
	'[.workloads.long.programs[] | select(.end == "stopped")] | length == 2'
is "a failure: stderr is kept" "no luck" "$(cat "$dir/bad.0.stderr")"

# One that this machine has not: no VM is booted for it.
sed 's/"sleep", "1000"/"no-such-program", "1000"/' "$tmp/bad.toml" >"$tmp/none.toml"
run_ktstr "$tmp/none.toml"
is "missing: exit status" 2 "$status"
line=$(grep -n no-such "$tmp/none.toml" | cut -d: -f1)
like "missing: the place" \
	"none.toml:$line:9: error: there is no program \"no-such-program\" on this machine" \
	"$err"
like "missing: a hint" 'hint: install it' "$err"
is "missing: no run is left" no "$([ -e "$dir" ] && echo yes || echo no)"

for s in hackbench cyclictest; do
	like "ktstr list has $s" "^  $s " "$(KTSTR_DATA_DIR=$top "$ktstr" list)"
done

done_testing
