#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# A run that fails leaves a bundle, and `ktstr replay` does the same run again,
# from the bundle alone; what is no longer the same is refused by name.
. "$(dirname "$0")/lib.sh"

cat >"$tmp/fails.toml" <<'T'
schema = 1
name = "fails"
[vm]
topology = "1n1l1c1t"
memory = "512M"
deadline = "60s"
[scheduler]
builtin = "simple"
set = { slice_ns = 3000000 }
[[workload]]
name = "w"
kind = "bursty"
params = { burst = "1ms", sleep = "9ms" }
[[phase]]
name = "run"
duration = "1s"
[telemetry]
interval = "100ms"
[[check]]
metric = "w.iterations"
min = 1000000000
T

# replay ARGS: sets status, err
replay() {
	"$ktstr" replay "$@" >"$tmp/out" 2>"$tmp/err"
	status=$?
	err=$(cat "$tmp/err")
	if [ $status -eq 6 ] && grep -q 'fault of the emulating machine' \
	   "$tmp/out" "$tmp/err"; then
		echo "machine fault: $(cat "$tmp/out")"
		exit 77
	fi
	tail -n 5 "$tmp/err" | sed 's/^/# /'
	sed 's/^/# /' "$tmp/out"
}

run_ktstr "$tmp/fails.toml"
is "the run: exit status" 1 "$status"
# a quiet boot leaves an empty console.log
[ -e "$dir/bundle/console.log" ]
ok $? "the bundle has console.log"
for file in README result.json scenario.toml facts.json samples.jsonl \
	    agent.log sched.bpf.o maps.json; do
	[ -s "$dir/bundle/$file" ]
	ok $? "the bundle has $file"
done
grep -q "ktstr replay $dir" "$dir/bundle/README"
ok $? "the bundle's README says how to run it again"
first=$result

# only the bundle is left, elsewhere
cp -r "$dir/bundle" "$tmp/elsewhere"
echo 'name = "other"' >"$tmp/fails.toml"
dir=$tmp/again
result=$dir/result.json
replay --out "$dir" "$tmp/elsewhere"
is "the replay: exit status" 1 "$status"
for key in .seed .kernel.hash .scheduler .scenario.hash .vm.topology; do
	case $key in
	.scheduler) key='.scheduler | [.name, .kind, .hash]' ;;
	esac
	is "the replay: the same $key" "$(jq -c "$key" "$first")" \
		"$(jq -c "$key" "$result")"
done
like "the replay: says what the run's verdict was" \
	"that run's verdict was fail" "$err"
is "the replay: the variable is still set" 3000000 "$(jq -r \
	'.maps["simple.rodata"].entries[0].value.slice_ns' "$result")"

echo >>"$tmp/elsewhere/sched.bpf.o"
replay --out "$tmp/x" "$tmp/elsewhere"
is "another object: exit status" 2 "$status"
like "another object: it is named, with what to do" \
	'the scheduler is not the one of that run.*--scheduler' "$err"
is "another object: no run is left" no \
	"$([ -e "$tmp/x" ] && echo yes || echo no)"

done_testing
