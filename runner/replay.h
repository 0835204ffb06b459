/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a run directory says of how to do that run again, and whether what is
 * here now is the same. Used by cmd_replay.c and, for the check, launch.c.
 */
#ifndef KTSTR_RUNNER_REPLAY_H
#define KTSTR_RUNNER_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* What must be the same; NULL: need not be. */
struct replay {
	const char *kernel_hash;
	const char *scheduler_hash;
	const char *object;	/* the scheduler that ran, kept; NULL: as the
				 * scenario says */
};

/* A run as its directory tells it. */
struct replay_run {
	json_t *result;		/* owned; strings below are its own */
	char *scenario;		/* owned: path of scenario.toml */
	char *object;		/* owned: path of sched.bpf.o; NULL: none */
	const char *kernel_path; /* NULL: not told */
	const char *kernel_hash, *scheduler_hash, *verdict;
	const char *transport;	/* NULL: not told */
	uint64_t *seeds;	/* owned: of each boot of the scheduler's */
	size_t nr_seeds;	/* 1 at least */
	bool control;
};

/**
 * replay_open() - read a run directory, or the bundle in one
 * @run: for replay_close(); written on success only
 * @why: on failure one line that says what is missing or changed
 *
 * Return: 0; -ENOENT no run there; -EINVAL it tells too little; -EBADMSG a file
 * of it is not what it was; -ENOMEM.
 */
int replay_open(const char *dir, struct replay_run *run, char *why,
		size_t why_len);
void replay_close(struct replay_run *run);

/**
 * replay_check_images() - are the disks' images what they were?
 * @why: if not, one line: which, what differs, and what to do
 */
bool replay_check_images(const struct replay_run *run, char *why,
			 size_t why_len);

/**
 * replay_check() - is what was prepared what ran then?
 * @plan: after the preparation: with hashes
 * @why: if not, one line: what differs, and what to do
 */
bool replay_check(const struct replay *want, const json_t *plan, char *why,
		  size_t why_len);

#endif
