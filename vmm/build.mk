# SPDX-License-Identifier: GPL-2.0-only
# The VMM as an archive. One object or test a line.

# the VM
vmm-objs += vm.o
vmm-objs += vm_loop.o
vmm-objs += vcpu.o
vmm-objs += thread_time.o
vmm-objs += freeze.o
vmm-objs += watch.o
vmm-objs += kvm_host.o
vmm-objs += kvm_probe.o
vmm-objs += probe_code.o
vmm-objs += memory.o

# what the guest is shown
vmm-objs += topology.o
vmm-objs += cpuid.o
vmm-objs += aml.o
vmm-objs += acpi.o
vmm-objs += unpack.o
vmm-objs += boot_image.o
vmm-objs += boot_params.o

# devices
vmm-objs += serial.o
vmm-objs += console_buf.o
vmm-objs += devices.o
vmm-objs += virtqueue.o
vmm-objs += virtio_core.o
vmm-objs += virtio_mmio.o
vmm-objs += pci.o
vmm-objs += msix.o
vmm-objs += msi_routes.o
vmm-objs += virtio_pci.o
vmm-objs += virtio_slots.o
vmm-objs += virtio_console.o

# the disk
vmm-objs += token_bucket.o
vmm-objs += blk_policy.o
vmm-objs += blk_dispatch.o
vmm-objs += blk_gate.o
vmm-objs += blk_sys.o
vmm-objs += blk_worker.o
vmm-objs += blk_image.o
vmm-objs += blk_file.o
vmm-objs += blk_stats.o
vmm-objs += blk_limits.o
vmm-objs += blk_trace.o
vmm-objs += blk_pending.o
vmm-objs += blk_faults.o
vmm-objs += blk_req.o
vmm-objs += blk_state.o
vmm-objs += blk_flight.o
vmm-objs += virtio_blk.o
vmm-tests += watch_test
vmm-tests += thread_time_test
vmm-tests += blk_policy_test
vmm-tests += blk_dispatch_test
vmm-tests += blk_worker_test
vmm-tests += blk_req_test
vmm-tests += blk_file_test
vmm-tests += blk_trace_test
vmm-tests += blk_pending_test
vmm-tests += blk_faults_test
vmm-tests += blk_state_test
vmm-tests += blk_latency_test
vmm-tests += blk_queues_test
vmm-tests += virtio_blk_test
vmm-tests += blk_hostile_test
vmm-tests += token_bucket_test
vmm-tests += blk_promises_test
vmm-tests += blk_interleave_test

vmm-tests += virtqueue_test
vmm-tests += pci_test
vmm-tests += msix_test
vmm-tests += virtio_mmio_test
vmm-tests += virtio_pci_test
vmm-tests += virtio_console_test
tsan-tests += vmm/vmm_disk_kvm_test vmm/thread_time_test
tsan-tests += vmm/msix_test vmm/virtio_pci_test vmm/vmm_pci_kvm_test
tsan-tests += vmm/virtqueue_test vmm/virtio_mmio_test vmm/virtio_console_test
tsan-tests += vmm/blk_worker_test vmm/blk_state_test vmm/virtio_blk_test
tsan-tests += vmm/freeze_test vmm/vm_loop_test vmm/vmm_kvm_test
tsan-tests += vmm/freeze_stress_test vmm/blk_promises_test

vmm-tests += topology_test
vmm-tests += cpuid_test
vmm-tests += acpi_test
vmm-tests += boot_image_test
vmm-tests += serial_test
vmm-tests += devices_test
vmm-tests += freeze_test
vmm-tests += freeze_stress_test
vmm-tests += vm_loop_test
vmm-tests += vmm_kvm_test
vmm-tests += memory_test
vmm-tests += vmm_big_kvm_test
vmm-tests += vmm_disk_kvm_test
vmm-tests += vmm_pci_kvm_test

vmm-libs := -lzstd -llzma -llz4 -lz

$(eval $(call archive,vmm,$(vmm-objs)))
$(eval $(call unit_tests,vmm,$(vmm-tests),vmm lib,$(vmm-libs)))
include vmm/fuzz/build.mk

# a VM from the command line, for work on the VMM itself
$(O)/vmm/vmm_boot: $(O)/vmm/vmm_boot.o $(O)/vmm/vmm.a $(O)/lib/lib.a
	$(call say,LD,$@)
	$(Q)$(CC) $(KT_LDFLAGS) $(STATIC) -o $@ $^ $(vmm-libs) -lpthread
deps += $(O)/vmm/vmm_boot.d
