# SPDX-License-Identifier: GPL-2.0-only
lib-objs := errmsg.o load_spec.o log.o hist.o frame.o path.o sparse.o json_line.o
lib-objs += observe.o
$(eval $(call archive,lib,$(lib-objs)))
$(eval $(call unit_tests,lib,hist_test frame_test sparse_test,lib,-lz))
$(eval $(call unit_tests,lib,json_line_test,lib,-ljansson))
$(eval $(call unit_tests,lib,turn_test,lib,))
