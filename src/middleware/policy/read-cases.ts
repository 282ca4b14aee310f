import { describeIssue, formatPath } from '../../config/describe-issue.ts';
import { readYamlFile } from '../../config/load-site.ts';
import { readSiteYaml } from '../../config/read-site-yaml.ts';
import type { SitePath, SiteYaml } from '../../config/read-site-yaml.ts';
import { JobError } from '../../values/errors.ts';
import { showWord } from '../../values/one-line.ts';
import { caseFileSchema, keysOfCases } from './case-schema.ts';
import type { PolicyCase } from './case-schema.ts';

/** The cases of a file, what its `defaults` say filled in. Fails with `USAGE` when it cannot be read, else as `parseCases`. */
export async function readCases(path: string): Promise<readonly PolicyCase[]> {
  const text = await readYamlFile(
    path,
    (reason, cause) =>
      new JobError({
        code: 'USAGE',
        message: `The cases in ${showWord(path)} cannot be read: ${reason}.`,
        hint: 'etc/policy-cases.yaml of this package shows what such a file looks like.',
        cause,
      }),
  );
  return parseCases(text, path);
}

/** The cases out of the text of a file; fails with `REQUEST_INVALID`, whose message has every problem with its line. */
export function parseCases(text: string, fileName: string): readonly PolicyCase[] {
  const yaml = readSiteYaml(text);
  if (yaml.problems.length > 0) throw malformed(fileName, yaml, yaml.problems);
  const parsed = caseFileSchema.safeParse(yaml.value);
  if (!parsed.success) {
    const faults = parsed.error.issues.flatMap((issue) => describeIssue(issue, yaml.value, keysOfCases));
    // A misspelt key is told once, and not as a missing one as well.
    const meant = faults.map(({ standsFor }) => standsFor?.join('\n'));
    throw malformed(
      fileName,
      yaml,
      faults.filter(({ path }) => !meant.includes(path.join('\n'))),
    );
  }
  const { defaults = {}, cases } = parsed.data;
  const filled = cases.map((each) => ({ ...withoutOther(defaults, each), ...each }));
  const faults = filled.flatMap((each, index) => findFaults(each, filled.slice(0, index), ['cases', index]));
  if (faults.length > 0) throw malformed(fileName, yaml, faults);
  return filled;
}

type Defaults = Partial<Omit<PolicyCase, 'name' | 'expect' | 'rule'>>;

/** A case that names one of two words for a thing leaves no room for the other. */
function withoutOther(defaults: Defaults, each: PolicyCase): Defaults {
  const rest = { ...defaults };
  if (each.image !== undefined || each.application !== undefined) {
    delete rest.image;
    delete rest.application;
  }
  if (each.partition !== undefined || each.queue !== undefined) {
    delete rest.partition;
    delete rest.queue;
  }
  return rest;
}

interface Fault {
  readonly path: SitePath;
  readonly message: string;
  readonly line?: number;
}

function findFaults(each: PolicyCase, earlier: readonly PolicyCase[], path: SitePath): readonly Fault[] {
  const isTwin = earlier.some(({ name }) => name === each.name);
  const { partition, queue } = each;
  return [
    ...(isTwin ? [{ path: [...path, 'name'], message: `stands twice: ${JSON.stringify(each.name)}` }] : []),
    ...(partition === undefined || queue === undefined || partition === queue
      ? []
      : [{ path: [...path, 'queue'], message: 'a job is in one partition or queue: leave out one of the two' }]),
  ];
}

function malformed(fileName: string, yaml: SiteYaml, faults: readonly Fault[]): JobError {
  const lines = faults
    .map((fault) => ({ ...fault, line: fault.line ?? yaml.lineOf(fault.path) }))
    .toSorted((a, b) => a.line - b.line)
    .map(({ line, path, message }) => [`${fileName}:${line}`, formatPath(path), message].filter(Boolean).join(': '));
  const told = [...new Set(lines)];
  return new JobError({
    code: 'REQUEST_INVALID',
    message:
      told.length === 1 ? `${told[0] ?? ''}.` : `The cases have ${told.length} problems:\n  ${told.join('\n  ')}\n`,
    hint: 'Nothing was judged. etc/policy-cases.yaml of this package shows every key.',
  });
}
