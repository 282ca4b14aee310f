/**
 * The stand-in for LSF laid out as an installed LSF is: what `lab up --lsf DIRECTORY` takes, without a licence. By hand:
 * `node test/support/lsf-tree.ts /opt/lsf-tree`.
 */
import { build } from 'esbuild';
import { chmod, copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { commandNames } from '../../lab/lsf/lsf-files.ts';

const source = (name: string): string => fileURLToPath(new URL(`../../lab/lsf/${name}`, import.meta.url));

/** What the installed programs need beside LSF's own settings; a real LSF has a licence and the like here. */
const conf = `# The stand-in, installed as an LSF.
LSF_CONFDIR=/nowhere
STANDIN_AUTH=munge
STANDIN_LIKE=plain
STANDIN_MASTER=head:10.77.0.1:6883
STANDIN_WORKDIR=/var/spool/lsf-lab
`;

const shared = `Begin Cluster
ClusterName
of_the_site
End Cluster

Begin HostType
TYPENAME
linux
End HostType
`;

/** Takes the hosts and their slots from lsb.hosts, as mbatchd does, and who is the master from lsf.cluster. */
const sbatchd = (node: string, directory: string): string => `#!/bin/bash
. /etc/lsf.conf
awk '/^node/ { print $1, $2 }' "$LSF_CONFDIR/lsb.hosts" | while read -r name slots; do
  echo "$name $(getent hosts "$name" | cut -d' ' -f1) 6882 $slots"
done >"$LSF_CONFDIR/standin.hosts"
master=$(sed -n '/^HOSTNAME/{n;s/ .*//p}' "$LSF_CONFDIR"/lsf.cluster.*)
if [ "$(hostname)" = "$master" ]; then
  "$LSF_SERVERDIR/mbatchd" &
  exec -a "$0" sleep infinity
fi
exec -a "$0" ${node} ${directory}/standin.mjs agent
`;

/** Writes it into `directory`, which is made anew and has to be root's and seen by the hosts of a lab. */
export async function makeLsfTree(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  const machine = `${directory}/10.1/linux-x86_64`;
  for (const name of ['bin', 'etc', 'lib']) await mkdir(`${machine}/${name}`, { recursive: true, mode: 0o755 });
  await mkdir(`${directory}/conf`, { mode: 0o755 });
  const node = `${directory}/node`;
  await copyFile(process.execPath, node);
  const options = { bundle: true, platform: 'node', format: 'esm', target: 'node24', logLevel: 'warning' } as const;
  await build({ ...options, entryPoints: [source('standin.ts')], outfile: `${directory}/standin.mjs` });
  await copyFile(source('res.pl'), `${directory}/res.pl`);
  await writeFile(`${directory}/conf/lsf.conf`, conf);
  await writeFile(`${directory}/conf/lsf.shared`, shared);
  const programs: Record<string, string> = {
    'etc/lim': '#!/bin/bash\nexec -a "$0" sleep infinity\n',
    'etc/res': '#!/bin/bash\nexec -a "$0" sleep infinity\n',
    'etc/sbatchd': sbatchd(node, directory),
    'etc/mbatchd': `#!/bin/bash\nexec -a "$0" ${node} ${directory}/standin.mjs daemon\n`,
  };
  for (const name of commandNames)
    programs[`bin/${name}`] = `#!/bin/sh\nexec ${node} ${directory}/standin.mjs ${name} "$@"\n`;
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(`${machine}/${name}`, text);
    await chmod(`${machine}/${name}`, 0o755);
  }
}

if (import.meta.main) await makeLsfTree(process.argv[2] ?? '/opt/lsf-tree');
