/** `lab`: a cluster of several hosts on one machine, to try the product and a site.yaml without touching a real cluster. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { execOnHost } from './exec-on-host.ts';
import { bringUp, findLab, installInLab, provideImages } from './lab.ts';
import { imageRecipes } from './image-recipes.ts';
import { describeFailure } from './lab-error.ts';
import { defaultLabName } from './layout.ts';
import { readStatus, renderStatus } from './read-status.ts';
import { purgeCache } from './purge-cache.ts';
import { labRegistry, labRegistryEntry, provideRegistry } from './registry.ts';
import { takeDown } from './take-down.ts';

const failureStatus = 1;
const report = (line: string): void => void process.stderr.write(`${line}\n`);

const program = new Command('lab')
  .description(
    'A cluster on this machine: hosts in namespaces, each with a Docker Engine and slurmd; Slurm, etcd with mutual TLS.',
  )
  .addHelpText(
    'after',
    '\nHere `lab` stands for `npm run lab --`. Example:\n  lab up --hosts 3 && lab exec node1 --user alice -- srun -N3 hostname && lab down',
  );

program
  .command('up')
  .description('bring the lab up, or repair and complete it')
  .option('--name <name>', 'name of the lab', defaultLabName)
  .option('--hosts <number>', 'compute hosts (default: 3)', toCount)
  .option('--etcd <members>', 'etcd members, 1 or 3 (default: 1)', toMembers)
  .option('--images <names>', 'also provide these images on every host, e.g. mpi,tiny', toNames, [])
  .option('--lsf [directory]', 'add the stand-in for LSF, or the LSF that is installed there', false)
  .option('--gridengine', 'add Grid Engine')
  .option('--registry', 'start a private registry on the head')
  .option('--no-install', 'leave the product of this tree out')
  .option('--no-apt', 'fail instead of installing missing Debian packages')
  .action(
    async (options: {
      name: string;
      hosts?: number;
      etcd?: 1 | 3;
      images: string[];
      lsf: boolean | string;
      gridengine?: boolean;
      registry?: boolean;
      install: boolean;
      apt: boolean;
    }) => {
      const { name, hosts, etcd, images, lsf, gridengine, registry, install, apt } = options;
      const kind = lsf === false ? undefined : 'plain';
      const lab = await bringUp({
        name,
        hosts,
        etcdMembers: etcd,
        lsf: kind,
        lsfDirectory: typeof lsf === 'string' ? lsf : undefined,
        gridEngine: gridengine,
        images,
        install,
        apt,
        report,
      });
      if (registry === true) {
        await provideRegistry(lab, apt);
        report(`Registry: ${labRegistry}. Its entry in site.yaml: ${JSON.stringify(labRegistryEntry)}`);
      }
      // With the stand-in, site.yaml serves jobs of LSF alone.
      const first = lsf !== false ? 'bsub -I hostname' : `srun -N${lab.nodes.length} hostname`;
      report(`Lab ${lab.layout.shape.name} is up. ${suggest(name, first)}`);
    },
  );

program
  .command('down')
  .description('end the lab and check that nothing of it is left')
  .option('--name <name>', 'name of the lab', defaultLabName)
  .option('--purge', 'also remove its homes, scratch and loaded images', false)
  .option('--wait <seconds>', 'wait so long for another command that works on the lab', toCount)
  .action(async ({ name, purge, wait }: { name: string; purge: boolean; wait?: number }) => {
    const waitMs = wait === undefined ? undefined : wait * 1000;
    await takeDown({ name, purge: purge ? 'state' : 'nothing', waitMs, report });
  });

program
  .command('status')
  .description('show hosts, daemons and Slurm states')
  .option('--name <name>', 'name of the lab', defaultLabName)
  .option('--json', 'one JSON object on standard output', false)
  .action(async ({ name, json }: { name: string; json: boolean }) => {
    const status = await readStatus(name);
    process.stdout.write(`${json ? JSON.stringify(status) : renderStatus(status)}\n`);
    if (status.state !== 'up') process.exitCode = failureStatus;
  });

program
  .command('exec')
  .description('run a command inside a host; its exit status is passed on')
  .option('--name <name>', 'name of the lab', defaultLabName)
  .argument('<host>', 'head, node1, node2, …')
  .argument('<command...>', 'the command, after --')
  .addOption(new Option('--user <name>', 'who runs it').choices(['alice', 'bob', 'root']).default('root'))
  .action(async (host: string, argv: string[], { name, user }: { name: string; user: string }) => {
    const lab = await findLab(name);
    const { exitCode } = await execOnHost(lab, host, { user, argv, inherit: true });
    process.exitCode = exitCode;
  });

program
  .command('install')
  .description('pack this tree again and install it in the running lab')
  .option('--name <name>', 'name of the lab', defaultLabName)
  .action(async ({ name }: { name: string }) => {
    await installInLab(await findLab(name), report);
  });

program
  .command('lsf')
  .description('add the stand-in for LSF to the running lab, or change which LSF it imitates')
  .option('--name <name>', 'name of the lab', defaultLabName)
  .option(
    '--blaunch',
    'blaunch, LSB_DJOB_HOSTFILE and their kin as IBM documents them; without it they are missing',
    false,
  )
  .action(async ({ name, blaunch }: { name: string; blaunch: boolean }) => {
    await findLab(name);
    await bringUp({ name, lsf: blaunch ? 'ibm' : 'plain', install: false, report });
    report(`The stand-in for LSF is up. ${suggest(name, 'bsub -I hostname')}`);
  });

/** A line to copy: `lab` itself is no command that a shell finds. */
function suggest(name: string, command: string): string {
  const named = name === defaultLabName ? '' : ` --name ${name}`;
  return `Try: npm run lab -- exec${named} node1 --user alice -- ${command}`;
}

function toCount(text: string): number {
  if (!/^[1-9]\d{0,2}$/.test(text)) throw new InvalidArgumentError('A number from 1 to 999 is expected.');
  return Number(text);
}

function toNames(text: string): string[] {
  return text.split(',').filter(Boolean);
}

function toMembers(text: string): 1 | 3 {
  if (text !== '1' && text !== '3') throw new InvalidArgumentError('1 or 3 is expected.');
  return text === '1' ? 1 : 3;
}

program
  .command('build-image')
  .description('build images into the cache and load them on the hosts of a running lab')
  .argument('[name...]', `${imageRecipes.map(({ name }) => name).join(', ')}; none means all`)
  .option('--name <name>', 'name of the lab', defaultLabName)
  .action(async (names: string[], { name }: { name: string }) => {
    const lab = await findLab(name);
    await provideImages(lab, names.length > 0 ? names : imageRecipes.map((recipe) => recipe.name), report);
  });

program
  .command('purge-cache')
  .description(
    'remove the built images that all labs of this machine share; the next lab that needs one builds it again',
  )
  .action(async () => report(await purgeCache()));

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`lab: ${describeFailure(error)}\n`);
  process.exitCode = failureStatus;
}
