#!/bin/sh
# Holds one private Docker Engine for tests: hold-docker-engine.sh DIRECTORY NAME
#
# Runs as root in network and mount namespaces of its own (unshare --net --mount). The engine lives as long as
# somebody holds our standard input open, so it goes away however the test process ends, even by KILL.
# All its processes sit in one cgroup: what does not end by itself is ended from that list, and nothing else is.

directory=$1
name=$2

trap '' INT HUP TERM

own=/sys/fs/cgroup/pids
[ -d "$own" ] || own=/sys/fs/cgroup
mkdir -p "$own/$name/engine" || exit 1
echo $$ >"$own/$name/engine/cgroup.procs" || exit 1
mount -t tmpfs tmpfs /run || exit 1
ip link set lo up || exit 1

start_engine() {
  dockerd --host "unix://$directory/docker.sock" --data-root "$directory/data" --exec-root "$directory/exec" \
    --pidfile "$directory/docker.pid" --config-file "$directory/daemon.json" --cgroup-parent "/$name/containers" \
    --shutdown-timeout 1 --userland-proxy=false </dev/null >>"$directory/docker.log" 2>&1 &
  engine=$!
}

start_engine
# Until the holder closes it or is gone; the one thing that it may say is "restart".
while read -r _; do
  kill -TERM $engine
  wait $engine
  sleep 1
  start_engine
done

kill_all_below() {
  for pid in $(find "$own/$name/$1" -name cgroup.procs -exec cat {} + 2>/dev/null); do
    [ "$pid" = $$ ] || kill -KILL "$pid" 2>/dev/null
  done
}

kill_all_below containers # the engine would wait 10 s for each of them
kill -TERM $engine 2>/dev/null
for _ in $(seq 75); do
  kill -0 $engine 2>/dev/null || break
  sleep 0.2
done
kill_all_below engine
wait

echo $$ >"$own/cgroup.procs"
awk -v d="$directory/" 'index($2, d) == 1 { print $2 }' /proc/self/mounts | sort -r | xargs -r umount -l
find /sys/fs/cgroup/*/"$name" /sys/fs/cgroup/"$name" -depth -type d -exec rmdir {} + 2>/dev/null
rm -rf "$directory"
