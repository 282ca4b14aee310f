#!/bin/sh
# Holds a mount namespace in which /opt, /etc, /usr/local/bin and /usr/local/share/man are the test's own.
# Usage (within unshare --mount): hold-installation.sh PACKAGE_ROOT NODE_BINARY; ends with its standard input.
set -eu
root=$1 node=$2
mount -t tmpfs -o mode=0755 hpcdj-test /opt
mount -t tmpfs -o mode=0755 hpcdj-test /usr/local/bin
mkdir -p /usr/local/share/man
mount -t tmpfs -o mode=0755 hpcdj-test /usr/local/share/man
# All of /etc can be read; what is written to it stays here.
mkdir /opt/.upper /opt/.work
mount -t overlay -o lowerdir=/etc,upperdir=/opt/.upper,workdir=/opt/.work hpcdj-test /etc

# As npm install --global --prefix /opt/hpc-submit-dockerjob leaves it.
prefix=/opt/hpc-submit-dockerjob
package=$prefix/lib/node_modules/hpc-submit-dockerjob
node_directory=$package/node_modules/node-linux-$(uname -m | sed 's/x86_64/x64/;s/aarch64/arm64/')/bin
mkdir -p "$prefix/bin" "$package/dist/man" "$node_directory"
cp -r "$root/bin" "$root/share" "$root/etc" "$package/"
cp "$node" "$node_directory/node"
echo 'console.log("test")' >"$package/dist/agent.cjs"
echo 'console.log("test")' >"$package/dist/ssh-client.cjs"
echo 'console.log("test")' >"$package/dist/enter.cjs"
echo 'console.log(process.getuid(), process.env.SUDO_UID, process.argv.slice(2).join(" "))' >"$package/dist/helper.cjs"
for page in hpc-submit-dockerjob.1 hpc-dockerjob-helper.8 hpc-dockerjob-site.yaml.5; do
  echo '.TH TEST' >"$package/dist/man/$page"
done
for name in hpc-submit-dockerjob hpc-dockerjob-helper hpc-dockerjob-setup; do
  ln -s "../lib/node_modules/hpc-submit-dockerjob/bin/$name" "$prefix/bin/$name"
done
chmod -R go-w "$prefix"
echo ready
cat >/dev/null
