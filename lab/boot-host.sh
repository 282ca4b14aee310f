#!/bin/sh
# boot-host.sh BASE HOSTNAME STATE CACHE TMP_BYTES CGROUP...
# The first process of a lab host. It runs in fresh mount, UTS, IPC, network, cgroup and PID namespaces (see boot-hosts.ts),
# builds the host's own root there and becomes its init. CGROUP is NAME=TYPE:OPTIONS, one per hierarchy of the machine;
# NAME is . for the machine's only one.
# All mounts live in this mount namespace alone: they end with the host's last process, however it dies.
set -eu
base=$1 hostname=$2 state=$3 cache=$4 tmp_bytes=$5
shift 5
root=$base/root

hostname "$hostname"
mount --make-rprivate /
# The machine's root is the read-only lower layer: the host has its packages, and changes nothing of the machine.
mount -t overlay "lab-$hostname" -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
case $1 in .=*) ;; *) mount -t tmpfs -o mode=755 cgroup "$root/sys/fs/cgroup" ;; esac
for hierarchy; do
  name=${hierarchy%%=*} kind=${hierarchy#*=}
  mkdir -p "$root/sys/fs/cgroup/$name"
  # A fresh mount inside the cgroup namespace: its root is this host's own subtree.
  mount -t "${kind%%:*}" -o "${kind#*:}" cgroup "$root/sys/fs/cgroup/$name"
done
# A machine's root cgroup takes processes beside its limits, and slurmstepd leaves its step for it; this host's root is a
# subtree and takes none, so what is written there goes to the cgroup of the host's own programs.
if [ -e "$root/sys/fs/cgroup/init.scope/cgroup.procs" ]; then
  mount --bind "$root/sys/fs/cgroup/init.scope/cgroup.procs" "$root/sys/fs/cgroup/cgroup.procs"
fi
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
for private in /run /usr/local/bin /usr/local/sbin; do mount -t tmpfs -o mode=755 private "$root$private"; done
mount -t tmpfs -o mode=700 private "$root/root"
for scratch in /tmp /var/tmp; do mount -t tmpfs -o "mode=1777,size=$tmp_bytes" tmp "$root$scratch"; done
mkdir -p "$root/run/lock" "$root/run/munge" "$root/run/netns" "$root/var/lib/docker" "$root/scratch" "$root/home" "$root/opt/hpc-submit-dockerjob"
chown munge:munge "$root/run/munge"
mount --bind "$base/docker" "$root/var/lib/docker"
# Bound, not only seen through the lower layer, which need not show what is written to it later.
mount --bind "$cache" "$root$cache"
mount --bind "$state/home" "$root/home"
mount --bind "$state/scratch" "$root/scratch"
mount --bind "$state/product" "$root/opt/hpc-submit-dockerjob"
ip link set lo up

cd "$root"
mkdir -p .old-root
pivot_root . .old-root
umount -l /.old-root
rmdir /.old-root
# From here on the host is found by its init's name, so this must be the last step.
exec /usr/bin/tini -s -- sleep infinity
