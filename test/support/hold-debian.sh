#!/bin/sh
# Holds a machine of the test's own, with this one's packages: all that is written to it stays in memory and goes with us.
# Usage (within unshare --mount): hold-debian.sh DIRECTORY; ends with its standard input.
set -eu
mount -t tmpfs hpcdj-test "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" hpcdj-test "$1/root"
for each in proc dev sys; do mount --rbind "/$each" "$1/root/$each"; done
# Labs of this machine have their product there, and daemons their sockets.
mount -t tmpfs -o mode=0755 hpcdj-test "$1/root/opt"
mount -t tmpfs -o mode=0755 hpcdj-test "$1/root/run"
mkdir -p "$1/root/tmp" "$1/root/usr/local/bin"
echo ready
cat >/dev/null
