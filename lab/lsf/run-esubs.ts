/** Runs a site's esubs before a job is submitted, as the submitting user. */
import { spawn } from 'node:child_process';
import { access, chmod, constants, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError } from './command-error.ts';
import { readEsubCalls } from './esub-calls.ts';
import { applyChanges, parseEnvironment, renderParameters } from './esub-files.ts';
import type { JobRequest } from './job.ts';
import type { Settings } from './settings.ts';

export const abortValue = 97;

export interface EsubOutcome {
  readonly request: JobRequest;
  /** Variables for the job. */
  readonly environment: Readonly<Record<string, string>>;
  /** What the esubs wrote to their standard output, for eexec. */
  readonly eexecData: Buffer;
}

interface EsubContext {
  readonly settings: Settings;
  readonly environment: NodeJS.ProcessEnv;
  readonly group: string;
  /** True when -n was given: only then the parameter file tells it. */
  readonly slotsGiven: boolean;
  /** True for a change of a job that is there already. */
  readonly modifies?: boolean;
}

/** One esub to be run. */
export interface FoundEsub {
  readonly path: string;
  /** The plain esub gets nothing; a method gets -r, as recorded, or what `-a` has in its parentheses. */
  readonly argv: readonly string[];
}

/** The esubs in their order: `esub`, those of LSB_ESUB_METHOD (the caller's environment wins), those of `-a`; a missing one is skipped. */
export async function listEsubs(
  settings: Settings,
  environment: NodeJS.ProcessEnv,
  additional = '',
): Promise<FoundEsub[]> {
  const methods = environment['LSB_ESUB_METHOD'] ?? settings.esubMethod;
  const calls = readEsubCalls(`${methods} ${additional}`);
  const files = [
    { file: 'esub', argv: [] },
    ...calls.map(({ name, argv }) => ({ file: `esub.${name}`, argv: argv.length === 0 ? ['-r'] : argv })),
  ];
  const found: FoundEsub[] = [];
  for (const { file, argv } of files) {
    const path = join(settings.serverdir, file);
    if (await isExecutable(path)) found.push({ path, argv });
  }
  return found;
}

/** Runs all esubs; fails when one of them refuses the job by exit status 97 or dies of a signal. */
export async function runEsubs(request: JobRequest, context: EsubContext): Promise<EsubOutcome> {
  let outcome: EsubOutcome = { request, environment: {}, eexecData: Buffer.alloc(0) };
  for (const esub of await listEsubs(context.settings, context.environment, request.additional))
    outcome = await runEsub(esub, outcome, context);
  return outcome;
}

async function runEsub(esub: FoundEsub, before: EsubOutcome, context: EsubContext): Promise<EsubOutcome> {
  const base = '/tmp/.lsbsub';
  const ending = `${process.pid}`;
  const parameters = `${base}parm.${ending}`;
  const changes = `${base}deltaparm.${ending}.${process.getuid?.() ?? 0}`;
  const variables = `${base}deltaenv.${ending}.${process.getuid?.() ?? 0}`;
  try {
    const namesCommand = context.settings.namesCommandToEsub;
    await rm(parameters, { force: true });
    const modifies = context.modifies === true;
    const text = renderParameters(before.request, { slots: context.slotsGiven, namesCommand, modifies });
    await writeFile(parameters, text, { flag: 'wx' });
    // World-writable, as recorded.
    await chmod(parameters, 0o666);
    const output = await runProgram(
      esub,
      {
        ...context.environment,
        ...installationVariables(context.settings),
        LSB_SUB_ABORT_VALUE: String(abortValue),
        LSB_SUB_PARM_FILE: parameters,
        LSB_SUB_MODIFY_FILE: changes,
        LSB_SUB_MODIFY_ENVFILE: variables,
        LSB_UNIXGROUP: context.group,
      },
      modifies ? 'modified' : 'submitted',
    );
    const changed = applyChanges(before.request, await readFile(changes, 'utf8').catch(() => ''));
    for (const warning of changed.warnings) process.stderr.write(`${warning}\n`);
    const added = parseEnvironment(await readFile(variables, 'utf8').catch(() => ''));
    return {
      request: changed.request,
      environment: { ...before.environment, ...added },
      eexecData: Buffer.concat([before.eexecData, output]),
    };
  } finally {
    for (const file of [parameters, changes, variables]) await rm(file, { force: true });
  }
}

/** Variables that tell where the stand-in is installed. */
export function installationVariables(settings: Settings): Record<string, string> {
  return {
    ...(settings.esubMethod === '' ? {} : { LSB_ESUB_METHOD: process.env['LSB_ESUB_METHOD'] ?? settings.esubMethod }),
    LSF_BINDIR: settings.bindir,
    LSF_ENVDIR: settings.configDir,
    LSF_LIBDIR: settings.libdir,
    LSF_SERVERDIR: settings.serverdir,
  };
}

/** Only status 97 and death by a signal refuse the job: any other failure of an esub lets it through, as recorded. */
function runProgram(
  { path, argv }: FoundEsub,
  environment: NodeJS.ProcessEnv,
  doing: 'submitted' | 'modified' = 'submitted',
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, argv, { env: environment, stdio: ['inherit', 'pipe', 'inherit'] });
    const parts: Buffer[] = [];
    child.stdout.on('data', (data: Buffer) => parts.push(data));
    child.on('error', () => resolve(Buffer.alloc(0)));
    child.on('close', (code, signal) => {
      if (code === abortValue || signal !== null)
        reject(new CommandError(`Request aborted by esub. Job not ${doing}.`));
      else resolve(Buffer.concat(parts));
    });
  });
}

/** The plain esub alone, without files: what every lsrun does. Its failures are its own. */
export async function runPlainEsub(settings: Settings, environment: NodeJS.ProcessEnv): Promise<Buffer> {
  const path = join(settings.serverdir, 'esub');
  if (!(await isExecutable(path))) return Buffer.alloc(0);
  const { LSB_SUB_PARM_FILE: _p, LSB_SUB_MODIFY_FILE: _m, ...rest } = environment;
  return await runProgram({ path, argv: [] }, { ...rest, ...installationVariables(settings) }).catch(() =>
    Buffer.alloc(0),
  );
}

async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
