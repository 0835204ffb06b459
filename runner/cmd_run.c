// SPDX-License-Identifier: GPL-2.0-only
/* ktstr run: the command with its real launcher. */
#include "runner/cmd.h"
#include "runner/launch.h"
#include "runner/run.h"

int cmd_run(int argc, char **argv)
{
	static const struct run_ops ops = { launch_prepare, launch_run };

	return cmd_run_with(&ops, argc, argv, stdout);
}
