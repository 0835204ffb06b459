#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The disk under a stock kernel: what is written is there, what is discarded is
# gone, a file system lives on it, a driver may leave in the middle, throttled
# or not; and disks that begin as files, kept or not. Two boots.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

PATH=$PATH:/usr/sbin:/sbin
for tool in mkfs.ext4 e2fsck debugfs blkdiscard; do
	command -v "$tool" >/dev/null && continue
	echo "skipped: no $tool here"
	exit 4
done

# In the guest. It says what it saw, a line each: "DISK WHAT VALUE".
cat >"$tmp/guest" <<'END'
#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
by=/dev/disk/by-ktstr
M=1048576

sum() { # the first MiB, from the device itself
	dd if="$1" bs=64k count=16 iflag=direct status=none | sha256sum | cut -d' ' -f1
}

zero() { # FILE SKIP BYTES: is it all zeroes?
	dd if="$1" bs=4k skip=$(($2 / 4096)) count=$(($3 / 4096)) iflag=direct status=none |
		cmp -n "$3" - /dev/zero && echo yes
}

fill() {
	dd if=$by/src of="$2" bs=64k count=16 oflag=direct conv=fdatasync status=none
	echo "$1 written $?"
	echo "$1 sum $(sum "$2")"
}

discard() {
	blkdiscard -o $((M / 2)) -l $((M / 2)) "$2"
	echo "$1 discard $? $(zero "$2" $((M / 2)) $((M / 2)))"
	blkdiscard -z -o 0 -l 65536 "$2"
	echo "$1 zeroes $? $(zero "$2" 0 65536)"
	# the neighbours are as they were
	dd if=$by/src bs=64k skip=1 count=7 status=none | sha256sum >/near
	dd if="$2" bs=64k skip=1 count=7 iflag=direct status=none | sha256sum >/is
	cmp -s /near /is
	echo "$1 neighbours $?"
}

# Writers are at it while the driver goes and comes back.
rebind() {
	block=$(readlink "$2") block=${block##*/}
	device=$(cd "/sys/block/$block/device" && pwd -P) device=${device##*/}
	driver=/sys/bus/virtio/drivers/virtio_blk
	# until the device is gone: nocreat, or a writer goes on in a file of /dev
	for i in 1 2 3 4; do
		while dd if=/dev/zero of="$2" bs=4k seek=$((512 * i)) count=64 \
			oflag=direct conv=notrunc,nocreat status=none \
			2>/dev/null; do :; done &
	done
	sleep 0.3
	echo "$device" >$driver/unbind
	echo "$1 unbound $?"
	wait
	echo "$device" >$driver/bind
	echo "$1 bound $?"
	set -- "$1" /sys/bus/virtio/devices/"$device"/block/*
	again=/dev/${2##*/}
	dd if=$by/src of="$again" bs=64k count=16 oflag=direct conv=fdatasync status=none
	echo "$1 again $? $(sum "$again")"
}

files() {
	mkfs.ext4 -q -F "$2" >/dev/null
	echo "$1 mkfs $?"
	mkdir -p /mnt
	mount -t ext4 "$2" /mnt && mkdir /mnt/d
	echo "$1 mount $?"
	dd if=$by/src of=/mnt/d/data bs=64k count=16 conv=fsync status=none
	echo "from $1" >/mnt/d/name
	umount /mnt
	echo "$1 umount $?"
	mount -t ext4 "$2" /mnt
	echo "$1 remount $? $(sha256sum </mnt/d/data | cut -d' ' -f1) $(cat /mnt/d/name)"
	umount /mnt
}

echo "src sum $(sum $by/src)"
echo "ro sum $(sum $by/ro)"
echo scribble | dd of=$by/ro bs=4k conv=notrunc status=none 2>/dev/null
echo "ro write $?"
blkdiscard $by/ro 2>/dev/null
echo "ro discard $?"
echo "ro sum-after $(sum $by/ro)"
for disk in keep slow; do
	fill $disk $by/$disk
	discard $disk $by/$disk
	rebind $disk $by/$disk
	files $disk "$again"
done
# of a disk that is a copy: this must stay in the guest
dd if=/dev/zero of=$by/src bs=64k count=16 oflag=direct conv=fdatasync status=none
echo "src written $?"
echo "src zeroed $(zero $by/src 0 $M)"
END
chmod +x "$tmp/guest"

cd "$tmp" || exit 1
truncate -s 32M src.img keep.img
dd if=/dev/urandom of=src.img bs=64k count=32 conv=notrunc status=none
sum=$(head -c 1048576 src.img | sha256sum | cut -d' ' -f1)
before=$(sha256sum <src.img)

adds=()
for program in dd cmp cut sha256sum blkdiscard sleep readlink mkfs.ext4 mkdir \
	mount umount cat; do
	adds+=(--add "$program")
done
"$ktstr" exec "${adds[@]}" --topology 1n1l2c1t --deadline 150s \
	--disk name=src,image=src.img --disk name=ro,image=src.img,read_only \
	--disk name=keep,image=keep.img,keep_writes \
	--disk name=slow,size=32M,throttle.iops=400 \
	"$tmp/guest" >"$tmp/out" 2>"$tmp/err" </dev/null
status=$?
err=$(cat "$tmp/err")
case $status,$err in
125,*"fault of the emulating machine"*) echo "machine fault: $err"; exit 77 ;;
125,*"no QEMU"*) echo "skipped: $err"; exit 4 ;;
esac
sed 's/^/# /' "$tmp/out" "$tmp/err"

# said WHAT WANT: of the guest's line that begins so
said() {
	is "$1" "$2" "$(sed -n "s/^$1 //p" "$tmp/out")"
}

is "exit status" 0 "$status"
said "src sum" "$sum"
said "ro sum" "$sum"
said "ro write" 1
said "ro discard" 1
said "ro sum-after" "$sum"
for disk in keep slow; do
	said "$disk written" 0
	said "$disk sum" "$sum"
	said "$disk discard" "0 yes"
	said "$disk zeroes" "0 yes"
	said "$disk neighbours" 0
	said "$disk unbound" 0
	said "$disk bound" 0
	said "$disk again" "0 $sum"
	said "$disk mkfs" 0
	said "$disk mount" 0
	said "$disk umount" 0
	said "$disk remount" "0 $sum from $disk"
done
said "src written" 0
said "src zeroed" yes
is "a file that is not kept is as it was" "$before" "$(sha256sum <src.img)"
e2fsck -fn keep.img >"$tmp/fsck" 2>&1
is "a file that is kept has a clean file system" 0 $?
is "with the guest's file in it" "from keep" \
	"$(debugfs -R 'cat /d/name' keep.img 2>/dev/null)"
is "and all of the other one" "$sum" \
	"$(debugfs -R 'cat /d/data' keep.img 2>/dev/null | sha256sum | cut -d' ' -f1)"

# What can't be a disk is told before anything boots.
err=$("$ktstr" exec --disk name=d,image=none.img true 2>&1 </dev/null)
is "no such image: exit status" 125 $?
like "no such image: named" 'image.*/none\.img: No such file' "$err"
err=$("$ktstr" exec --disk size=64M true 2>&1 </dev/null)
is "no name: exit status" 125 $?
err=$("$ktstr" exec --disk name=d,sizze=64M true 2>&1 </dev/null)
is "no such key: exit status" 125 $?
like "no such key: what is meant" 'did you mean "size"' "$err"

# A judged run: relative to the scenario's folder, not to ours.
mkdir scenario
truncate -s 16M scenario/w.img
cat >scenario/s.toml <<'END'
schema = 1
name = "images"

[vm]
topology = "1n1l2c1t"

[[disk]]
name = "w"
image = "w.img"
keep_writes = true
throttle = { iops = 20 }

[[disk]]
name = "r"
image = "../src.img"
read_only = true
throttle = { iops = 50 }

[[workload]]
name = "writer"
kind = "io_seq_write"
disk = "w"

[[workload]]
name = "reader"
kind = "io_rand_read"
disk = "r"
workers = 2

[[phase]]
name = "run"
duration = "2s"

[telemetry]
interval = "100ms"
END
run_ktstr scenario/s.toml
is "a run on images passes" 0 "$status"
holds "both disks worked, without an error" \
	'.disks | .w.writes > 20 and .r.reads > 50 and .w.errors == 0 and .r.errors == 0'
holds "the time spent in the image is told" '.disks.w.backing_ns > 0'
like "the resolved scenario names the file" "image = \"$PWD/scenario/w.img\"" \
	"$(cat "$dir/scenario.toml")"
cmp -s -n 65536 scenario/w.img /dev/zero
is "what the load wrote is in the file" 1 $?
is "what was only read is as it was" "$before" "$(sha256sum <src.img)"
[ ! -e "$dir/disk-0" ]
ok $? "no copy is left in the run's folder"

done_testing
