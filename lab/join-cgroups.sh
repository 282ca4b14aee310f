#!/bin/sh
# join-cgroups.sh DIR... -- COMMAND [ARG...]
# Moves itself into every cgroup given, then becomes COMMAND: so nothing that the lab starts is ever outside its cgroups,
# and `lab down` finds it there even if whoever started it was killed.
while [ "$1" != -- ]; do
  echo 0 >"$1/cgroup.procs" || exit 71
  shift
done
shift
exec "$@"
