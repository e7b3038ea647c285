#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# mmdebstrap's customize hook: kernel, modules, services, identity.
# Arguments: the root of the image, the suite of the image, the suite of the
# kernel, the file with the lab's public SSH key, the names of the modules.

set -eu

root=$1
suite=$2
kernel_suite=$3
public_key=$4
shift 4

say() {
    printf 'railhead-lab: %s\n' "$*" >&2
}

inside() {
    chroot "$root" env -i HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

# Names are resolved inside the image from here on; its own file comes last.
rm -f "$root/etc/resolv.conf"
cat /etc/resolv.conf >"$root/etc/resolv.conf"

if [ "$kernel_suite" != "$suite" ]; then
    say "adding $kernel_suite, on the mirror that $suite comes from"
    uri=$(inside apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
        awk -v want="$suite" '$1 == want { print $2; exit }')
    [ -n "$uri" ] || {
        say "found no APT source of $suite in the image"
        exit 1
    }
    printf '%s\n' 'Types: deb' "URIs: $uri" "Suites: $kernel_suite" 'Components: main' \
        'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg' \
        >"$root/etc/apt/sources.list.d/$kernel_suite.sources"
    inside apt-get -q update
fi

# Only another suite is asked for by name: by default the newest kernel of the
# release and of its security updates is taken.
target=
[ "$kernel_suite" = "$suite" ] || target="--target-release=$kernel_suite"
install_packages() {
    # shellcheck disable=SC2086  # an option, or nothing
    inside apt-get -q install -y --no-install-recommends $target "$@"
}

say "installing the kernel"
install_packages linux-image-amd64
kernel=$(basename "$(echo "$root"/lib/modules/*)")
[ -d "$root/lib/modules/$kernel" ] || {
    say "expected one kernel in the image, found: $kernel"
    exit 1
}

# The modules are built by packages that go again: what is there before is what
# is there after.
series=$(echo "$kernel" | cut -d. -f1,2)
say "building for $kernel: $*"
inside dpkg-query -W -f '${Package}\n' | sort >"$root/tmp/packages.before"
install_packages \
    "linux-headers-$kernel" "linux-source-$series" gcc make xz-utils
inside tar -C /tmp -xJf "/usr/src/linux-source-$series.tar.xz" \
    "linux-source-$series/drivers/net/netdevsim" \
    "linux-source-$series/drivers/infiniband/sw"
source=/tmp/linux-source-$series
siw_main=$root$source/drivers/infiniband/sw/siw/siw_main.c
rxe_verbs=$root$source/drivers/infiniband/sw/rxe/rxe_verbs.c

# An RDMA device can only move to another network namespace when its driver can
# take the hardware away from running programs. siw's programs hold no hardware,
# so the empty function is the whole of it.
sed -i 's|^static const struct ib_device_ops siw_device_ops = {$|'\
'static void siw_disassociate_ucontext(struct ib_ucontext *ibcontext)\n{\n}\n\n&\n'\
'\t.disassociate_ucontext = siw_disassociate_ucontext,|' "$siw_main"
[ "$(grep -c siw_disassociate_ucontext "$siw_main")" -eq 2 ] || {
    say "could not add disassociate_ucontext to siw of linux $series"
    exit 1
}

# The RDMA devices of cards lie below a PCI function, where device plugins look for
# them. With lab_parent=1 those of Soft-RoCE do too: below that of their interface.
lie_below_pci() {
    sed -i 's|^int rxe_register_device(|'\
'static bool lab_parent;\nmodule_param(lab_parent, bool, 0444);\n\n&|
s|^\terr = ib_register_device(dev, ibdev_name, NULL);$|'\
'\tif (lab_parent)\n\t\tdev->dev.parent = ndev->dev.parent;\n&|' "$rxe_verbs"
    [ "$(grep -c lab_parent "$rxe_verbs")" -eq 3 ] || {
        say "could not add lab_parent to rdma_rxe of linux $series"
        exit 1
    }
}

for module in "$@"; do
    case "$module" in
    rdma_rxe)
        lie_below_pci
        folder=$source/drivers/infiniband/sw/rxe option=CONFIG_RDMA_RXE=m
        ;;
    netdevsim) folder=$source/drivers/net/netdevsim option=CONFIG_NETDEVSIM=m ;;
    siw) folder=$source/drivers/infiniband/sw/siw option=CONFIG_RDMA_SIW=m ;;
    lab_dcb)
        folder=/tmp/lab_dcb option=CONFIG_LAB_DCB=m
        install -D -m 0644 "$(dirname "$0")/lab_dcb.c" "$root$folder/lab_dcb.c"
        echo 'obj-$(CONFIG_LAB_DCB) := lab_dcb.o' >"$root$folder/Makefile"
        ;;
    *)
        say "no rule to build module $module"
        exit 1
        ;;
    esac
    inside make -s -j"$(nproc)" -C "/lib/modules/$kernel/build" M="$folder" "$option" \
        CONFIG_DEBUG_INFO_BTF_MODULES= modules
    install -D -m 0644 "$root$folder/$module.ko" \
        "$root/lib/modules/$kernel/updates/$module.ko"
done
rm -rf "${root:?}$source" "${root:?}/tmp/lab_dcb"
inside dpkg-query -W -f '${Package}\n' | sort >"$root/tmp/packages.after"
say "removing what only the build needed"
# shellcheck disable=SC2046  # a list of words
inside apt-get -q purge -y $(comm -13 "$root/tmp/packages.before" "$root/tmp/packages.after")
rm -f "$root/tmp/packages.before" "$root/tmp/packages.after"
inside depmod "$kernel"
for module in "$@"; do
    inside modinfo -k "$kernel" "$module" >/dev/null
done
inside apt-get -q clean

say "configuring"
inside systemctl enable systemd-networkd.service railhead-lab-ports.service ssh.service
inside systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    e2scrub_all.timer e2scrub_reap.service fstrim.timer man-db.timer motd-news.timer \
    systemd-pstore.service getty@tty1.service
# While a node boots, the lab asks again and again whether its SSH server answers yet. From 9.8 on OpenSSH takes that for
# an attack, and then refuses Ansible too.
if inside dpkg --compare-versions "$(inside dpkg-query -W -f '${Version}' openssh-server)" ge 1:9.8; then
    printf 'PerSourcePenalties no\n' >>"$root/etc/ssh/sshd_config.d/lab.conf"
fi
install -d -m 0700 "$root/root/.ssh"
install -m 0600 "$public_key" "$root/root/.ssh/authorized_keys"
inside passwd -q -d root
printf '/dev/vda / ext4 defaults 0 0\n' >"$root/etc/fstab"
{
    printf '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n'
    index=1
    while [ "$index" -le 16 ]; do
        printf '198.51.100.%d node%d\n' "$index" "$index"
        index=$((index + 1))
    done
} >"$root/etc/hosts"
# The name comes from the kernel command line; the identity from the first boot.
rm -f "$root/etc/hostname"
: >"$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id"
# QEMU's user network answers DNS queries at this address.
rm -f "$root/etc/resolv.conf"
printf 'nameserver 10.0.2.3\n' >"$root/etc/resolv.conf"
printf '%s\n' "$kernel" >"$root/etc/railhead-lab-kernel"
