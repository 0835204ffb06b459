// SPDX-License-Identifier: GPL-2.0-only
/* Scenarios that are wrong, each with the words that must say so; and good. */
#include "runner/scenario.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/test_run.h"
#include "runner/plan.h"
#include "runner/test_scenario.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Five lines; what a row adds begins at line 6. */
#define LOAD "schema = 1\nname = \"t\"\n[[workload]]\nname = \"w\"\nkind = \"spin\"\n"
/* Three more; what follows begins at line 9. */
#define DISK "[[disk]]\nname = \"data\"\nsize = \"64M\"\n"
/* Four lines without a workload; what follows begins at line 5. */
#define READ "schema = 1\nname = \"t\"\n[[workload]]\nname = \"r\"\n"

#define PHASE(n) "[[phase]]\nname = \"p" n "\"\nduration = \"1s\"\n"
#define FOUR_PHASES(n) PHASE(n "a") PHASE(n "b") PHASE(n "c") PHASE(n "d")

static const struct bad_scenario bad[] = {
	/* the file */
	{ "schema = 1\nname = \n", "t.toml:2:8: error: *", NULL },
	{ "schema = 1\nschema = 1\n", "t.toml:2:10: error: *", NULL },
	{ "schema = 1\n[$]\n", "t.toml:2:2: error: *", NULL },
	{ "schema = 1 \u00e9\n", "t.toml:1:12: error: *", NULL },
	{ "schema = 1\nname = \"t\\u0000\"\n",
	  "t.toml:2:8: error: a string must not contain a NUL", NULL },
	{ "name = \"t\"\n", "t.toml:1:1: error: the scenario needs a [[workload]]",
	  NULL },
	{ "schema = 2\nname = \"t\"\n[[workload]]\nname = \"w\"\nkind = \"spin\"\n",
	  "t.toml:1:10: error: schema must be between 1 and 1, not 2", NULL },
	{ "schema = 1\n[[workload]]\nname = \"w\"\nkind = \"spin\"\n",
	  "t.toml:1:1: error: the scenario needs a name", NULL },
	{ "schema = 1\nname = \"a b\"\n[[workload]]\nname = \"w\"\nkind = \"spin\"\n",
	  "t.toml:2:8: error: name = \"a b\" is not a name",
	  "use letters, digits, '-' and '_'" },
	{ LOAD "[telemetri]\n",
	  "t.toml:6:2: error: unknown key \"telemetri\" in the scenario",
	  "did you mean \"telemetry\"?" },
	{ LOAD "[zzz]\n",
	  "t.toml:6:2: error: unknown key \"zzz\" in the scenario",
	  "the keys here are schema, name, description, vm, disk, scheduler, workload, phase, telemetry, check, automatic" },
	{ LOAD "[matrix]\n\"vm.memory\" = [\"1G\"]\n",
	  "t.toml:6:2: error: matrix is not supported yet",
	  "run each variant with --set KEY=VALUE" },
	/* vm */
	{ LOAD "[vm]\nmemry = \"1G\"\n",
	  "t.toml:7:1: error: unknown key \"memry\" in [vm]",
	  "did you mean \"memory\"?" },
	{ LOAD "[vm]\nmemory = true\n",
	  "t.toml:7:10: error: memory must be a size, not a boolean",
	  "write \"4096B\", \"64K\", \"256M\", \"1G\" (powers of 1024) or bytes as an integer" },
	{ LOAD "[vm]\nmemory = \"1GB\"\n",
	  "t.toml:7:10: error: memory = \"1GB\" does not end in a unit of size",
	  "did you mean G or GiB?" },
	{ LOAD "[vm]\nmemory = \"17G\"\n",
	  "t.toml:7:10: error: memory must be between 128M and 16G, not 17G",
	  NULL },
	{ LOAD "[vm]\nmemory = \"129M\"\n",
	  "t.toml:7:10: error: memory must be a multiple of 2M", NULL },
	{ LOAD "[vm]\nmemory = -1\n",
	  "t.toml:7:10: error: memory must not be negative", NULL },
	{ LOAD "[vm]\ndeadline = \"60\"\n",
	  "t.toml:7:12: error: deadline = \"60\" has no unit",
	  "write \"500us\", \"250ms\", \"2s\" or nanoseconds as an integer" },
	{ LOAD "[vm]\ndeadline = \"3s\"\n",
	  "t.toml:7:12: error: the phases last 5 s, the whole VM only 3 s",
	  "set [vm] deadline to more, boot included" },
	{ LOAD "[vm]\ntopology = \"2n1l4c1t\"\n",
	  "t.toml:7:12: error: topology \"2n1l4c1t\": 1 LLCs can't be shared out to 2 nodes",
	  "LLCs are counted in total: a multiple of the nodes" },
	{ LOAD "[vm]\ntopology = \"1n1l1c3t\"\n",
	  "t.toml:7:12: error: topology \"1n1l1c3t\": a core has 1 or 2 threads, not 3",
	  NULL },
	{ LOAD "[vm]\ntopology = \"1n4l4c2t\"\n",
	  "t.toml:7:12: error: topology \"1n4l4c2t\" has 32 CPUs; more than 16 are not supported yet",
	  NULL },
	{ LOAD "[vm]\ntopology = \"4c\"\n",
	  "t.toml:7:12: error: topology \"4c\" is not NnNlNcNt",
	  "NUMA nodes, LLCs in total, cores per LLC, threads per core: \"1n2l2c1t\"" },
	{ LOAD "[vm]\ntopology = \"0n1l1c1t\"\n",
	  "t.toml:7:12: error: topology \"0n1l1c1t\" is not NnNlNcNt", "*" },
	{ LOAD "[vm]\ntopology = { packages = 2 }\n",
	  "t.toml:7:12: error: a topology as a table is not supported yet",
	  "write it as a string: \"1n2l2c1t\"" },
	/* disks */
	{ LOAD "[disk]\nname = \"data\"\n",
	  "t.toml:6:1: error: disk must be an array of tables, not a table",
	  "write [[disk]]" },
	{ LOAD "[[disk]]\nname = \"data\"\n",
	  "t.toml:6:1: error: [[disk]] needs a size", NULL },
	{ LOAD "[[disk]]\nname = \"a-name-of-21-letters-\"\nsize = \"64M\"\n",
	  "t.toml:7:8: error: name is longer than 20 characters", NULL },
	{ LOAD DISK DISK, "t.toml:10:8: error: there is another disk \"data\"",
	  "the first is at line 6" },
	{ LOAD FOUR_PHASES("1") FOUR_PHASES("2") FOUR_PHASES("3")
	  FOUR_PHASES("4") PHASE("5"),
	  "t.toml:54:1: error: more than 16 [[phase]] are not supported",
	  NULL },
	{ LOAD DISK "throttle = { iops = \"5e2\" }\n",
	  "t.toml:9:21: error: iops = \"5e2\" does not end in a unit of rate per second",
	  "write 500 or \"500/s\"" },
	{ LOAD DISK "throttle = { bps = \"8M\" }\n",
	  "t.toml:9:20: error: bps = \"8M\" does not end in a unit of rate of bytes per second",
	  "did you mean MB/s or MiB/s?" },
	{ LOAD DISK "throttle = { latency = \"2m\" }\n",
	  "t.toml:9:24: error: latency = \"2m\" does not end in a unit of time",
	  "did you mean min or ms?" },
	{ LOAD DISK "throttle = { jitter = \"61s\" }\n",
	  "t.toml:9:23: error: jitter must be between 0ns and 60s, not 61s",
	  NULL },
	{ LOAD DISK "queues = 9\n",
	  "t.toml:9:10: error: queues must be between 1 and 8, not 9", NULL },
	{ LOAD DISK "faults = { error_rate = 2 }\n",
	  "t.toml:9:25: error: error_rate must be at most 100%", NULL },
	{ LOAD DISK "faults = { error_rate = 1e-10 }\n",
	  "t.toml:9:25: error: an error_rate below 1e-9 would fail no request",
	  NULL },
	{ LOAD DISK "faults = { error_rates = 0.1 }\n",
	  "t.toml:9:12: error: unknown key \"error_rates\" in faults",
	  "did you mean \"error_rate\"?" },
	{ LOAD DISK "faults = { error_from = \"1M\" }\n",
	  "t.toml:9:25: error: error_from needs an error_size", NULL },
	{ LOAD DISK "faults = { error_from = 100, error_size = \"1K\" }\n",
	  "t.toml:9:25: error: error_from must be a multiple of 512 bytes",
	  NULL },
	{ LOAD DISK "faults = { error_size = 513 }\n",
	  "t.toml:9:25: error: error_size must be a multiple of 512 bytes",
	  NULL },
	{ LOAD DISK "faults = { error_from = \"63M\", error_size = \"2M\" }\n",
	  "t.toml:9:45: error: the sectors that fail end beyond the disk's 67108864 bytes",
	  NULL },
	{ LOAD DISK "faults = { error_from = \"65M\", error_size = \"1K\" }\n",
	  "t.toml:9:45: error: the sectors that fail end beyond the disk's 67108864 bytes",
	  NULL },
	{ LOAD DISK "faults = { stall_every = 5 }\n",
	  "t.toml:9:26: error: stall_every needs a stall", NULL },
	{ LOAD DISK "faults = { stall_at = \"1s\" }\n",
	  "t.toml:9:23: error: stall_at needs a stall", NULL },
	{ LOAD DISK "faults = { stall = \"1s\", stall_every = 5, stall_at = \"1s\" }\n",
	  "t.toml:9:54: error: a stall comes at a time or at every so many requests, not both",
	  NULL },
	{ LOAD DISK "throttle = { iopps = 1 }\n",
	  "t.toml:9:14: error: unknown key \"iopps\" in a throttle",
	  "did you mean \"iops\"?" },
	{ LOAD DISK "tolerance = \"200%\"\n",
	  "t.toml:9:13: error: tolerance must be at most 100%", NULL },
	{ LOAD DISK "tolerance = \"5\"\n",
	  "t.toml:9:13: error: tolerance = \"5\" is not a ratio",
	  "write \"5%\" or 0.05" },
	{ LOAD DISK "read_only = \"yes\"\n",
	  "t.toml:9:13: error: read_only must be a boolean, not a string",
	  NULL },
	{ LOAD DISK "tolerance = nan\n",
	  "t.toml:9:13: error: tolerance must not be negative or infinite",
	  NULL },
	/* scheduler */
	{ LOAD "[scheduler]\n",
	  "t.toml:6:1: error: [scheduler] needs one of builtin, object, source and exec, not none",
	  "leave out [scheduler] for the kernel's default" },
	{ LOAD "[scheduler]\nbuiltin = \"simple\"\nobject = \"x.bpf.o\"\n",
	  "t.toml:6:1: error: [scheduler] needs one of builtin, object, source and exec, not several",
	  NULL },
	{ LOAD "[scheduler]\nbuiltin = \"simpel\"\n",
	  "t.toml:7:11: error: there is no builtin scheduler \"simpel\"",
	  "did you mean \"simple\"?" },
	{ LOAD "[scheduler]\nbuiltin = \"fifo\"\nexpect = \"stal\"\n",
	  "t.toml:8:10: error: expect = \"stal\" is not one of running, exit, error, stall",
	  "did you mean \"stall\"?" },
	{ LOAD "[scheduler]\nbuiltin = \"fifo\"\nset = { slice_ns = 1979-05-27 }\n",
	  "t.toml:8:20: error: slice_ns must be an integer or a boolean, not a date or time",
	  NULL },
	/* workloads */
	{ "schema = 1\nname = \"t\"\n",
	  "t.toml:1:1: error: the scenario needs a [[workload]]", NULL },
	{ READ "kind = \"bursti\"\n",
	  "t.toml:5:8: error: unknown workload kind \"bursti\"",
	  "did you mean \"bursty\"?" },
	{ READ "kind = \"schbench\"\n",
	  "t.toml:5:8: error: workload kind \"schbench\" is not supported yet",
	  "*" },
	{ READ "kind = \"io_rand_read\"\n",
	  "t.toml:3:1: error: io_rand_read needs a disk",
	  "add a [[disk]] and name it here" },
	{ READ "kind = \"io_rand_read\"\ndisk = \"daat\"\n[[disk]]\nname = \"data\"\nsize = \"1G\"\n",
	  "t.toml:6:8: error: there is no disk \"daat\"",
	  "did you mean \"data\"?" },
	{ READ "kind = \"spin\"\ndisk = \"data\"\n",
	  "t.toml:6:1: error: spin does no IO and takes no disk", NULL },
	{ READ "kind = \"io_seq_write\"\nworkers = 2\ndisk = \"d\"\n[[disk]]\nname = \"d\"\nsize = \"1M\"\n",
	  "t.toml:3:1: error: disk \"d\" is too small for the blocks of r", NULL },
	{ READ "kind = \"io_sync_write\"\ndisk = \"d\"\n[[disk]]\nname = \"d\"\nsize = \"1M\"\nread_only = true\n",
	  "t.toml:6:8: error: io_sync_write writes, but disk \"d\" is read-only",
	  NULL },
	{ READ "kind = \"pipe\"\nworkers = 3\n",
	  "t.toml:6:11: error: pipe needs a multiple of 2 workers", NULL },
	{ READ "kind = \"pipe\"\n",
	  "t.toml:3:1: error: pipe needs a multiple of 2 workers", NULL },
	{ READ "kind = \"io_rand_read\"\ndisk = \"d\"\nparams = { block = 1000 }\n[[disk]]\nname = \"d\"\nsize = \"1M\"\n",
	  "t.toml:7:20: error: block must be a multiple of 512", NULL },
	{ LOAD "kindd = 1\nnmae = 2\n",
	  "t.toml:6:1: error: unknown key \"kindd\" in [[workload]]",
	  "did you mean \"kind\"?" },
	{ LOAD "[vm]\nmeomry = \"1G\"\n",
	  "t.toml:7:1: error: unknown key \"meomry\" in [vm]",
	  "did you mean \"memory\"?" },
	{ READ "kind = \"spni\"\n",
	  "t.toml:5:8: error: unknown workload kind \"spni\"",
	  "did you mean \"spin\"?" },
	{ READ "kind = \"spin\"\nworkers = 0\n",
	  "t.toml:6:11: error: workers must be between 1 and 512, not 0",
	  NULL },
	{ READ "kind = \"spin\"\nworkers = \"4\"\n",
	  "t.toml:6:11: error: workers must be an integer, not a string",
	  NULL },
	{ LOAD "[[workload]]\nname = \"w\"\nkind = \"spin\"\n",
	  "t.toml:7:8: error: there is another workload \"w\"",
	  "the first is at line 3" },
	{ LOAD "[[workload]]\nname = \"disk\"\nkind = \"spin\"\n",
	  "t.toml:7:8: error: a workload can't be named \"disk\": metrics begin with it",
	  NULL },
	{ LOAD "params = { burst = \"2ms\" }\n",
	  "t.toml:6:12: error: spin has no parameter \"burst\"",
	  "spin takes none" },
	{ READ "kind = \"bursty\"\nparams = { brust = \"2ms\" }\n",
	  "t.toml:6:12: error: bursty has no parameter \"brust\"",
	  "did you mean \"burst\"?" },
	{ READ "kind = \"bursty\"\nparams = { burst = \"2 m\" }\n",
	  "t.toml:6:20: error: burst = \"2 m\" does not end in a unit of time",
	  "did you mean min or ms?" },
	{ READ "kind = \"bursty\"\nparams = { sleep = \"1h\" }\n",
	  "t.toml:6:20: error: sleep must be between 1us and 10s", NULL },
	{ READ "kind = \"bursty\"\nparams = 3\n",
	  "t.toml:6:10: error: params must be a table, not an integer", NULL },
	{ LOAD "cpus = [0, 4]\n",
	  "t.toml:6:12: error: CPU 4 is not one of the 4 of the topology",
	  NULL },
	{ LOAD "cpus = \"0-9\"\n",
	  "t.toml:6:8: error: CPU 9 is not one of the 4 of the topology",
	  NULL },
	{ LOAD "cpus = \"llc:1\"\n",
	  "t.toml:6:8: error: \"llc:1\" is not in the topology",
	  "the last one is \"llc:0\"" },
	{ LOAD "cpus = \"1 of 2\"\n",
	  "t.toml:6:8: error: cpus as a share is not supported yet",
	  "write [0, 1], \"0-3,6\", \"llc:1\" or \"node:0\"" },
	{ LOAD "cpus = []\n", "t.toml:6:8: error: cpus must not be empty",
	  NULL },
	{ LOAD "cgroup = \"../x\"\n",
	  "t.toml:6:10: error: cgroup \"../x\" is not a relative path", "*" },
	{ LOAD "nice = 20\n",
	  "t.toml:6:8: error: nice must be between -20 and 19, not 20", NULL },
	{ LOAD "policy = \"fifo\"\n",
	  "t.toml:6:10: error: policy \"fifo\" needs a priority from 1 to 99",
	  "write \"fifo:10\"" },
	{ LOAD "policy = \"fiffo:1\"\n",
	  "t.toml:6:10: error: unknown policy \"fiffo:1\"",
	  "did you mean \"fifo\"?" },
	{ LOAD "policy = \"deadline\"\n",
	  "t.toml:6:10: error: policy \"deadline\" is not supported yet",
	  NULL },
	{ LOAD "cpu_max = \"2\"\n",
	  "t.toml:6:11: error: cpu_max is not a share of CPU time",
	  "write \"50%\" (of one CPU) or \"20ms/100ms\" (quota and period)" },
	{ LOAD "cpu_weight = 50\ncgroup = \"g\"\n[[workload]]\nname = \"x\"\nkind = \"spin\"\ncgroup = \"g\"\ncpu_weight = 60\n",
	  "t.toml:12:14: error: cgroup \"g\" has cpu_weight 50 from workload w",
	  NULL },
	{ LOAD "memory_policy = \"bind\"\n",
	  "t.toml:6:1: error: memory_policy is not supported yet", NULL },
	/* phases */
	{ LOAD "[[phase]]\nname = \"a\"\n",
	  "t.toml:6:1: error: [[phase]] needs a duration", NULL },
	{ LOAD "[[phase]]\n", "t.toml:6:1: error: [[phase]] needs a duration",
	  NULL },
	{ LOAD "[[phase]]\nname = \"a\"\nduration = \"1ms\"\n",
	  "t.toml:8:12: error: duration must be between 10ms and 3600s, not 1ms",
	  NULL },
	{ LOAD "[[phase]]\nname = \"a\"\nduration = \"1s\"\nmeasure = false\n",
	  "t.toml:9:11: error: no phase is measured",
	  "at least one phase must not have measure = false" },
	{ LOAD "[[phase]]\nname = \"a\"\nduration = \"1s\"\ndo = [ { set_throttle = { disk = \"d\", iops = 5 } } ]\n",
	  "t.toml:9:34: error: there is no disk \"d\"",
	  "add a [[disk]] with name = \"d\"" },
	{ LOAD "[[phase]]\nname = \"a\"\nduration = \"1s\"\ndo = [ { set_faults = { disk = \"d\" } } ]\n",
	  "t.toml:9:32: error: there is no disk \"d\"",
	  "add a [[disk]] with name = \"d\"" },
	{ LOAD "[[phase]]\nname = \"a\"\nduration = \"1s\"\ndo = [ { set_faults = { stall = \"1s\" } } ]\n",
	  "t.toml:9:23: error: set_faults needs a disk", NULL },
	{ LOAD DISK "[[phase]]\nname = \"a\"\nduration = \"1s\"\ndo = [ { set_faults = { disk = \"data\", error_size = \"65M\" } } ]\n",
	  "t.toml:12:53: error: the sectors that fail end beyond the disk's 67108864 bytes",
	  NULL },
	{ LOAD "[[phase]]\nname = \"a\"\nduration = \"1s\"\ndo = [ { freeze = true } ]\n",
	  "t.toml:9:19: error: freeze must be a table, not a boolean", NULL },
	{ LOAD "[[phase]]\nname = \"a\"\nduration = \"1s\"\ndo = [ { freeze = { after = \"1s\" } } ]\n",
	  "t.toml:9:29: error: the freeze comes after 1 s, but phase a ends after 1 s",
	  NULL },
	{ LOAD "[[phase]]\nname = \"a\"\nduration = \"1s\"\ndo = [ { freeze = { at = \"1s\" } } ]\n",
	  "t.toml:9:21: error: unknown key \"at\" in freeze", "*" },
	{ LOAD "[[phase]]\nname = \"a\"\nduration = \"1s\"\ndo = [ { write_map = { value = 1 } } ]\n",
	  "t.toml:9:22: error: write_map needs one of var and map, not none",
	  "*" },
	{ LOAD "[[phase]]\nname = \"a\"\nduration = \"1s\"\ndo = [ { write_map = { var = \"x\", map = \"m\", value = 1 } } ]\n",
	  "t.toml:9:22: error: write_map needs one of var and map, not both",
	  "*" },
	{ LOAD "[[phase]]\nname = \"a\"\nduration = \"1s\"\ndo = [ { write_map = { var = \"x\" } } ]\n",
	  "t.toml:9:22: error: write_map needs a value", NULL },
	{ LOAD "[[phase]]\nname = \"a\"\nduration = \"1s\"\ndo = [ { write_map = { var = \"x\", key = 3, value = 1 } } ]\n",
	  "t.toml:9:41: error: a variable has no key", NULL },
	{ LOAD "[[phase]]\nname = \"a\"\nduration = \"1s\"\ndo = [ { write_map = { var = \"x\", value = 1.5 } } ]\n",
	  "t.toml:9:43: error: value must be an integer, a boolean, a string or an array of them",
	  NULL },
	{ LOAD "[[phase]]\nname = \"a\"\nduration = \"1s\"\ndo = [ { write_map = { map = \"m\", key = [1], value = 1 } } ]\n",
	  "t.toml:9:41: error: key must be an integer, a boolean or a string",
	  NULL },
	{ LOAD "[[phase]]\nname = \"a\"\nduration = \"1s\"\ndo = [ {} ]\n",
	  "t.toml:9:8: error: a step of do is a table with one key, not 0",
	  "*" },
	{ LOAD "[[phase]]\nname = \"a\"\nduration = \"1s\"\ndo = [ \"x\" ]\n",
	  "t.toml:9:8: error: an element must be a table, not a string",
	  NULL },
	{ LOAD "[[phase]]\nname = \"a\"\nduration = \"1s\"\ninterval = true\n",
	  "t.toml:9:12: error: interval must be a time, not a boolean",
	  "write \"500us\", \"250ms\", \"2s\" or nanoseconds as an integer" },
	{ LOAD "[[phase]]\nname = \"a\"\nduration = \"1s\"\ninterval = \"2s\"\n",
	  "t.toml:9:12: error: interval must be false, or between 1ms and 1s",
	  NULL },
	/* telemetry */
	{ LOAD "[telemetry]\ninterval = \"10us\"\n",
	  "t.toml:7:12: error: interval must be between 1ms and 1s, not 10us",
	  NULL },
	{ LOAD "[telemetry]\nmaps = [\"*\", 3]\n",
	  "t.toml:7:14: error: an element must be a string or a table, not an integer",
	  NULL },
	{ LOAD "[telemetry]\nmaps = \"*\"\n",
	  "t.toml:7:8: error: maps must be an array, not a string", NULL },
	{ LOAD "[telemetry]\nmaps = [{ name = \"stats\" }]\n",
	  "t.toml:7:9: error: a map needs a interval", NULL },
	{ LOAD "[telemetry]\nmaps = [{ interval = \"1s\" }]\n",
	  "t.toml:7:9: error: a map needs a name", NULL },
	{ LOAD "[telemetry]\nmaps = [{ name = \"stats\", interval = \"1s\", rate = 1 }]\n",
	  "t.toml:7:44: error: unknown key \"rate\" in a map",
	  "the keys here are name, interval" },
	{ LOAD "[telemetry]\nmaps = [\"*\", { name = \"stats\", interval = \"5ms\" }]\n",
	  "t.toml:7:43: error: a map can't be read more often than there are samples, each 10ms",
	  "that is telemetry.interval; it is 10 ms by default" },
	{ LOAD "[telemetry]\nmaps = [{ name = \"stats\", interval = \"100us\" }]\n",
	  "t.toml:7:38: error: interval must be between 1ms and 3600s, not 100us",
	  NULL },
	{ LOAD "[telemetry]\nmaps = [{ name = \"stats\", interval = \"100\" }]\n",
	  "t.toml:7:38: error: interval = \"100\" has no unit", "*" },
	{ LOAD "[telemetry]\nfreeze_every = \"1ms\"\n",
	  "t.toml:7:16: error: freeze_every must be between 20ms and 3600s, not 1ms",
	  NULL },
	{ LOAD "[telemetry]\nbpf_stats = 1\n",
	  "t.toml:7:13: error: bpf_stats must be a boolean, not an integer",
	  NULL },
	{ LOAD "[telemetry]\nobservers = \"wake_latency\"\n",
	  "t.toml:7:13: error: observers must be an array, not a string", NULL },
	{ LOAD "[telemetry]\nobservers = [\"wake_latncy\"]\n",
	  "t.toml:7:14: error: there is no observer \"wake_latncy\"",
	  "did you mean \"wake_latency\"?" },
	{ LOAD "[telemetry]\nobservers = [\"everything\"]\n",
	  "t.toml:7:14: error: there is no observer \"everything\"",
	  "docs/scenario.md lists the observers" },
	{ LOAD "[telemetry]\nobservers = [\"wake_latency\", \"wake_latency\"]\n",
	  "t.toml:7:30: error: observer \"wake_latency\" is named twice", NULL },
	{ LOAD "[telemetry]\nobservers = [3]\n",
	  "t.toml:7:14: error: an element must be a string, not an integer",
	  NULL },
	{ LOAD "[[check]]\nmetric = \"sched.observed.idle_while_waiting\"\nmax = 0.1\n",
	  "t.toml:7:10: error: \"sched.observed.idle_while_waiting\" needs the observer work_conservation",
	  "add \"work_conservation\" to observers of [telemetry]" },
	{ LOAD "[[check]]\nmetric = \"w.observed.io.run.p50\"\nmax = \"1ms\"\n",
	  "t.toml:7:10: error: \"w.observed.io.run.p50\" needs the observer io_completion",
	  "add \"io_completion\" to observers of [telemetry]" },
	{ LOAD "[[check]]\nmetric = \"w.observed.wake_latency.p99\"\nmax = \"1ms\"\n",
	  "t.toml:7:10: error: \"w.observed.wake_latency.p99\" needs the observer wake_latency",
	  "add \"wake_latency\" to observers of [telemetry]" },
	/* checks */
	{ LOAD "[[check]]\nmetric = \"w.iterations\"\n",
	  "t.toml:6:1: error: [[check]] needs one of min, max, between, equals, min_ratio_to_control and max_ratio_to_control, not none",
	  NULL },
	{ LOAD "[[check]]\nmetric = \"w.iterations\"\nmin = 1\nmax = 2\n",
	  "t.toml:6:1: error: [[check]] needs one of min, max, between, equals, min_ratio_to_control and max_ratio_to_control, not several",
	  NULL },
	{ LOAD "[[check]]\nmetric = \"iterations\"\nmin = 1\n",
	  "t.toml:7:10: error: \"iterations\" is not a metric", "*" },
	{ LOAD "[[check]]\nmetric = \"sched.ops.enqueue.count\"\nmin = 1\n",
	  "t.toml:7:10: error: sched.ops.enqueue.count is not counted",
	  "add bpf_stats = true to [telemetry]" },
	{ LOAD "[telemetry]\nbpf_stats = false\n[[check]]\nmetric = \"sched.ops.enqueue.ns\"\nmax = \"1ms\"\n",
	  "t.toml:9:10: error: sched.ops.enqueue.ns is not counted",
	  "add bpf_stats = true to [telemetry]" },
	{ LOAD "[[check]]\nmetric = \"x.iterations\"\nmin = 1\n",
	  "t.toml:7:10: error: there is no workload \"x\"",
	  "did you mean \"w\"?" },
	{ LOAD "[[check]]\nmetric = \"w.wake_latency.p98\"\nmax = \"1ms\"\n",
	  "t.toml:7:10: error: unknown metric \"w.wake_latency.p98\"",
	  "did you mean \"w.wake_latency.p90\"?" },
	{ LOAD "[[check]]\nmetric = \"w.run_delay.max\"\nmax = \"1ms\"\n",
	  "t.toml:7:10: error: metric \"w.run_delay.max\" is not supported yet",
	  NULL },
	{ LOAD "[[check]]\nmetric = \"disk.d.iops\"\nmin = 1\n",
	  "t.toml:7:10: error: there is no disk \"d\"", NULL },
	{ LOAD "[[check]]\nmetric = \"map.stats.avg\"\nmin = 1\n",
	  "t.toml:7:10: error: unknown metric \"map.stats.avg\"",
	  "a map metric ends in .last, .delta or .rate" },
	{ LOAD "[[check]]\nmetric = \"w.gap.max\"\nmax = \"1S\"\n",
	  "t.toml:8:7: error: max = \"1S\" does not end in a unit of time",
	  "*" },
	{ LOAD "[[check]]\nmetric = \"w.iterations\"\nmax = \"1s\"\n",
	  "t.toml:8:7: error: max must be a number, not a string", NULL },
	{ LOAD "[[check]]\nmetric = \"sched.state\"\nmin = 1\n",
	  "t.toml:8:1: error: sched.state is a word: only equals can judge it",
	  NULL },
	{ LOAD "[[check]]\nmetric = \"w.iterations\"\nbetween = [2, 1]\n",
	  "t.toml:8:11: error: between must have the lower limit first",
	  NULL },
	{ LOAD "[[check]]\nmetric = \"w.iterations\"\nbetween = 1\n",
	  "t.toml:8:11: error: between must be an array of two limits, not an integer",
	  "write between = [0.95, 1.05]" },
	{ LOAD "[[check]]\nmetric = \"w.iterations\"\nmin = 1\nphase = \"runn\"\n",
	  "t.toml:9:9: error: there is no phase \"runn\"",
	  "did you mean \"run\"?" },
	{ LOAD "[[phase]]\nname = \"a\"\nduration = \"1s\"\n[[phase]]\nname = \"b\"\nduration = \"1s\"\nmeasure = false\n[[check]]\nmetric = \"w.iterations\"\nmin = 1\nphase = \"b\"\n",
	  "t.toml:16:9: error: phase \"b\" is not measured", "*" },
	{ LOAD "[[check]]\nmetric = \"w.iterations_per_s\"\nmin_ratio_to_control = 0\n",
	  "t.toml:8:24: error: a ratio to a control must be above 0", NULL },
	{ LOAD "[[check]]\nmetric = \"sched.imbalance\"\nmax_ratio_to_control = 2\n",
	  "t.toml:8:1: error: sched.imbalance has no ratio to a control: the kernel's default scheduler has none", NULL },
	{ LOAD "[[phase]]\nname = \"p\"\nduration = \"1s\"\n[[check]]\nmetric = \"host.vcpu_steal\"\nmax = 0.5\nphase = \"p\"\n",
	  "t.toml:12:9: error: host.vcpu_steal is of the whole run: it has no phase", NULL },
	{ LOAD "[automatic]\nprogres = false\n",
	  "t.toml:7:1: error: unknown key \"progres\" in [automatic]",
	  "did you mean \"progress\"?" },
	{ LOAD "[automatic]\nlook = \"1s\"\n",
	  "t.toml:7:8: error: look must be a boolean*", NULL },
	{ LOAD "[automatic]\nnoise = 2\n",
	  "t.toml:7:9: error: noise must be at most 100%", NULL },
	{ LOAD "[automatic]\ntelemetry = 1.5\n",
	  "t.toml:7:13: error: telemetry must be at most 100%", NULL },
};

START_TEST(a_wrong_scenario_is_told_where_and_why)
{
	const struct bad_scenario *b = &bad[_i];
	struct scenario *s = NULL;
	struct diag d;

	diag_init(&d, "t.toml");
	ck_assert_int_eq(-EINVAL, scenario_parse("t.toml", b->text,
						 strlen(b->text), NULL, &s,
						 &d));
	ck_assert_ptr_null(s);
	assert_told(b, &d, NULL);
	diag_fini(&d);
}
END_TEST

static struct scenario *parse(const char *text,
			      const struct scenario_overrides *o)
{
	struct scenario *s;
	struct diag d;
	int err;

	diag_init(&d, "t.toml");
	err = scenario_parse("t.toml", text, strlen(text), o, &s, &d);
	if (err)
		diag_print(&d, stderr);
	ck_assert_int_eq(0, err);
	diag_fini(&d);
	return s;
}

/* Every key that is supported, none at its default. */
static const char whole[] =
	"schema = 1\n"
	"name = \"whole\"\n"
	"description = \"a \\\"quoted\\\" \\t\\u0001 text\"\n"
	"[vm]\n"
	"topology = \"2n4l1c2t\"\n"
	"memory = \"1.5G\"\n"
	"deadline = \"90s\"\n"
	"[[disk]]\n"
	"name = \"data\"\n"
	"size = \"256M\"\n"
	"throttle = { iops = \"500/s\", bps = \"8MB/s\", burst = \"20ms\", latency = \"2ms\", jitter = \"500us\" }\n"
	"faults = { error_rate = \"2.5%\", stall = \"10ms\", stall_every = 100 }\n"
	"queues = 2\n"
	"tolerance = \"2.5%\"\n"
	"[[disk]]\n"
	"name = \"ro\"\n"
	"size = 1048576\n"
	"read_only = true\n"
	"[scheduler]\n"
	"object = \"sub/x.bpf.o\"\n"
	"set = { slice_ns = 5000000, \"odd key\" = true }\n"
	"expect = \"stall\"\n"
	"[[workload]]\n"
	"name = \"reader\"\n"
	"kind = \"io_rand_read\"\n"
	"workers = 4\n"
	"disk = \"data\"\n"
	"cgroup = \"batch/io\"\n"
	"cpus = \"node:1\"\n"
	"cpu_weight = 50\n"
	"cpu_max = \"150%\"\n"
	"nice = -5\n"
	"policy = \"rr:7\"\n"
	"params = { block = \"16K\" }\n"
	"seed = 99\n"
	"[[workload]]\n"
	"name = \"web\"\n"
	"kind = \"bursty\"\n"
	"cpus = \"0,2-3\"\n"
	"params = { burst = \"2ms\", sleep = 8000000 }\n"
	"[[phase]]\n"
	"name = \"warm\"\n"
	"duration = \"1s\"\n"
	"measure = false\n"
	"[[phase]]\n"
	"name = \"slow\"\n"
	"duration = \"3s\"\n"
	"interval = false\n"
	"do = [ { set_throttle = { disk = \"data\", iops = 50 } },\n"
	" { set_faults = { disk = \"data\", error_size = \"4K\" } } ]\n"
	"[[phase]]\n"
	"name = \"slower\"\n"
	"duration = \"2s\"\n"
	"interval = \"20ms\"\n"
	"do = [ { set_throttle = { disk = \"data\", bps = \"1MiB/s\" } },\n"
	" { set_faults = { disk = \"data\", stall_at = \"1s\", stall = \"20ms\" } } ]\n"
	"[[phase]]\n"
	"name = \"burst\"\n"
	"duration = \"1s\"\n"
	"do = [ { set_throttle = { disk = \"data\", burst = \"1ms\", latency = 0 } },\n"
	" { set_faults = { disk = \"data\", torn_writes = true } },"
	" { write_map = { map = \"m\", key = 1, field = \"a.b\", value = [ 1, true, \"x\" ] } },"
	" { freeze = {} }, { freeze = { name = \"mid\", after = \"500ms\" } } ]\n"
	"[telemetry]\n"
	"interval = \"5ms\"\n"
	"maps = [\"stats\", { name = \"*.bss\", interval = \"100ms\" }]\n"
	"freeze_every = \"500ms\"\n"
	"bpf_stats = true\n"
	"observers = [\"wake_latency\"]\n"
	"[[check]]\n"
	"metric = \"web.wake_latency.p99\"\n"
	"phase = \"slow\"\n"
	"max = \"20ms\"\n"
	"[[check]]\n"
	"metric = \"disk.data.delivered_ratio\"\n"
	"between = [\"95%\", 1.05]\n"
	"[[check]]\n"
	"metric = \"map.stats[0].delta\"\n"
	"min = 1.5\n"
	"[[check]]\n"
	"metric = \"sched.events.SCX_EV_SELECT_CPU_FALLBACK\"\n"
	"equals = 0\n"
	"[[check]]\n"
	"metric = \"sched.state\"\n"
	"equals = \"enabled\"\n"
	"[[check]]\n"
	"metric = \"sched.ops.enqueue.count\"\n"
	"min = 1\n"
	"[automatic]\n"
	"gap = \"3s\"\n"
	"cpuset = false\n"
	"telemetry = false\n";

START_TEST(the_resolved_scenario_reads_back_as_the_same_run)
{
	static const char *const texts[] = { whole, LOAD };
	struct scenario *first = parse(texts[_i], NULL), *second;
	char *text = scenario_text(first), *again;
	json_t *a, *b;

	second = parse(text, NULL);
	again = scenario_text(second);
	ck_assert_str_eq(text, again);
	a = plan_new(first, 7);
	b = plan_new(second, 7);
	ck_assert(json_equal(a, b));
	json_decref(a);
	json_decref(b);
	a = plan_checks_new(first);
	b = plan_checks_new(second);
	ck_assert(json_equal(a, b));
	json_decref(a);
	json_decref(b);
	free(text);
	free(again);
	scenario_free(first);
	scenario_free(second);
}
END_TEST

START_TEST(a_plan_has_everything_in_base_units)
{
	struct scenario *s = parse(whole, NULL);
	json_t *plan = plan_new(s, 7);
	json_t *workload = json_array_get(json_object_get(plan, "workloads"),
					  0);
	json_t *scheduler = json_object_get(plan, "scheduler");
	const char *path = json_string_value(json_object_get(scheduler,
							     "path"));

	ck_assert_ptr_nonnull(plan);
	assert_json("\"ktstr.plan/1\"", json_object_get(plan, "schema"));
	assert_json("7", json_object_get(plan, "seed"));
	assert_json("{\"topology\": {\"packages\": 2, \"nodes\": 2, \"llcs\": 4, \"cores_per_llc\": 1, \"threads_per_core\": 2}, \"cpus\": 8, \"memory_bytes\": 1610612736, \"deadline_ns\": 90000000000, \"cmdline_extra\": \"\", \"transport\": null}",
		    json_object_get(plan, "vm"));
	assert_json("[{\"name\": \"data\", \"size_bytes\": 268435456, \"image\": null, \"read_only\": false, \"keep_writes\": false, \"tolerance_ratio\": 0.025, \"throttle\": {\"iops\": 500, \"bps\": 8000000, \"burst_ns\": 20000000, \"latency_ns\": 2000000, \"jitter_ns\": 500000},"
		    "  \"faults\": {\"error_ratio\": 0.025, \"error_from\": 0, \"error_bytes\": 0, \"stall_ns\": 10000000, \"stall_every\": 100, \"stall_at_ns\": 0, \"torn_writes\": false}, \"seed\": 21371594835082, \"queues\": 2},"
		    " {\"name\": \"ro\", \"size_bytes\": 1048576, \"image\": null, \"read_only\": true, \"keep_writes\": false, \"tolerance_ratio\": 0.05, \"throttle\": {\"iops\": 0, \"bps\": 0, \"burst_ns\": 10000000, \"latency_ns\": 0, \"jitter_ns\": 0},"
		    "  \"faults\": {\"error_ratio\": 0.0, \"error_from\": 0, \"error_bytes\": 0, \"stall_ns\": 0, \"stall_every\": 0, \"stall_at_ns\": 0, \"torn_writes\": false}, \"seed\": 1085857449897357, \"queues\": 1}]",
		    json_object_get(plan, "disks"));
	assert_json("{\"name\": \"reader\", \"kind\": \"io_rand_read\", \"workers\": 4, \"disk\": \"data\", \"cgroup\": \"batch/io\", \"cpus\": [4, 5, 6, 7], \"cpu_weight\": 50, \"cpu_max\": {\"quota_ns\": 150000000, \"period_ns\": 100000000}, \"nice\": -5, \"policy\": {\"kind\": \"rr\", \"priority\": 7}, \"params\": {\"block_bytes\": 16384, \"depth\": 1}, \"seed\": 99}",
		    workload);
	assert_json("[0, 2, 3]", json_object_get(
		json_array_get(json_object_get(plan, "workloads"), 1),
		"cpus"));
	assert_json("{\"interval_ns\": 5000000, \"maps\": [{\"name\": \"stats\", \"interval_ns\": 0}, {\"name\": \"*.bss\", \"interval_ns\": 100000000}], \"freeze_every_ns\": 500000000, \"look_gap_ns\": null, \"bpf_stats\": true, \"observers\": [\"wake_latency\"]}",
		    json_object_get(plan, "telemetry"));
	assert_json("\"x\"", json_object_get(scheduler, "name"));
	assert_json("\"object\"", json_object_get(scheduler, "kind"));
	assert_json("\"stall\"", json_object_get(scheduler, "expect"));
	assert_json("{\"slice_ns\": 5000000, \"odd key\": true}",
		    json_object_get(scheduler, "set"));
	ck_assert_msg(path && *path == '/' && strstr(path, "/sub/x.bpf.o"),
		      "%s", path);
	json_decref(plan);
	scenario_free(s);
}
END_TEST

START_TEST(a_phase_without_an_interval_has_the_scenarios)
{
	static const char *const expected[] = { "5000000", "0", "20000000",
						"5000000" };
	struct scenario *s = parse(whole, NULL);
	json_t *plan = plan_new(s, 7), *phase;
	size_t i;

	json_array_foreach(json_object_get(plan, "phases"), i, phase)
		assert_json(expected[i], json_object_get(phase, "interval_ns"));
	ck_assert_uint_eq(4, i);
	json_decref(plan);
	scenario_free(s);
}
END_TEST

static const struct {
	const char *lines, *look_gap_ns;
} look_cases[] = {
	{ "", "1000000000" },
	{ "[automatic]\ngap = \"600ms\"\n", "300000000" },
	{ "[automatic]\nlook = false\n", "null" },
	{ "[automatic]\ngap = false\n", "null" },
	{ "[scheduler]\nbuiltin = \"stall\"\nexpect = \"stall\"\n", "null" },
	{ "[scheduler]\nbuiltin = \"simple\"\nexpect = \"error\"\n", "null" },
	{ "[scheduler]\nbuiltin = \"simple\"\nexpect = \"exit\"\n",
	  "1000000000" },
	{ "[[check]]\nmetric = \"w.run_delay.mean\"\nmax = \"1s\"\n", "null" },
	{ "[[check]]\nmetric = \"w.gap.max\"\nmax = \"1s\"\n", "1000000000" },
};

START_TEST(a_gap_is_looked_at_half_way_where_that_spoils_nothing)
{
	char text[512];
	struct scenario *s;
	json_t *plan;

	snprintf(text, sizeof(text), LOAD "%s", look_cases[_i].lines);
	s = parse(text, NULL);
	plan = plan_new(s, 1);
	assert_json(look_cases[_i].look_gap_ns, json_object_get(
		json_object_get(plan, "telemetry"), "look_gap_ns"));
	json_decref(plan);
	scenario_free(s);
}
END_TEST

START_TEST(a_step_keeps_what_it_does_not_name)
{
	struct scenario *s = parse(whole, NULL);
	json_t *plan = plan_new(s, 7);
	json_t *phases = json_object_get(plan, "phases");

	assert_json("[]", json_object_get(json_array_get(phases, 0), "do"));
	assert_json("[{\"set_throttle\": {\"disk\": \"data\", \"iops\": 50, \"bps\": 8000000, \"burst_ns\": 20000000, \"latency_ns\": 2000000, \"jitter_ns\": 500000}},"
		    "{\"set_faults\": {\"disk\": \"data\", \"error_ratio\": 0.025, \"error_from\": 0, \"error_bytes\": 4096, \"stall_ns\": 10000000, \"stall_every\": 100, \"stall_at_ns\": 0, \"torn_writes\": false}}]",
		    json_object_get(json_array_get(phases, 1), "do"));
	/* the second step stands on the first, not on the disk */
	assert_json("[{\"set_throttle\": {\"disk\": \"data\", \"iops\": 50, \"bps\": 1048576, \"burst_ns\": 20000000, \"latency_ns\": 2000000, \"jitter_ns\": 500000}},"
		    "{\"set_faults\": {\"disk\": \"data\", \"error_ratio\": 0.025, \"error_from\": 0, \"error_bytes\": 4096, \"stall_ns\": 20000000, \"stall_every\": 0, \"stall_at_ns\": 1000000000, \"torn_writes\": false}}]",
		    json_object_get(json_array_get(phases, 2), "do"));
	/* a stall at a time is over by then, all else is still in force */
	assert_json("[{\"set_throttle\": {\"disk\": \"data\", \"iops\": 50, \"bps\": 1048576, \"burst_ns\": 1000000, \"latency_ns\": 0, \"jitter_ns\": 500000}},"
		    "{\"set_faults\": {\"disk\": \"data\", \"error_ratio\": 0.025, \"error_from\": 0, \"error_bytes\": 4096, \"stall_ns\": 0, \"stall_every\": 0, \"stall_at_ns\": 0, \"torn_writes\": true}}, {\"write_map\": {\"var\": null, \"map\": \"m\", \"key\": 1, \"field\": \"a.b\", \"value\": [1, true, \"x\"]}}, {\"freeze\": {\"name\": null, \"after_ns\": 0}}, {\"freeze\": {\"name\": \"mid\", \"after_ns\": 500000000}}]",
		    json_object_get(json_array_get(phases, 3), "do"));
	json_decref(plan);
	scenario_free(s);
}
END_TEST

START_TEST(checks_are_in_base_units_too)
{
	struct scenario *s = parse(whole, NULL);
	json_t *checks = plan_checks_new(s);

	assert_json("[{\"metric\": \"web.wake_latency.p99\", \"phase\": \"slow\", \"op\": \"max\", \"limit\": 20000000, \"unit\": \"ns\"},"
		    "{\"metric\": \"disk.data.delivered_ratio\", \"phase\": null, \"op\": \"between\", \"limit\": [0.95, 1.05], \"unit\": \"ratio\"},"
		    "{\"metric\": \"map.stats[0].delta\", \"phase\": null, \"op\": \"min\", \"limit\": 1.5, \"unit\": \"\"},"
		    "{\"metric\": \"sched.events.SCX_EV_SELECT_CPU_FALLBACK\", \"phase\": null, \"op\": \"equals\", \"limit\": 0, \"unit\": \"\"},"
		    "{\"metric\": \"sched.state\", \"phase\": null, \"op\": \"equals\", \"limit\": \"enabled\", \"unit\": \"\"},"
		    "{\"metric\": \"sched.ops.enqueue.count\", \"phase\": null, \"op\": \"min\", \"limit\": 1, \"unit\": \"\"}]",
		    json_object_get(checks, "checks"));
	assert_json("{\"progress\": true, \"gap_ns\": 3000000000, \"cpuset\": false, \"scheduler\": true, \"disk\": true, \"telemetry\": 0.0, \"guest\": true, \"program\": true, \"fairness\": 0.95, \"noise\": 0.1}",
		    json_object_get(checks, "automatic"));
	json_decref(checks);
	scenario_free(s);
}
END_TEST

START_TEST(what_is_left_out_has_its_default)
{
	struct scenario *s = parse(LOAD, NULL);

	ck_assert_uint_eq(4, s->vm.topology.cpus);
	ck_assert_uint_eq(512 << 20, s->vm.memory_bytes);
	ck_assert_uint_eq(120000000000, s->vm.deadline_ns);
	ck_assert_ptr_null(s->scheduler.base.node);
	ck_assert_uint_eq(1, s->nr_phases);
	ck_assert_str_eq("run", s->phases[0].name);
	ck_assert_uint_eq(5000000000, s->phases[0].duration_ns);
	ck_assert(s->phases[0].measure);
	ck_assert_uint_eq(1, s->workloads[0].workers);
	ck_assert_uint_eq(100, s->workloads[0].cpu_weight);
	ck_assert_str_eq("w", s->workloads[0].cgroup);
	ck_assert_uint_eq(10000000, s->telemetry.interval_ns);
	ck_assert_uint_eq(2000000000, s->automatic.gap_ns);
	scenario_free(s);
}
END_TEST

START_TEST(a_workload_without_a_seed_gets_its_own_of_the_run)
{
	struct scenario *s = parse(LOAD "[[workload]]\nname = \"x\"\nkind = \"spin\"\n", NULL);
	json_t *one = plan_new(s, 1), *two = plan_new(s, 2);
	json_t *a = json_object_get(one, "workloads");
	json_t *b = json_object_get(two, "workloads");
	json_int_t seeds[4];
	int i, j;

	for (i = 0; i < 4; i++) {
		seeds[i] = json_integer_value(json_object_get(
			json_array_get(i / 2 ? b : a, i % 2), "seed"));
		ck_assert_int_ge(seeds[i], 0);
		ck_assert_int_le(seeds[i], PLAN_SEED_MAX);
		for (j = 0; j < i; j++)
			ck_assert_int_ne(seeds[i], seeds[j]);
	}
	json_decref(one);
	json_decref(two);
	scenario_free(s);
}
END_TEST

static const struct set_case {
	const char *set[4];
	const char *scheduler;
	const char *expect;	/* a line of the printed scenario */
} set_cases[] = {
	{ { "vm.memory=1G" }, NULL, "\nmemory = \"1G\"\n" },
	{ { "vm.memory=268435456" }, NULL, "\nmemory = \"256M\"\n" },
	{ { "disk.data.throttle.iops=50" }, NULL,
	  "throttle = { iops = 50, bps = \"8MB/s\", burst = \"20ms\", latency = \"2ms\", jitter = \"500us\" }" },
	{ { "disk.1.read_only=false", "disk.ro.size=\"2M\"" }, NULL,
	  "name = \"ro\"\nsize = \"2M\"" },
	{ { "disk.ro.throttle.bps=8MB/s" }, NULL,
	  "throttle = { iops = 0, bps = \"8MB/s\", burst = \"10ms\", latency = \"0ns\", jitter = \"0ns\" }" },
	{ { "disk.data.faults.error_rate=0.5" }, NULL,
	  "faults = { error_rate = 0.5, error_from = \"0B\", error_size = \"0B\", stall = \"10ms\", stall_every = 100, stall_at = \"0ns\", torn_writes = false }" },
	{ { "workload.web.params={ burst = \"3ms\" }" }, NULL,
	  "params = { burst = \"3ms\", sleep = \"100ms\" }" },
	{ { "workload.web.nice=5", "workload.web.nice=6" }, NULL,
	  "\nnice = 6\n" },
	{ { "check.0.max=30ms" }, NULL, "\nmax = \"30ms\"\n" },
	{ { "scheduler.set.\"a.b\"=3" }, NULL, "\"a.b\" = 3" },
	{ { "description=no TOML = at all" }, NULL,
	  "description = \"no TOML = at all\"\n" },
	{ { NULL }, "fifo",
	  "\n[scheduler]\nbuiltin = \"fifo\"\nexpect = \"stall\"\n" },
	{ { "scheduler.set.slice_ns=1" }, "fifo",
	  "\nset = { slice_ns = 1 }\n" },
};

START_TEST(set_changes_the_scenario_before_it_is_checked)
{
	const struct set_case *c = &set_cases[_i];
	struct scenario_overrides o = { .set = c->set,
					.scheduler = c->scheduler };
	struct scenario *s = parse(whole, &o);
	char *text = scenario_text(s);

	ck_assert_msg(strstr(text, c->expect), "no %s in\n%s", c->expect,
		      text);
	free(text);
	scenario_free(s);
}
END_TEST

START_TEST(scheduler_none_is_the_kernels_default)
{
	struct scenario_overrides o = { .scheduler = "none" };
	struct scenario *s = parse(whole, &o);
	json_t *plan = plan_new(s, 1);

	assert_json("null", json_object_get(plan, "scheduler"));
	json_decref(plan);
	scenario_free(s);
}
END_TEST

static const struct {
	const char *set;
	const char *scheduler;
	const char *error, *hint;
} bad_sets[] = {
	{ "vm.memry=1G", NULL,
	  "--set vm.memry=1G: error: unknown key \"memry\" in [vm]",
	  "did you mean \"memory\"?" },
	{ "vm.memory=17G", NULL,
	  "--set vm.memory=17G: error: memory must be between 128M and 16G, not 17G",
	  NULL },
	{ "disk.dat.size=1M", NULL,
	  "--set disk.dat.size=1M: error: there is no disk \"dat\"",
	  "did you mean \"data\"?" },
	{ "disk.7.size=1M", NULL,
	  "--set disk.7.size=1M: error: there is no disk \"7\"", NULL },
	{ "disk.data=1", NULL,
	  "--set disk.data=1: error: a whole element of disk can't be set",
	  "name one of its keys: --set disk.data.KEY=VALUE" },
	{ "name.x=1", NULL, "--set name.x=1: error: name is not a table",
	  NULL },
	{ "vm.memory", NULL, "--set vm.memory: error: this is not KEY=VALUE",
	  "*" },
	{ "=1", NULL, "--set =1: error: this is not KEY=VALUE", "*" },
	{ "vm..memory=1", NULL,
	  "--set vm..memory=1: error: the part before '=' is not a key", "*" },
	{ "vm.=1", NULL,
	  "--set vm.=1: error: the part before '=' is not a key", "*" },
	{ "\"vm=1", NULL,
	  "--set \"vm=1: error: the part before '=' is not a key", "*" },
	{ "description=\"a\"\nname=\"b\"", NULL, "", NULL },
	{ NULL, "simpel",
	  "--scheduler simpel: error: there is no builtin scheduler \"simpel\"",
	  "did you mean \"simple\"?" },
	{ NULL, "/nowhere/x.bpf.o",
	  "--scheduler /nowhere/x.bpf.o: error: No such file or directory",
	  NULL },
};

START_TEST(an_error_of_an_option_names_the_option)
{
	const char *set[] = { bad_sets[_i].set, NULL };
	struct scenario_overrides o = { .set = set,
					.scheduler = bad_sets[_i].scheduler };
	struct scenario *s = NULL;
	struct diag d;
	char line[512];
	int err;

	diag_init(&d, "t.toml");
	err = scenario_parse("t.toml", whole, strlen(whole), &o, &s, &d);
	if (!*bad_sets[_i].error) {
		/* a second line is text, not a second key */
		ck_assert_int_eq(0, err);
		ck_assert_str_eq("\"a\"\nname=\"b\"", s->description);
		scenario_free(s);
		return;
	}
	ck_assert_int_eq(-EINVAL, err);
	snprintf(line, sizeof(line), "%s: error: %s", d.entries[0].where,
		 d.entries[0].message);
	ck_assert_str_eq(bad_sets[_i].error, line);
	if (bad_sets[_i].hint)
		ck_assert(d.entries[0].hint &&
			  text_matches(bad_sets[_i].hint, d.entries[0].hint));
	else
		ck_assert_ptr_null(d.entries[0].hint);
	diag_fini(&d);
}
END_TEST

START_TEST(all_errors_are_told_in_the_order_of_the_file)
{
	static const char text[] =
		"schema = 1\nname = \"t\"\n[[check]]\nmetric = \"x.y\"\nmin = 1\n"
		"[vm]\nmemory = 5\n[[workload]]\nname = \"w\"\nkind = \"spn\"\n";
	struct scenario *s;
	struct diag d;

	diag_init(&d, "t.toml");
	ck_assert_int_eq(-EINVAL, scenario_parse("t.toml", text, strlen(text),
						 NULL, &s, &d));
	ck_assert_uint_eq(3, d.nr);
	ck_assert_uint_eq(4, d.entries[0].line);
	ck_assert_uint_eq(7, d.entries[1].line);
	ck_assert_uint_eq(10, d.entries[2].line);
	diag_fini(&d);
}
END_TEST

START_TEST(a_file_that_is_not_there_is_named)
{
	struct scenario *s;
	struct diag d;

	diag_init(&d, "/nowhere/x.toml");
	ck_assert_int_eq(-EINVAL,
			 scenario_load("/nowhere/x.toml", NULL, &s, &d));
	ck_assert_str_eq("/nowhere/x.toml", d.entries[0].where);
	ck_assert_str_eq("No such file or directory", d.entries[0].message);
	diag_fini(&d);
}
END_TEST

/* Whatever the bytes, the parser answers; the sanitizers watch. */
START_TEST(a_scenario_cut_anywhere_does_no_harm)
{
	struct scenario *s;
	struct diag d;
	size_t len;

	for (len = 0; len < sizeof(whole) - 1; len++) {
		diag_init(&d, "t.toml");
		if (!scenario_parse("t.toml", whole, len, NULL, &s, &d))
			scenario_free(s);
		diag_fini(&d);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scenario");
	TCase *tc = tcase_create("scenario");

	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, a_wrong_scenario_is_told_where_and_why, 0,
			    ARRAY_SIZE(bad));
	tcase_add_loop_test(tc,
			    the_resolved_scenario_reads_back_as_the_same_run,
			    0, 2);
	tcase_add_test(tc, a_plan_has_everything_in_base_units);
	tcase_add_test(tc, a_phase_without_an_interval_has_the_scenarios);
	tcase_add_loop_test(tc,
		a_gap_is_looked_at_half_way_where_that_spoils_nothing, 0,
		sizeof(look_cases) / sizeof(look_cases[0]));
	tcase_add_test(tc, a_step_keeps_what_it_does_not_name);
	tcase_add_test(tc, checks_are_in_base_units_too);
	tcase_add_test(tc, what_is_left_out_has_its_default);
	tcase_add_test(tc, a_workload_without_a_seed_gets_its_own_of_the_run);
	tcase_add_loop_test(tc, set_changes_the_scenario_before_it_is_checked,
			    0, ARRAY_SIZE(set_cases));
	tcase_add_test(tc, scheduler_none_is_the_kernels_default);
	tcase_add_loop_test(tc, an_error_of_an_option_names_the_option, 0,
			    ARRAY_SIZE(bad_sets));
	tcase_add_test(tc, all_errors_are_told_in_the_order_of_the_file);
	tcase_add_test(tc, a_file_that_is_not_there_is_named);
	tcase_add_test(tc, a_scenario_cut_anywhere_does_no_harm);
	suite_add_tcase(s, tc);
	return test_run(s);
}
