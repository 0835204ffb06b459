/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The process that holds one VM: `ktstr __vm IN OUT`. It runs the VM, speaks
 * with the agent, and writes what was seen to OUT; it does not judge.
 * docs/internals/session.md has the formats. Private to the session_*.c files.
 */
#ifndef KTSTR_RUNNER_SESSION_H
#define KTSTR_RUNNER_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "include/ktstr/shm.h"
#include "lib/frame.h"
#include "monitor/monitor.h"
#include "runner/clock_relation.h"
#include "runner/console_log.h"
#include "runner/facts_disk.h"
#include "runner/look.h"
#include "vmm/vmm.h"

#define SESSION_MAX_DISKS VM_MAX_DISKS
#define SESSION_MAX_PHASES KTSTR_SHM_MAX_PHASES

/* vm_stop() reasons; the end of a run that the session itself decided. */
enum session_stop {
	SESSION_STOP_DONE = 1,	/* the agent said DONE */
	SESSION_STOP_INTERRUPT,	/* SIGINT, SIGTERM */
	SESSION_STOP_OVERRUN,	/* a phase took far longer than asked */
	SESSION_STOP_PROTOCOL,	/* the agent's stream broke */
};

/* How far the agent got; names the place when a run ends early. */
enum session_stage {
	SESSION_BOOT,
	SESSION_HELLO,
	SESSION_SCHEDULER,	/* attached, or there is none to attach */
	SESSION_READY,
	SESSION_PHASES,
	SESSION_DONE,
};

/* What is known of one phase. */
struct phase_record {
	bool begun, ended;
	uint64_t host_start_ns, host_end_ns;
	uint64_t guest_start_ns, guest_end_ns;
	struct disk_mark *disks_start, *disks_end; /* owned, one per disk */
	struct vm_vcpu_stats *vcpus_start, *vcpus_end; /* owned, per vCPU */
	struct vm_throttle asked[SESSION_MAX_DISKS];
	json_t *numbers_start, *numbers_end;	/* map numbers; may be NULL */
	struct mon_sched sched_start, sched_end;
	bool have_sched_start, have_sched_end;
	json_t *details_start, *details_end;	/* mon_details(); may be NULL */
	json_t *end_msg;	/* PHASE_END as sent */
	struct ktstr_worker *workers; /* copied at the phase's end */
};

struct session {
	/* input */
	json_t *plan;
	const char *in_dir, *out_dir;
	unsigned int nr_phases, nr_disks, nr_workers;
	const char *disk_names[SESSION_MAX_DISKS];	/* in the plan */
	char *images[SESSION_MAX_DISKS];	/* owned; NULL: none */
	struct vm_throttle throttle[SESSION_MAX_DISKS];	/* in force now */
	char *btf;
	size_t btf_len;

	/* the machine */
	struct vm *vm;
	struct sampler *sampler;	/* NULL until HELLO was good */
	struct console_log console;
	FILE *agent_log;
	uint64_t agent_log_bytes;
	int signal_fd, timer_fd;
	int signal;			/* the one that interrupted us, or 0 */

	/* the agent's stream */
	struct frame_reader reader;
	uint32_t tx_seq;
	enum session_stage stage;
	uint32_t phase;			/* current, or KTSTR_SHM_NO_PHASE */
	char protocol_error[128];
	uint64_t ignored_msgs;
	json_t *hello, *topology, *fatal, *done;
	json_t *sched;			/* SCHED messages merged */
	json_t *kmsg_problems;		/* array of lines */
	json_t *tracing_programs;	/* in the guest, when all was ready */
	json_t *leaves;			/* programs' cgroups, by worker */
	uint32_t shm_map_id;

	/* results */
	uint64_t start_ns, hello_ns, ready_ns, end_ns;
	struct phase_record phases[SESSION_MAX_PHASES];
	struct clock_point clocks[SESSION_MAX_PHASES + 1]; /* [i]: before i */
	struct io_wake *io_wake;	/* NULL: no workload on a disk */
	struct session_exec *exec;	/* owned; NULL: not ktstr exec */
	struct session_load *load;	/* owned: programs of the scenario */
	struct session_progress *progress;	/* owned; NULL: not asked for */
	struct looks *looks;		/* owned; frozen looks */
	struct observe *observe;	/* owned; NULL: none is asked for */
	struct gaps *gaps;		/* owned; workers that don't get on */
	size_t step;			/* of the phase, to be done next */
	bool step_waits;		/* it is with the agent */
	json_t *steps;			/* array: what the agent answered */
	json_t *maps;			/* last good look */
	uint8_t *shm;			/* private copy; NULL if unread */
	size_t shm_bytes;
	struct vm_end end;
};

/* session_agent.c: the agent's messages */

/** session_on_bytes() - bytes from the port, hostile; main loop */
void session_on_bytes(struct session *s, const void *data, size_t len);

/** session_send() - a message to the agent. 0 or -errno, logged. */
int session_send(struct session *s, enum ktstr_msg type, json_t *body);

/** session_send_bytes() - likewise, for what is not JSON */
int session_send_bytes(struct session *s, enum ktstr_msg type,
		       const void *data, size_t len);

/* session.c: what the messages lead to */

/**
 * session_phase_steps() - do what is left of a phase's steps, in order
 *
 * Return: true when all are done; false: the agent has to answer first.
 */
bool session_phase_steps(struct session *s, uint32_t index);
/** session_go_on() - session_agent.c: steps, then the phase, then GO */
void session_go_on(struct session *s);
/** session_interval_ns() - of a phase's samples, or before and after them all */
uint64_t session_interval_ns(const struct session *s, uint32_t phase);

/** session_phase_begin() - host's side of a phase, before GO */
void session_phase_begin(struct session *s, uint32_t index);
/** session_phase_end() - look at everything while it is fresh */
void session_phase_end(struct session *s, uint32_t index);
/** session_open_sampler() - the kernel said where things are */
void session_open_sampler(struct session *s);
/** session_watch_maps() - those of the scheduler that telemetry.maps names */
void session_watch_maps(struct session *s, json_t *maps);
/** session_read_shm() - copy the shared region; keeps the old copy on error */
void session_read_shm(struct session *s);

/** session_shm_header() - the region's header, checked. 0 or -errno. */
int session_shm_header(struct session *s, struct ktstr_shm_hdr *hdr);

/* session_clock.c */

struct io_wake_sum;

/** session_on_clock() - the agent is in an exchange: our side of it, now */
void session_on_clock(struct session *s, json_t *body);
/** session_open_io_wake() - the shared region is there */
void session_open_io_wake(struct session *s);
/** session_clock_json() - over the measured phases; null if not known */
json_t *session_clock_json(const struct session *s);
json_t *session_phase_clock_json(const struct session *s, uint32_t phase);
/**
 * session_io_wake_sum() - of one workload in one phase, or all measured ones
 * (@phase < 0). 0; -ENOENT one without a disk; -ENOMEM.
 */
int session_io_wake_sum(struct session *s, unsigned int workload, int phase,
			struct io_wake_sum *sum);
/**
 * session_io_wake_json() - of one workload in one phase, or all measured ones
 * (@phase < 0); an empty object for one without a disk
 */
json_t *session_io_wake_json(struct session *s, unsigned int workload,
			     int phase);

/* session_exec.c: the streams of plan.exec's program */

/* What it does through others; for a test to stand in. */
struct session_exec_ops {
	/** as session_send_bytes() */
	int (*send)(struct session *s, enum ktstr_msg type, const void *data,
		    size_t len);
	/** call @fn on the main loop's thread; 0, or -errno: it can't be */
	int (*watch)(struct session *s, int fd, uint32_t events,
		     void (*fn)(void *ctx, uint32_t events));
	void (*unwatch)(struct session *s, int fd);
};

/** session_exec_open() - after the plan is read; @ops: kept. 0 or -errno. */
int session_exec_open(struct session *s, const struct session_exec_ops *ops);
/** session_exec_frame() - Return: true if it was one of exec's. */
bool session_exec_frame(struct session *s, const struct frame *f);
/** session_exec_finish() - after the VM: what is left, exec.json. 0 or -errno. */
int session_exec_finish(struct session *s);
void session_exec_close(struct session *s);

/* session_progress.c: where we are, on stderr, for a live status line */

/** session_progress_open() - it is asked for. 0 or -errno. */
int session_progress_open(struct session *s);
/** session_progress_start() - once the main loop is there. 0 or -errno. */
int session_progress_start(struct session *s);
void session_progress_close(struct session *s);

/* session_details.c */

/** session_details_facts() - add to sched{} of a phase, or of all (@phase < 0) */
void session_details_facts(const struct session *s, int phase, json_t *sched);

/* session_load.c: what the scenario's own programs left behind */

/** session_load_open() - after the plan is read. 0 or -errno. */
int session_load_open(struct session *s);
/** session_load_frame() - Return: true if it was one of theirs. */
bool session_load_frame(struct session *s, const struct frame *f);
/**
 * session_load_facts() - complete the numbers of a workload, if it is a program
 * @phase: < 0: the totals
 */
void session_load_facts(const struct session *s, unsigned int workload,
			int phase, json_t *stats);
void session_load_close(struct session *s);

/* session_write.c: steps that the agent carries out */

/** session_step_write() - a write_map step's args: ask for it */
void session_step_write(struct session *s, json_t *args);
/** session_on_written() - it is done, or can't be */
void session_on_written(struct session *s, json_t *body);

/* look_take.c: looks at the frozen VM, and what was frozen for them */

/** session_looks_open() - before the VM. 0 or -errno. */
int session_looks_open(struct session *s);
/** session_looks_start() - once the main loop is there. 0 or -errno. */
int session_looks_start(struct session *s);
void session_looks_close(struct session *s);
/** session_look_step() - a freeze step's args: now, if it is not for later */
void session_look_step(struct session *s, json_t *args);
/** session_looks_phase_start() - the guest's phase runs: its later steps */
void session_looks_phase_start(struct session *s, uint32_t index);
void session_looks_phase_end(struct session *s);
/** session_looks_death_fd() - an eventfd: the scheduler is seen to die */
int session_looks_death_fd(const struct session *s);
/** session_looks_watch() - have a scheduler that just attached stopped when
 * its end begins, where KVM and the CPU can do that
 */
void session_looks_watch(struct session *s);
/** session_look_death() - it dies: look, unless that was done already */
void session_look_death(struct session *s, enum look_seen seen);
/** session_look_gap() - @name does not get on */
void session_look_gap(struct session *s, const char *name);
const struct frozen_log *session_frozen(const struct session *s);
/** session_looks_json() - looks{} of the result, new reference; NULL: none */
json_t *session_looks_json(const struct session *s);

/* look_watch.c: workers that do not get on */

/** session_gaps_open() - after the plan is read. 0 or -errno. */
int session_gaps_open(struct session *s);
/** session_gaps_start() - once the main loop is there. 0 or -errno. */
int session_gaps_start(struct session *s);
/** session_gaps_close() - after the sampler's thread has ended */
void session_gaps_close(struct session *s);
/** session_gaps_sample() - a look at all of them; the sampler's thread */
void session_gaps_sample(struct session *s);
void session_gaps_phase_start(struct session *s, uint32_t index);
void session_gaps_phase_end(struct session *s);
/** session_gaps_freeze() - from here to session_gaps_thaw() nobody gets on */
void session_gaps_freeze(struct session *s);
void session_gaps_thaw(struct session *s, uint64_t frozen_ns);
/** session_gaps_json() - gaps[] of the facts, new reference */
json_t *session_gaps_json(struct session *s);

/** session_nr_cpus() - of the plan */
unsigned int session_nr_cpus(const struct session *s);
/** session_mark_vcpus() - a reading of each; for free(). NULL: no memory. */
struct vm_vcpu_stats *session_mark_vcpus(const struct session *s);

/* session_observe.c: observers of the guest's scheduler */

/** session_observe_open() - after the plan is read. 0 or -errno. */
int session_observe_open(struct session *s);
/** session_on_observer() - one is attached, or not */
void session_on_observer(struct session *s, json_t *body);
/** session_observe_phase_end() - read them; no phase: at the VM's end */
void session_observe_phase_end(struct session *s, uint32_t phase);
/** session_observe_workload() - add observed{}; @phase < 0: the totals */
void session_observe_workload(struct session *s, unsigned int workload,
			      int phase, json_t *stats);
/** session_observe_sched() - likewise, of sched{} */
void session_observe_sched(const struct session *s, int phase, json_t *sched);
/** session_observers_json() - observers{}, new reference; NULL: none */
json_t *session_observers_json(const struct session *s, int phase);

/* session_facts.c */

/** session_frozen_view() - frozen time by the guest's clock in a phase */
struct frozen_view session_frozen_view(const struct session *s, uint32_t phase);

/** session_phase_frozen_ns() - how much of a phase was frozen, host clock */
uint64_t session_phase_frozen_ns(const struct session *s, uint32_t phase);

/** session_phase_ns() - the guest's time of a phase, without what was frozen */
uint64_t session_phase_ns(const struct session *s, uint32_t phase);


/** session_facts() - all of it as facts.json. New reference or NULL. */
json_t *session_facts(struct session *s);

#endif
