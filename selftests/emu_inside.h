/* SPDX-License-Identifier: GPL-2.0-only */
/* vm_emu's jobs: what the program does inside the emulated host. */
#ifndef KTSTR_SELFTESTS_EMU_INSIDE_H
#define KTSTR_SELFTESTS_EMU_INSIDE_H

#define EMU_INSIDE "__inside"	/* argv[1]; argv[2] names the job */
#define EMU_BIG_BYTES (3u << 20)

/** emu_inside() - run the job called @argv[2]. Return: its exit status. */
int emu_inside(int argc, char **argv);

#endif
