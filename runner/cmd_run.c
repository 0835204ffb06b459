// SPDX-License-Identifier: GPL-2.0-only
/* ktstr run and ktstr replay: the commands with their real launcher. */
#include "runner/cmd.h"
#include "runner/launch.h"
#include "runner/run.h"

static const struct run_ops ops = { launch_prepare, launch_run };

int cmd_run(int argc, char **argv)
{
	return cmd_run_with(&ops, argc, argv, stdout);
}

int cmd_replay(int argc, char **argv)
{
	return cmd_replay_with(&ops, argc, argv, stdout);
}
