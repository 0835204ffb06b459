# SPDX-License-Identifier: GPL-2.0-only
# Fuzz targets of the devices: see mk/fuzz.mk. One target a line.
vmm-fuzz += chain
fuzz-srcs-chain := vmm/virtqueue.c
vmm-fuzz += mmio
fuzz-srcs-mmio := vmm/virtio_mmio.c vmm/virtio_core.c lib/log.c
vmm-fuzz += pci
fuzz-srcs-pci := vmm/virtio_pci.c vmm/virtio_core.c vmm/pci.c vmm/msix.c \
	lib/log.c
vmm-fuzz += console
fuzz-srcs-console := vmm/virtio_console.c vmm/virtqueue.c lib/log.c
vmm-fuzz += frame
fuzz-srcs-frame := lib/frame.c
vmm-fuzz += limiter
fuzz-srcs-limiter := vmm/token_bucket.c
vmm-fuzz += blk_req
fuzz-srcs-blk_req := vmm/blk_req.c vmm/blk_image.c
vmm-fuzz += image
fuzz-srcs-image := vmm/boot_image.c vmm/unpack.c lib/errmsg.c
fuzz-libs-image := $(vmm-libs)
fuzz-args-image := -max_len=2048

$(eval $(call fuzz_targets,vmm,$(vmm-fuzz)))

vmm-fuzz-objs := $(patsubst %,$(O)/vmm/fuzz/%.o,$(vmm-fuzz))
deps += $(vmm-fuzz-objs:.o=.d)
$(eval $(call unit_tests,vmm,fuzz_corpus_test,vmm lib,$(vmm-fuzz-objs) $(O)/vmm/vmm.a $(O)/lib/lib.a $(vmm-libs)))
$(O)/vmm/fuzz_corpus_test: $(vmm-fuzz-objs)
