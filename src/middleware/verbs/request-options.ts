import type { Command } from 'commander';
import type { RequestOptions } from '../read-request.ts';

/** Options of `starter` and of what goes with it: for jobs that name nothing themselves. */
export type StarterOptions = Pick<RequestOptions, 'application' | 'image'>;

/** The options by which a user asks for containers. */
export function addRequestOptions(verb: Command): Command {
  const collect = (value: string, previous: readonly string[] | undefined): string[] => [...(previous ?? []), value];
  return verb
    .option('--application <name:tag>', "application of the site's catalogue (default: $APPLICATION)")
    .option('--image <reference>', 'image that the site allows')
    .option(
      '--workdir <directory>',
      'directory on the cluster file system in which the command runs (default: $JOBDIR, else the current one)',
    )
    .option('--env <name[=value]>', 'set a variable for the command; may be repeated', collect)
    .option('--mount <directory>', 'ask for one of the mounts that the site allows; may be repeated', collect)
    .option('--device <name>', 'ask for devices by their name in site.yaml; may be repeated', collect)
    .option(
      '--shm-size <size>',
      'size of /dev/shm on each host, e.g. 4g (default: $SHM_SIZE, else the default of the site)',
    );
}

export function addStarterOptions(verb: Command): Command {
  return verb
    .option('--application <name:tag>', 'for jobs that name nothing themselves')
    .option('--image <reference>', 'for jobs that name nothing themselves');
}
