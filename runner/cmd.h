/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands of the ktstr binary, for main.c's table. */
#ifndef KTSTR_RUNNER_CMD_H
#define KTSTR_RUNNER_CMD_H

/* Exit codes of DESIGN 9. */
enum ktstr_exit {
	KTSTR_EXIT_PASS = 0,
	KTSTR_EXIT_FAIL = 1,
	KTSTR_EXIT_USAGE = 2,
	KTSTR_EXIT_SKIP = 4,
	KTSTR_EXIT_INCONCLUSIVE = 5,
	KTSTR_EXIT_ERROR = 6,
};

/* Beside 0 and 1, those of `git bisect run`. */
enum ktstr_bisect_exit {
	KTSTR_BISECT_SKIP = 125,	/* this revision can't be judged */
	KTSTR_BISECT_ABORT = 129,	/* nor could any other */
};

/* Each gets its own arguments, argv[0] being the command's name. */
int cmd_run(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_exec(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_replay(int argc, char **argv);

/* Not for users: the process that holds one VM, see runner/session.h. */
int cmd_vm(int argc, char **argv);

/* Not for users: is KVM fit? One line; 0 or KTSTR_EXIT_SKIP. */
int cmd_probe(int argc, char **argv);

/* Not for users: the emulated host, see runner/emu.h. */
int cmd_emu_init(int argc, char **argv);	/* PID 1 inside */
int cmd_emu_serve(int argc, char **argv);	/* boot one, serve a batch */
int cmd_emu_exec(int argc, char **argv);	/* any command inside */

#endif
