#!/bin/sh
# Runs inside the new Debian, before its first boot: makes it the host that the tests want.
#   root and `user` come in by the key in /authorized_keys; `user` may use atd, and has no password.
#   Programs of a login session end with it (KillUserProcesses=yes), which is the harder case.
set -eu
mount -t proc proc /proc
echo host >/etc/hostname
echo '127.0.0.1 localhost host' >/etc/hosts
echo '/dev/vda / ext4 noatime 0 1' >/etc/fstab
useradd --create-home --shell /bin/bash user
for home in /root /home/user; do
  install -d -m 700 "$home/.ssh"
  install -m 600 /authorized_keys "$home/.ssh/authorized_keys"
done
chown -R user:user /home/user/.ssh
rm /authorized_keys

install -d /etc/systemd/logind.conf.d
printf '[Login]\nKillUserProcesses=yes\n' >/etc/systemd/logind.conf.d/50-sessions.conf
printf 'UseDNS no\n' >/etc/ssh/sshd_config.d/50-fast.conf

# Under software emulation each program that a boot starts counts. There is one network card with one known address, and no other device.
cat >/etc/systemd/system/wired.service <<'UNIT'
[Unit]
DefaultDependencies=no
After=systemd-modules-load.service
Before=network.target ssh.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=ip link set lo up
ExecStart=ip link set eth0 up
ExecStart=ip address add 10.0.2.15/24 dev eth0
[Install]
WantedBy=multi-user.target
UNIT
# Who waits for this host hears of it on its serial line.
cat >/etc/systemd/system/ready.service <<'UNIT'
[Unit]
After=ssh.service systemd-logind.service atd.service
[Service]
Type=oneshot
ExecStart=sh -c 'echo HOST-READY >/dev/ttyS0'
[Install]
WantedBy=multi-user.target
UNIT
printf 'virtio_net\nvirtio_rng\n' >/etc/modules-load.d/devices.conf
systemctl --quiet enable ssh wired ready
systemctl --quiet set-default multi-user.target
systemctl --quiet mask systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service \
  systemd-udev-load-credentials.service systemd-networkd.service systemd-network-generator.service systemd-pcrextend.socket \
  systemd-random-seed.service systemd-timesyncd.service systemd-journal-flush.service systemd-remount-fs.service kmod-static-nodes.service \
  systemd-tmpfiles-setup-dev-early.service dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
  sys-kernel-config.mount sys-fs-fuse-connections.mount run-lock.mount tmp.mount modprobe@.service getty@.service serial-getty@.service \
  getty.target systemd-ask-password-wall.path systemd-ask-password-console.path systemd-hostnamed.socket systemd-sysext.socket \
  systemd-creds.socket systemd-initctl.socket apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
  e2scrub_reap.service fstrim.timer systemd-tmpfiles-clean.timer
# Otherwise the first boot goes through all units, and what an update of /usr would need.
systemd-machine-id-setup >/dev/null 2>&1
ldconfig
touch /etc/.updated /var/.updated

# Only what finds the disk: unpacking the usual set of drivers takes an emulated CPU longer than the rest of the boot.
echo 'MODULES=list' >/etc/initramfs-tools/conf.d/small
printf 'virtio_pci\nvirtio_blk\next4\n' >>/etc/initramfs-tools/modules
update-initramfs -u >/dev/null 2>&1
apt-get clean
rm -rf /var/lib/apt/lists/* /usr/share/doc /usr/share/locale /usr/share/man
