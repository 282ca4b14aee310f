import type { Command } from 'commander';
import type { SchemaNode } from '../../src/config/schema-tree.ts';
import { sectionOf, siteSchemaTree } from '../../src/config/schema-tree.ts';
import { isTable, typeOf } from '../../src/config/write-reference.ts';
import type { HelperVerb } from '../../src/helper/verbs/helper-verb.ts';
import { helperVerbs } from '../../src/helper/verbs/helper-verbs.ts';
import { usageOf } from '../../src/helper/verbs/write-help.ts';
import { createProgram } from '../../src/middleware/create-program.ts';
import { exitStatus, listErrorCodes } from '../../src/values/errors.ts';
import { heading, line, paragraphs, section, subsection, term, verbatim } from './roff.ts';

/** What an exit status means to its reader; a new status must come with its meaning. */
const meaningOf: Readonly<Record<keyof typeof exitStatus, string>> = {
  usage: 'Wrong use of the program.',
  refusedRequest: 'The image, the command or another part of the request is refused.',
  unavailable: 'A service is away or unfit: the helper, the Docker Engine, the store, the scheduler, a host.',
  bug: 'A bug of this package.',
  temporary: 'Temporary; it is safe to submit the job again.',
  refusedByPolicy: "Refused by the site's policy.",
  badConfig: 'site.yaml is invalid, or others than root can change it.',
  interrupted: 'Interrupted (INT); the clean-up is done.',
  terminated: 'Terminated (TERM); the clean-up is done.',
};

const variables: readonly (readonly [name: string, meaning: string])[] = [
  ['APPLICATION', "Application of the site's catalogue, as `name:tag`; `--application` and `--image` win."],
  ['COMMAND', "The command, a text for the container's `/bin/sh`; words after `--` win."],
  ['JOBDIR', 'Directory in which the command runs; `--workdir` wins.'],
  ['SHM_SIZE', 'Size of `/dev/shm` on each host, as `4g`; `--shm-size` wins.'],
  ['HPCDJ_STDIN', '`yes` or `no`: whether the command gets standard input; `--stdin` and `--no-stdin` win.'],
];

const files: readonly (readonly [path: string, meaning: string])[] = [
  ['/etc/hpc-submit-dockerjob/site.yaml', "The site's policy; see `hpc-dockerjob-site.yaml`(5)."],
  ['/etc/hpc-submit-dockerjob/tls', 'Certificates of this host for etcd.'],
  ['/etc/sudoers.d/hpc-submit-dockerjob', 'The sudo rule by which every user may call the helper.'],
  ['/run/hpc-dockerjob', 'What a job has on this host while it runs; owned by root.'],
];

/** The manual pages by file name, made from the command lines' own definitions and from the schema of site.yaml. */
export function writeManPages(version: string): Readonly<Record<string, string>> {
  return {
    'hpc-submit-dockerjob.1': writeProgramPage(version),
    'hpc-dockerjob-helper.8': writeHelperPage(version),
    'hpc-dockerjob-site.yaml.5': writeSitePage(version),
  };
}

function writeProgramPage(version: string): string {
  const program = createProgram([], () => undefined);
  const name = program.name();
  return [
    heading(name, 1, version),
    section('NAME', line(`${name} - run the command of a batch job in Docker containers, one per host`)),
    section('SYNOPSIS', verbatim(`${name} [options] [-- command [argument...]]\n${name} verb [options] [argument...]`)),
    section(
      'DESCRIPTION',
      paragraphs(`${program.description()}

Call it in the last line of a batch script. It starts one container on every host of the job, with the user's own uid and groups, on a network that belongs to this job alone. The first container runs the command, usually \`mpirun\`; its exit status becomes the job's. Nothing is left behind.`),
    ),
    section('OPTIONS', ...listOptions(program)),
    section('VERBS', ...listVerbs(program, [])),
    section('EXIT STATUS', paragraphs("The command's own. Otherwise:"), ...listStatuses()),
    section('ENVIRONMENT', ...variables.map(([variable, meaning]) => term(variable, meaning))),
    section('FILES', ...files.map(([path, meaning]) => term(path, meaning))),
    section(
      'EXAMPLES',
      paragraphs('A batch script for Slurm:'),
      verbatim(
        [
          '#!/bin/bash',
          '#SBATCH -N 4 -n 8 --mem=4G',
          `${name} --image hpc/openfoam:2.3.0 --workdir /scratch/case -- mpirun simpleFoam -parallel`,
        ].join('\n'),
      ),
      paragraphs('What does the policy of the site say?'),
      verbatim(`${name} explain --image hpc/openfoam:2.3.0 --hosts 4 -- mpirun simpleFoam -parallel`),
    ),
    section('SEE ALSO', line('`hpc-dockerjob-site.yaml`(5), `hpc-dockerjob-helper`(8), `sbatch`(1), `bsub`(1)')),
  ].join('');
}

function listOptions(command: Command): readonly string[] {
  const help = command.createHelp();
  return help.visibleOptions(command).map((option) => term(option.flags, help.optionDescription(option)));
}

function listVerbs(command: Command, path: readonly string[]): readonly string[] {
  const help = command.createHelp();
  return help
    .visibleCommands(command)
    .filter((verb) => verb.name() !== 'help')
    .flatMap((verb) => {
      const words = [...path, verb.name()];
      if (verb.commands.length > 0) return listVerbs(verb, words);
      const takes = verb.registeredArguments.map((argument) => {
        const shown = `${argument.name()}${argument.variadic ? '...' : ''}`;
        return argument.required ? `<${shown}>` : `[${shown}]`;
      });
      const inner = listOptions(verb).filter((entry) => !entry.includes('\\-\\-help'));
      return [subsection([...words, ...takes].join(' '), line(verb.description()), ...inner)];
    });
}

function listStatuses(): readonly string[] {
  return Object.entries(exitStatus).map(([kind, status]) => {
    const codes = listErrorCodes(status).map((code) => `\`${code}\``);
    const meaning = meaningOf[kind as keyof typeof exitStatus];
    return term(String(status), codes.length === 0 ? meaning : `${meaning} Codes: ${codes.join(', ')}.`);
  });
}

function writeHelperPage(version: string): string {
  const name = 'hpc-dockerjob-helper';
  return [
    heading(name, 8, version),
    section('NAME', line(`${name} - root side of hpc-submit-dockerjob`)),
    section('SYNOPSIS', verbatim(`${name} verb [options] [argument...]`)),
    section(
      'DESCRIPTION',
      paragraphs(`The only part of the package that runs as root. Users' jobs call it through one sudo rule; root hooks of the scheduler and operators call it directly. The caller is the user that sudo names (\`SUDO_UID\`). The scheduler, asked as root, says whose job it is and on which hosts it runs. Every call writes an audit record before it acts.

\`open-job\`, \`run-node\`, \`release-job\`, \`release-node\`, \`control-job\`, \`enter-job\` and \`check-host\` may be called by every user, for their own jobs; only root may call \`reap\` and \`audit\`.`),
    ),
    section('VERBS', ...helperVerbs.map((verb) => writeHelperVerb(verb))),
    section('EXIT STATUS', term('0', 'Done.'), ...listStatuses()),
    section('FILES', ...files.map(([path, meaning]) => term(path, meaning))),
    section('SEE ALSO', line('`hpc-submit-dockerjob`(1), `hpc-dockerjob-site.yaml`(5), `sudoers`(5)')),
  ].join('');
}

function writeHelperVerb(verb: HelperVerb): string {
  const words = verb.words.map(({ name, meaning }) => term(`<${name}>`, meaning));
  const options = Object.entries(verb.options).map(([name, { value, meaning }]) =>
    term(value === undefined ? `--${name}` : `--${name} <${value}>`, meaning),
  );
  return subsection(usageOf(verb), line(verb.does), ...words, ...options);
}

function writeSitePage(version: string): string {
  const name = 'hpc-dockerjob-site.yaml';
  return [
    heading(name, 5, version),
    section('NAME', line('site.yaml - policy of a site for hpc-submit-dockerjob')),
    section('SYNOPSIS', verbatim('/etc/hpc-submit-dockerjob/site.yaml')),
    section(
      'DESCRIPTION',
      paragraphs(`The whole policy of a site. The file and every directory above it must be owned by root and writable by root alone; otherwise the helper refuses to work. Every host of a cluster needs the same file. The package's \`etc/site.yaml\` holds every key, commented out at its default. An unknown key is an error.

Check a change before you install it:`),
      verbatim('hpc-submit-dockerjob config check FILE'),
    ),
    section('KEYS', ...writeKeys('', siteSchemaTree())),
    section('SEE ALSO', line('`hpc-submit-dockerjob`(1), `hpc-dockerjob-helper`(8)')),
  ].join('');
}

function writeKeys(path: string, node: SchemaNode): readonly string[] {
  const entries = Object.entries(node.properties ?? {});
  const plain = entries.filter(([, inner]) => !isTable(inner));
  return [
    ...plain.map(([key, inner]) => term(path + key, describeKey(inner, node.required?.includes(key) ?? false))),
    ...plain.flatMap(([key, { items }]) => {
      const item = sectionOf(items);
      return item?.properties === undefined ? [] : writeSection(`${path}${key}[]`, item);
    }),
    ...entries
      .filter(([, inner]) => isTable(inner))
      .flatMap(([key, inner]) => {
        const named = typeof inner.additionalProperties === 'object' ? inner.additionalProperties : undefined;
        return writeSection(
          named === undefined ? path + key : `${path}${key}.<name>`,
          named ?? inner,
          inner.description,
        );
      }),
  ];
}

function writeSection(path: string, node: SchemaNode, description = node.description): readonly string[] {
  return [subsection(path, description === undefined ? '' : line(description), ...writeKeys(`${path}.`, node))];
}

function describeKey(node: SchemaNode, isRequired: boolean): string {
  const initial = isRequired
    ? ' Required.'
    : node.default === undefined
      ? ''
      : ` Default: ${JSON.stringify(node.default).replaceAll('","', '", "')}.`;
  const type = typeOf(node).replaceAll('`', '');
  return `${node.description ?? ''} (${type})${initial}`;
}
