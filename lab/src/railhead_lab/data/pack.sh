#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Turn a root file system's archive into a disk. Runs as root, or as root of a
# user namespace. Arguments: the archive, the folder to leave the results in
# (base.raw, vmlinuz, initrd, kernel, ssh_host_ed25519_key.pub), the disk's size.

set -eu

archive=$1
out=$2
size=$3
tree=$out/tree
mkdir "$tree"
# Device nodes cannot be made in a user namespace, and devtmpfs covers them.
tar -C "$tree" --exclude='./dev/*' --numeric-owner --xattrs --xattrs-include='*' -xpf "$archive"
kernel=$(cat "$tree/etc/railhead-lab-kernel")
cp "$tree/boot/vmlinuz-$kernel" "$out/vmlinuz"
cp "$tree/boot/initrd.img-$kernel" "$out/initrd"
cp "$tree/etc/ssh/ssh_host_ed25519_key.pub" "$out/ssh_host_ed25519_key.pub"
printf '%s\n' "$kernel" >"$out/kernel"
rm -f "$out/base.raw"
mke2fs -q -t ext4 -L lab -d "$tree" -E lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0 \
    "$out/base.raw" "$size"
rm -rf "$tree"
