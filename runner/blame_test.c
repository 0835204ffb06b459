// SPDX-License-Identifier: GPL-2.0-only
#include "runner/blame.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/test_run.h"
#include "runner/test_json.h"

static const char plan_text[] =
	"{'workloads': [{'name': 'web', 'cpus': null}, {'name': 'reader', 'kind': 'io_rand_read', 'disk': 'data', 'cpus': [0, 1]},"
	" {'name': 'bound', 'cpus': [1]}, {'name': 'pair', 'kind': 'pipe', 'cpus': null}]}";

/* A quiet machine, a phase of 1 s in which others got 0.7 s. */
#define PHASE(sched, disk, more) \
	"'phases': [{'name': 'run', 'duration_ns': 1000000000," \
	" 'sched': " sched ", 'disks': {'data': " disk "}," \
	" 'workloads': {'web': {'workers_detail': [" \
	"   {'index': 0, 'pid': 10, 'gap_max_ns': 5000000, 'cpu_time_ns': 700000000}," \
	"   {'index': 1, 'pid': 11, 'gap_max_ns': 900000000, 'cpu_time_ns': 1000}]}," \
	"  'reader': {'io_wake_ns': {'p50': 20000000, 'max': 50000000}," \
	"   'workers_detail': [{'index': 0, 'pid': 12, 'gap_max_ns': 800000000, 'cpu_time_ns': 5}]}}}]" more

#define SCHED "{'bypass_ns': 0, 'idle_while_waiting_ratio': 0.02}"
#define DISK "{'throttled_ns': 1000, 'duration_ns': 1000000000, 'service_time_ns': {'max': 300000}}"
#define HOST "'host': {'vcpu_steal_ratio': 0.01}, 'vm': {'accel': 'kvm'}, "
#define FAIL(metric) "[{'metric': '" metric "', 'phase': 'run', 'verdict': 'fail'}]"
#define FAIL_AT(metric, limit) "[{'metric': '" metric "', 'phase': 'run', 'verdict': 'fail', 'limit': " limit "}]"
#define STALL "'scheduler': {'exit': {'kind': 1026, 'message': 'web/1[11] failed to run for 2.1s'}}, "
#define LOOK(tasks) ", 'looks': {'list': [{'why': 'every', 'phase': 'run', 'tasks': []}," \
	" {'why': 'death', 'phase': 'run', 'tasks': [" tasks "]}]}"

/* The longest wait of web/1 or reader/0, of four samples. */
#define GAP(pid, four) ", 'gaps': [" \
	"{'phase': 'run', 'pid': " pid ", 'gap_ns': 1, 'seen': [{'is': 'runs'}]}," \
	"{'phase': 'warm', 'pid': " pid ", 'gap_ns': 9000000000, 'seen': [{'is': 'runs'}]}," \
	"{'phase': 'run', 'pid': 99, 'gap_ns': 9000000000, 'seen': [{'is': 'runs'}]}," \
	"{'phase': 'run', 'pid': " pid ", 'gap_ns': 900000000, 'seen': [" four "]}]"
/* The same of 600 ms, for which the host's part is told. */
#define STOLEN(host, two) ", 'gaps': [{'phase': 'run', 'pid': 11, 'gap_ns': 600000000, 'host_wait_ns': " host ", 'seen': [" two "]}]"
/* web/1 in it from 2000 to 2600 ms, and another worker on vCPU 1. */
#define PEER(two, from, to, host) ", 'gaps': [{'phase': 'run', 'pid': 11, 'from_ns': 2000000000, 'to_ns': 2600000000, 'gap_ns': 600000000, 'host_wait_ns': 30000000, 'seen': [" two "]}," \
	"{'phase': 'warm', 'pid': 14, 'from_ns': 2000000000, 'to_ns': 2600000000, 'host_wait_ns': 600000000, 'seen': [" ON_CPU("1") "]}," \
	"{'phase': 'run', 'pid': 13, 'from_ns': " from ", 'to_ns': " to ", 'gap_ns': 1, 'host_wait_ns': " host ", 'seen': [" ON_CPU("1") "]}]"
#define ON_CPU(n) "{'is': 'runs', 'ext': true, 'cpu': " n "}"
#define EMULATED "'host': {'vcpu_steal_ratio': 0.4}, 'vm': {'accel': 'emulated'}, "
#define HOG "'curr': {'pid': 7, 'comm': 'hog', 'idle': false}"
#define FEW "'curr': {'pid': 8, 'comm': 'few', 'idle': false}"
#define NONE "'curr': {'pid': 0, 'comm': 'swapper/1', 'idle': true}"
#define ON_Q(more) "{'is': 'runnable', 'ext': true, 'dsq': '7', 'dsq_nr': 3, " more "}"
#define LOCAL(more) "{'is': 'runnable', 'ext': true, 'dsq': 'local', 'dsq_nr': 1, " more "}"
#define BYPASS(more) "{'is': 'runnable', 'ext': true, 'dsq': 'bypass', 'dsq_nr': 1, " more "}"
/* as the kernel says; the queue alone tells of a scheduler below another */
#define BYPASSED(dsq) "{'is': 'runnable', 'ext': true, 'bypassed': true, 'dsq': " dsq ", 'dsq_nr': 1, " HOG "}"
#define NO_Q(more) "{'is': 'runnable', 'ext': true, 'dsq': null, 'dsq_nr': null, " more "}"
#define FAIR(more) "{'is': 'runnable', 'ext': false, 'dsq': null, 'dsq_nr': null, " more "}"
#define AT_DISK(how) "{'is': 'blocked', 'disk': {'is': '" how "', 'done': 5}, " NONE "}"
#define ASLEEP "{'is': 'sleeps', 'disk': null, " HOG "}"
#define STOPPED "{'is': 'stopped', 'disk': null, " HOG "}"
#define WOKEN "{'is': 'other', 'disk': null, " HOG "}"
/* Two pairs, and what one of each two was seen at. */
#define PAIRS(ns2, ns3, pid, own, other_pid, others) "'phases': [{'name': 'run', 'duration_ns': 1000000000, 'workloads': {'pair': {'workers_detail': [" \
	"{'index': 0, 'pid': 20, 'gap_max_ns': 1}, {'index': 1, 'pid': 21, 'gap_max_ns': 1}," \
	"{'index': 2, 'pid': 22, 'gap_max_ns': " ns2 "}, {'index': 3, 'pid': 23, 'gap_max_ns': " ns3 "}]}}}]," \
	"'gaps': [{'phase': 'run', 'pid': " pid ", 'gap_ns': 900000000, 'seen': [" own "]}," \
	" {'phase': 'run', 'pid': " other_pid ", 'gap_ns': 800000000, 'seen': [" others "]}]"
#define STAY(gap_ns, samples) ", 'gaps': [{'phase': 'run', 'pid': 11, 'from_ns': 0, 'to_ns': 900000000, 'gap_ns': " gap_ns ", 'seen': [" samples "]}]"
#define AT(ms, ran, dsq) "{'at_ns': " ms "000000, 'is': 'runnable', 'ext': true, 'dsq': " dsq ", 'dsq_nr': 2, 'ran_ns': " ran ", " HOG "}"
#define BUSY_DISK "{'throttled_ns': 970000000, 'duration_ns': 1000000000}"

static const struct {
	const char *facts, *checks;
	const char *cause;	/* NULL: nothing to explain */
	const char *says;
} cases[] = {
	{ "{" HOST PHASE(SCHED, DISK, "}"), FAIL("web.gap.max"), "others",
	  "Worst hit was web worker 1[11], 900 ms without progress. Others got the CPUs meanwhile: the other workers 700 ms in a phase of 1000 ms, most of them of web." },
	{ "{'host': {'vcpu_steal_ratio': 0.4}, 'vm': {'accel': 'kvm'}, " PHASE(SCHED, DISK, "}"), FAIL("web.gap.max"), "host",
	  "vCPUs waited for one 40 % of the time" },
	{ "{'host': {'vcpu_steal_ratio': 0.4}, 'vm': {'accel': 'emulated'}, " PHASE(SCHED, DISK, "}"), FAIL("web.gap.max"), "others", "Others got" },
	/* what the vCPU waited for in the victim's own wait, whatever the host is */
	{ "{" EMULATED PHASE(SCHED, DISK, STOLEN("540000000", ON_CPU("1") "," ON_CPU("1"))) "}", FAIL("web.progress"), "host",
	  "900 ms without progress. The host withheld its CPU: in 540 of 600 ms of its wait vCPU 1 waited for a host CPU. In 2 samples of its longest wait, 600 ms, it was on a CPU in 2." },
	{ "{" HOST PHASE(SCHED, DISK, STOLEN("300000000", ON_CPU("1"))) "}", FAIL("web.gap.max"), "host", "in 300 of 600 ms of its wait vCPU 1" },
	{ "{" HOST PHASE(SCHED, DISK, STOLEN("540000000", ON_CPU("1") "," ON_CPU("0"))) "}", FAIL("web.gap.max"), "host",
	  "in 540 of 600 ms of its wait the vCPU that it was on waited" },
	{ "{" HOST PHASE(SCHED, DISK, STOLEN("299000000", ON_CPU("1"))) "}", FAIL("web.gap.max"), "others", "Others got" },
	{ "{" HOST PHASE(SCHED, DISK, STOLEN("null", ON_CPU("1"))) "}", FAIL("web.gap.max"), "others", "Others got" },
	{ "{" HOST PHASE(SCHED, DISK, STOLEN("0", "")) "}", FAIL("web.gap.max"), "others", "Others got" },
	/* the check would have failed without it too, or would have held */
	{ "{" HOST PHASE(SCHED, DISK, STOLEN("400000000", ON_CPU("1"))) "}", FAIL_AT("web.gap.max", "199000000"), "others", "Others got" },
	{ "{" HOST PHASE(SCHED, DISK, STOLEN("400000000", ON_CPU("1"))) "}", FAIL_AT("web.gap.max", "200000000"), "host", "in 400 of 600 ms" },
	{ "{" HOST PHASE(SCHED, DISK, STOLEN("400000000", ON_CPU("1"))) "}", FAIL_AT("web.wake_latency.p99", "1000"), "host", "in 400 of 600 ms" },
	/* on a CPU that it had, and stood still as long as another vCPU was withheld */
	{ "{" EMULATED PHASE(SCHED, DISK, PEER(ON_CPU("0") "," ON_CPU("0"), "1900000000", "2500000000", "540000000")) "}", FAIL_AT("web.gap.max", "150000000"), "host",
	  "The host withheld a CPU: in 500 of 600 ms of its wait vCPU 1 waited for a host CPU, and it was on another in 2 of 2 samples and did not get on, as who waits in the kernel for all CPUs. In 2 samples" },
	{ "{" HOST PHASE(SCHED, DISK, PEER(ON_CPU("0") "," ON_CPU("0"), "1900000000", "2500000000", "540000000")) "}", FAIL_AT("web.gap.max", "99000000"), "others", "Others got" },
	{ "{" HOST PHASE(SCHED, DISK, PEER(ON_CPU("0") "," ON_CPU("0"), "2310000000", "9000000000", "9000000000")) "}", FAIL("web.gap.max"), "others", "Others got" },
	{ "{" HOST PHASE(SCHED, DISK, PEER(ON_CPU("0") "," ON_CPU("0"), "2000000000", "2600000000", "299000000")) "}", FAIL("web.gap.max"), "others", "Others got" },
	{ "{" HOST PHASE(SCHED, DISK, PEER(ON_CPU("0") "," ON_CPU("0"), "2000000000", "2600000000", "null")) "}", FAIL("web.gap.max"), "others", "Others got" },
	{ "{" HOST PHASE(SCHED, DISK, PEER(ON_CPU("1") "," ON_CPU("1"), "2000000000", "2600000000", "600000000")) "}", FAIL("web.gap.max"), "others", "Others got" },
	{ "{" HOST PHASE(SCHED, DISK, PEER(FAIR(HOG) "," FAIR(HOG), "2000000000", "2600000000", "600000000")) "}", FAIL("web.gap.max"), "others", "Others had its CPU" },
	/* before the others: it is what keeps them from working */
	{ "{" HOST PHASE("{'bypass_ns': 300000000, 'idle_while_waiting_ratio': 0.9}", DISK, STOLEN("400000000", NO_Q(HOG) "," NO_Q(HOG))) "}", FAIL("web.gap.max"), "host", "in 400 of 600 ms" },
	{ "{" HOST PHASE("{'bypass_ns': 300000000, 'idle_while_waiting_ratio': 0.9}", DISK, "}"), FAIL("web.progress"), "bypass",
	  "bypassed it for 300 of 1000 ms" },
	{ "{" HOST PHASE("{'bypass_ns': 0, 'idle_while_waiting_ratio': 0.9}", DISK, "}"), FAIL("web.wake_latency.p99"), "idle",
	  "in 90 % of the samples one was" },
	{ "{" HOST PHASE(SCHED, "{'throttled_ns': 970000000, 'duration_ns': 1000000000}", "}"), FAIL("reader.gap.max"), "disk",
	  "the throttle of data held requests 97 % of the time" },
	{ "{" HOST PHASE(SCHED, "{'throttled_ns': 970000000, 'duration_ns': 1000000000, 'service_time_ns': {'max': 300000}}", "}"),
	  FAIL("reader.io_wake.p99"), "wakeup",
	  "disk data was done, and from then the worker took up to 50 ms to run, half of the times 20 ms or more, while the disk itself served each request within 0.3 ms." },
	{ "{" HOST PHASE(SCHED, DISK, "}"), FAIL("reader.gap.max"), "others", "reader worker 0[12]" },
	{ "{" HOST "'phases': [{'name': 'run'}]}", FAIL("web.gap.max"), "unknown", "Which worker of web was hit is not known." },
	/* stalls, and where the task was */
	{ "{" STALL HOST PHASE(SCHED, DISK, LOOK("{'cpu': 1, 'pid': 10, 'comm': 'web/0', 'running': true, 'idle': false}, {'cpu': 1, 'pid': 11, 'running': false, 'dsq': 'global', 'dsq_nr': 3}") "}"),
	  FAIL("scheduler"), "others",
	  "In the frozen look when the scheduler died, task 11 waited on CPU 1, on the global queue with 3 tasks; CPU 1 ran web/0[10]." },
	{ "{" STALL HOST PHASE(SCHED, DISK, LOOK("{'cpu': 0, 'pid': 0, 'running': true, 'idle': true}, {'cpu': 0, 'pid': 11, 'running': false, 'dsq': null}") "}"),
	  FAIL("scheduler"), "kept",
	  "The scheduler kept it: in 1 of 2 frozen looks it was runnable, and on no dispatch queue. In the frozen look when the scheduler died, task 11 waited on CPU 0, on no dispatch queue; CPU 0 was idle." },
	/* a disk that others on it got on with is not why, nor one whose task waited for a CPU */
	{ "{" HOST "'phases': [{'name': 'run', 'duration_ns': 1000000000, 'disks': {'data': {'throttled_ns': 970000000, 'duration_ns': 1000000000}},"
	  " 'workloads': {'reader': {'workers_detail': [{'index': 0, 'pid': 12, 'iterations': 200, 'cpu_time_ns': 200000000},"
	  " {'index': 1, 'pid': 13, 'iterations': 0, 'gap_max_ns': 1000000000}]}}}]}", FAIL("reader.progress"), "others", "reader worker 1[13]" },
	{ "{" HOST PHASE(SCHED, "{'throttled_ns': 970000000, 'duration_ns': 1000000000}", LOOK("{'cpu': 1, 'pid': 12, 'running': false, 'dsq': '0', 'dsq_nr': 1}") "}"),
	  FAIL("reader.gap.max"), "others", "task 12 waited on CPU 1, on the 0 queue with 1 tasks" },
	{ "{" STALL HOST PHASE(SCHED, DISK, LOOK("{'cpu': 1, 'pid': 11, 'running': true}") "}"), FAIL("scheduler"), "others", "task 11 ran on CPU 1." },
	{ "{" STALL HOST PHASE(SCHED, DISK, LOOK("{'cpu': 1, 'pid': 10, 'running': true}") "}"), FAIL("scheduler"), "others", "task 11 was on no run queue: it slept, was blocked, or stopped." },
	/* without a frozen look: where it was in the samples of its wait */
	{ "{" HOST PHASE(SCHED, DISK, GAP("11", ON_Q(HOG) "," ON_Q(FEW) "," LOCAL(HOG) "," WOKEN) "}"), FAIL("web.gap.max"), "others",
	  "Others had its CPU: in 3 of 4 samples of its wait, most often hog[7]. Others got the CPUs meanwhile: the other workers 700 ms in a phase of 1000 ms, most of them of web. "
	  "In 4 samples of its longest wait, 900 ms, it was runnable in 3, in 2 of them on the 7 queue with up to 3 tasks; its CPU then ran hog[7] in 2." },
	{ "{" HOST PHASE(SCHED, DISK, GAP("11", NO_Q(HOG) "," NO_Q(NONE) "," ON_Q(HOG)) "}"), FAIL("web.gap.max"), "kept",
	  "The scheduler kept it: in 2 of 3 samples of its wait it was runnable, and on no dispatch queue. In 3 samples of its longest wait, 900 ms, it was runnable in 3, in 1 of them on the 7 queue with up to 3 tasks, in 2 of them on no dispatch queue; its CPU then ran hog[7] in 2 and idled in 1." },
	/* how long it stayed there: in milliseconds on a queue, each with its CPU time so far, without what was frozen */
	{ "{" HOST PHASE(SCHED, DISK, STAY("900000000", AT("100", "5", "'7'") "," AT("200", "5", "'7'") "," AT("450", "5", "'7'") "," AT("500", "6", "'7'")) "}"), FAIL("web.gap.max"), "others",
	  "in 4 of them on the 7 queue with up to 2 tasks (at least 350 ms at a stretch, without running); its CPU" },
	{ "{" HOST PHASE(SCHED, DISK, STAY("800000001", AT("100", "5", "'7'") "," AT("451", "5", "'7'")) "}"), FAIL("web.gap.max"), "others", "(at least 251 ms at a stretch" },
	{ "{" HOST PHASE(SCHED, DISK, STAY("700000000", AT("100", "5", "'7'") "," AT("250", "5", "'7'")) "}"), FAIL("web.gap.max"), "others", "on the 7 queue with up to 2 tasks; its CPU" },
	/* from one queue to another and back, on none, and of a kernel that does not tell */
	{ "{" HOST PHASE(SCHED, DISK, STAY("900000000", AT("100", "5", "'7'") "," AT("200", "5", "'8'") "," AT("300", "5", "'8'") "," AT("400", "5", "'7'") "," AT("420", "5", "'7'") "," AT("500", "6", "'7'")) "}"),
	  FAIL("web.gap.max"), "others", "in 4 of them on the 7 queue with up to 2 tasks (at least 20 ms at a stretch" },
	{ "{" HOST PHASE(SCHED, DISK, STAY("900000000", AT("100", "5", "'7'") "," AT("200", "5", "null") "," AT("300", "5", "'7'")) "}"), FAIL("web.gap.max"), "others", "with up to 2 tasks, in 1 of them on no" },
	{ "{" HOST PHASE(SCHED, DISK, STAY("900000000", AT("100", "null", "'7'") "," AT("200", "null", "'7'")) "}"), FAIL("web.gap.max"), "others", "with up to 2 tasks; its CPU" },
	/* one sample may be an accident; under the default scheduler there is no queue to be on */
	{ "{" HOST PHASE(SCHED, DISK, GAP("11", NO_Q(HOG)) "}"), FAIL("web.gap.max"), "others", "in 1 of them on no dispatch queue" },
	{ "{" HOST PHASE(SCHED, DISK, GAP("11", FAIR(HOG) "," FAIR(HOG)) "}"), FAIL("web.gap.max"), "others", "it was runnable in 2; its CPU then ran hog[7] in 2." },
	{ "{" HOST PHASE(SCHED, DISK, GAP("11", ON_Q(NONE) "," ON_Q(NONE) "," ON_Q(HOG)) "}"), FAIL("web.gap.max"), "idle",
	  "CPUs were left idle: in 2 of 3 samples of its wait its own was. In 3 samples" },
	/* bound to a CPU that others have, while another idles */
	{ "{" HOST "'phases': [{'name': 'run', 'duration_ns': 1000000000, 'sched': {'idle_while_waiting_ratio': 0.9}, 'workloads': {'bound': {'workers_detail': ["
	  "{'index': 0, 'pid': 11, 'gap_max_ns': 900000000}]}}}]" GAP("11", ON_Q(HOG) "," ON_Q(HOG)) "}", FAIL("bound.gap.max"), "others",
	  "Others had its CPU: in 2 of 2 samples of its wait, most often hog[7]." },
	{ "{" HOST PHASE("{'idle_while_waiting_ratio': 0.9}", DISK, GAP("12", ON_Q(HOG) "," ON_Q(HOG)) "}"), FAIL("reader.gap.max"), "idle", "in 90 % of the samples one was" },
	{ "{" HOST PHASE(SCHED, DISK, GAP("11", BYPASS(NONE) "," BYPASS(HOG)) "}"), FAIL("web.gap.max"), "bypass",
	  "in 2 of 2 samples of its wait the kernel had it bypassed." },
	{ "{" HOST PHASE(SCHED, DISK, GAP("11", BYPASSED("'local'") "," BYPASSED("null") "," ON_Q(HOG)) "}"), FAIL("web.gap.max"), "bypass",
	  "in 2 of 3 samples of its wait the kernel had it bypassed." },
	{ "{" HOST PHASE(SCHED, DISK, GAP("11", ASLEEP "," ASLEEP "," ON_Q(HOG)) "}"), FAIL("web.gap.max"), "sleep",
	  "It was asleep, and nobody woke it: in 2 of 3 samples of its wait. Look at who should have. In 3 samples" },
	/* who should have is known of a pair: pid 23, if it was seen */
	{ "{" HOST PAIRS("9000", "8000", "22", ASLEEP "," ASLEEP, "23", STOPPED "," STOPPED "," WOKEN) "}", FAIL("pair.gap.max"), "sleep",
	  "in 2 of 2 samples of its wait. Its partner, pair worker 3[23], was stopped in 2 of 3 samples of its own longest wait. In 2 samples" },
	{ "{" HOST PAIRS("8000", "9000", "23", ASLEEP "," ASLEEP, "22", ASLEEP) "}", FAIL("pair.gap.max"), "sleep", "Its partner, pair worker 2[22], was asleep in 1 of 1 samples" },
	{ "{" HOST PAIRS("9000", "8000", "22", ASLEEP "," ASLEEP, "23", ON_Q(HOG)) "}", FAIL("pair.gap.max"), "sleep", "was runnable in 1 of 1 samples" },
	{ "{" HOST PAIRS("9000", "8000", "22", ASLEEP "," ASLEEP, "23", WOKEN) "}", FAIL("pair.gap.max"), "sleep", "Look at who should have." },
	{ "{" HOST PAIRS("9000", "8000", "22", ASLEEP "," ASLEEP, "21", STOPPED) "}", FAIL("pair.gap.max"), "sleep", "Look at who should have." },
	/* what is stopped waits for nothing else, whatever the phase's sums say */
	{ "{" HOST PAIRS("9000", "8000", "22", STOPPED "," STOPPED "," ASLEEP, "23", ASLEEP) "}", FAIL("pair.gap.max"), "stopped",
	  "It was stopped, by a signal or a tracer: in 2 of 3 samples of its wait. In 3 samples of its longest wait, 900 ms, it was stopped in 2, asleep in 1." },
	{ "{'host': {'vcpu_steal_ratio': 0.4}, 'vm': {'accel': 'kvm'}, " PHASE("{'bypass_ns': 300000000}", BUSY_DISK, GAP("12", STOPPED "," STOPPED) "}"),
	  FAIL("reader.gap.max"), "stopped", "in 2 of 2 samples" },
	{ "{" HOST PHASE(SCHED, DISK, GAP("11", STOPPED) "}"), FAIL("web.gap.max"), "others", "it was stopped in 1." },
	{ "{" HOST PHASE(SCHED, DISK, GAP("11", WOKEN "," WOKEN) "}"), FAIL("web.gap.max"), "others", "it was being woken." },
	/* a disk: what the samples say goes before what the phase's sums do */
	{ "{" HOST PHASE(SCHED, BUSY_DISK, GAP("12", AT_DISK("throttled") "," AT_DISK("busy") "," ON_Q(HOG)) "}"), FAIL("reader.gap.max"), "disk",
	  "It waited for its disk: in 2 of 3 samples of its wait it was blocked while data had requests to serve. The throttle of data held requests 97 % of the time. In 3 samples of its longest wait, 900 ms, it was blocked in 2, runnable in 1" },
	{ "{" HOST PHASE(SCHED, DISK, GAP("12", AT_DISK("busy") "," AT_DISK("busy")) "}"), FAIL("reader.io_latency.p99"), "disk",
	  "blocked while data had requests to serve. In 2 samples" },
	{ "{" HOST PHASE(SCHED, BUSY_DISK, GAP("12", ON_Q(HOG) "," ON_Q(HOG) "," AT_DISK("throttled")) "}"), FAIL("reader.gap.max"), "others", "most often hog[7]" },
	{ "{" HOST PHASE(SCHED, BUSY_DISK, GAP("12", AT_DISK("idle") "," AT_DISK("idle") "," AT_DISK("throttled")) LOOK("{'cpu': 1, 'pid': 10, 'comm': 'web/0', 'running': true}, "
	  "{'cpu': 1, 'pid': 31, 'comm': 'kworker/1:1H', 'running': false, 'dsq': '1', 'dsq_nr': 1}, {'cpu': 0, 'pid': 32, 'comm': 'kworker/0:0', 'running': true}") "}"), FAIL("reader.gap.max"), "completion",
	  "in 2 of 3 samples of its wait it was blocked while disk data had nothing to do, so its request had not been handed over, or was done and not seen to. kworker/1:1H[31] of the kernel waited for CPU 1 in a frozen look. In 3 samples" },
	{ "{" HOST PHASE(SCHED, DISK, GAP("11", AT_DISK("idle") "," AT_DISK("idle")) "}"), FAIL("web.gap.max"), "others", "it was blocked in 2." },
	/* from the disk to the worker, as part of a longer wait */
	{ "{" HOST "'phases': [{'name': 'run', 'duration_ns': 1000000000, 'disks': {'data': " BUSY_DISK "}, 'workloads': {'reader': {'io_wake_ns': {'p50': null, 'max': 450000000},"
	  " 'workers_detail': [{'index': 0, 'pid': 12, 'gap_max_ns': 800000000}]}}}]}", FAIL("reader.gap.max"), "wakeup",
	  "It was not run after its disk: disk data was done, and from then the worker took up to 450 ms to run." },
	{ "{" HOST "'phases': [{'name': 'run', 'duration_ns': 1000000000, 'disks': {'data': " BUSY_DISK "}, 'workloads': {'reader': {'io_wake_ns': {'p50': 20000000, 'max': 390000000},"
	  " 'workers_detail': [{'index': 0, 'pid': 12, 'gap_max_ns': 800000000}]}}}]}", FAIL("reader.gap.max"), "disk", "held requests 97 %" },
	/* a wait that has no end, and so no latency */
	{ "{" HOST PHASE(SCHED, BUSY_DISK, GAP("12", ON_Q(NONE) "," ON_Q(NONE) "," AT_DISK("throttled")) "}"), FAIL("reader.gap.max"), "wakeup",
	  "It was not run after its disk: disk data was done, since in 2 of 3 samples of its wait the worker was runnable, and its CPU idle. In 3 samples" },
	/* the look that was taken at its own wait, before others of the phase */
	{ "{" HOST PHASE(SCHED, DISK, ", 'looks': {'list': ["
	  "{'why': 'gap', 'name': 'web/1', 'phase': 'run', 'tasks': [{'cpu': 1, 'pid': 11, 'running': false, 'dsq': '7', 'dsq_nr': 2, 'dsq_place': 2}]},"
	  "{'why': 'gap', 'name': 'web/0', 'phase': 'run', 'tasks': [{'cpu': 0, 'pid': 11, 'running': true}]}]}}"), FAIL("web.gap.max"), "others",
	  "In the frozen look at its wait, task 11 waited on CPU 1, on the 7 queue as number 2 of 2." },
	/* and before that of a death in the same phase, which says more than the last one */
	{ "{" HOST PHASE(SCHED, DISK, ", 'looks': {'list': ["
	  "{'why': 'death', 'phase': 'run', 'tasks': [{'cpu': 0, 'pid': 11, 'running': true}]},"
	  "{'why': 'gap', 'name': 'web/1', 'phase': 'run', 'tasks': [{'cpu': 1, 'pid': 11, 'running': false, 'dsq': 'bypass', 'dsq_nr': 2}]},"
	  "{'why': 'every', 'phase': 'run', 'tasks': []}]}}"), FAIL("web.gap.max"), "others",
	  "In the frozen look at its wait, task 11 waited on CPU 1, on the bypass queue with 2 tasks." },
	{ "{" HOST PHASE(SCHED, DISK, ", 'looks': {'list': ["
	  "{'why': 'death', 'phase': 'run', 'tasks': [{'cpu': 0, 'pid': 11, 'running': true}]},"
	  "{'why': 'every', 'phase': 'run', 'tasks': []}]}}"), FAIL("web.gap.max"), "others",
	  "In the frozen look when the scheduler died, task 11 ran on CPU 0." },
	/* over all phases: the longest of a measured one */
	{ "{" HOST "'phases': [{'name': 'warm', 'measure': false}, {'name': 'run', 'measure': true}], 'duration_ns': 1000000000, 'workloads': {'web': {'workers_detail': ["
	  "{'index': 1, 'pid': 11, 'gap_max_ns': 900000000}]}}" GAP("11", ON_Q(HOG) "," ON_Q(HOG)) "}", "[{'metric': 'web.gap.max', 'verdict': 'fail'}]", "others",
	  "In 2 samples of its longest wait, 900 ms" },
	/* nothing to explain */
	{ "{" HOST PHASE(SCHED, DISK, "}"), FAIL("web.fairness"), NULL, NULL },
	{ "{" HOST PHASE(SCHED, DISK, "}"), FAIL("scheduler"), NULL, NULL },
	{ "{" HOST PHASE(SCHED, DISK, "}"), "[{'metric': 'web.gap.max', 'phase': 'run', 'verdict': 'pass'}]", NULL, NULL },
	{ "{}", "[]", NULL, NULL },
};

START_TEST(each_cause_is_told_by_its_evidence)
{
	json_t *plan = json(plan_text), *facts = json(cases[_i].facts);
	json_t *checks = json(cases[_i].checks);
	json_t *blame = blame_new(plan, facts, checks);
	const json_t *one = json_array_get(blame, 0);
	const char *text = json_string_value(json_object_get(one, "text"));

	if (!cases[_i].cause) {
		ck_assert_ptr_null(blame);
	} else {
		ck_assert_uint_eq(1, json_array_size(blame));
		ck_assert_msg(strstr(text, cases[_i].says), "%s", text);
		ck_assert_str_eq(cases[_i].cause, json_string_value(
			json_object_get(one, "cause")));
	}
	json_decref(plan);
	json_decref(facts);
	json_decref(checks);
	json_decref(blame);
}
END_TEST

START_TEST(without_facts_nobody_is_blamed)
{
	json_t *plan = json(plan_text), *checks = json(FAIL("web.gap.max"));

	ck_assert_ptr_null(blame_new(plan, NULL, checks));
	json_decref(plan);
	json_decref(checks);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("blame");
	TCase *tc = tcase_create("blame");

	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, each_cause_is_told_by_its_evidence, 0,
			    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tc, without_facts_nobody_is_blamed);
	suite_add_tcase(suite, tc);
	return test_run(suite);
}
