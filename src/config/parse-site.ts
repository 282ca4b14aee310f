import { JobError } from '../values/errors.ts';
import { describeIssue, formatPath } from './describe-issue.ts';
import type { DescribedIssue } from './describe-issue.ts';
import { findSoundPart } from './find-sound-part.ts';
import { readSiteYaml } from './read-site-yaml.ts';
import type { SitePath, SiteProblem } from './read-site-yaml.ts';
import { isSection } from './schema-tree.ts';
import { findRuleProblems } from './site-rules.ts';
import type { RuleProblem } from './site-rules.ts';
import { siteSchema } from './site-schema.ts';
import type { SiteConfig } from './site-schema.ts';

/** A site.yaml that was read: the policy, or all that is wrong with it. */
export type SiteReading =
  | { readonly config: SiteConfig; readonly problems: readonly [] }
  | { readonly config?: undefined; readonly problems: readonly string[] };

/**
 * The site's policy out of the text of a site.yaml, defaults filled in. Fails with `CONFIG_INVALID`, whose message
 * lists every problem with its line.
 */
export function parseSite(text: string, fileName = 'site.yaml'): SiteConfig {
  const reading = readSite(text, fileName);
  if (reading.config !== undefined) return reading.config;
  const count = reading.problems.length === 1 ? 'a problem' : `${reading.problems.length} problems`;
  throw new JobError({
    code: 'CONFIG_INVALID',
    message: `The site policy has ${count}:\n${reading.problems.map((problem) => `  ${problem}`).join('\n')}\n`,
    hint: 'An administrator must correct it; `hpc-submit-dockerjob config check FILE` says when it is right.',
  });
}

/** Like `parseSite`, but gives the problems back, each as `site.yaml:<line>: <key>: <what>`, in the file's order. */
export function readSite(text: string, fileName = 'site.yaml'): SiteReading {
  const yaml = readSiteYaml(text);
  if (yaml.problems.length > 0) return { problems: formatProblems(yaml.problems, fileName) };
  const value = fillEmptySections(yaml.value);
  const parsed = siteSchema.safeParse(value);
  const shapeProblems = parsed.success ? [] : parsed.error.issues.flatMap((issue) => describeIssue(issue, value));
  const problems = [...shapeProblems, ...findOtherProblems(value, shapeProblems)].map((found) => ({
    ...found,
    line: yaml.lineOf(found.path),
  }));
  if (parsed.success && problems.length === 0) return { config: parsed.data, problems: [] };
  return { problems: formatProblems(problems, fileName) };
}

/** Broken rules across the keys that are sound themselves. */
function findOtherProblems(value: unknown, faults: readonly DescribedIssue[]): readonly RuleProblem[] {
  const sound = findSoundPart(
    value,
    faults.map(({ path }) => path),
  );
  if (sound === undefined) return [];
  const faulty = faults.flatMap(({ path, standsFor }) => [path, ...(standsFor === undefined ? [] : [standsFor])]);
  return findRuleProblems(sound, faulty);
}

/** A section whose keys are all commented out is null in YAML; here it is as if it were not there. */
function fillEmptySections(value: unknown, path: SitePath = []): unknown {
  if (value === null && isSection(path)) return {};
  if (Array.isArray(value)) return value.map((item, index) => fillEmptySections(item, [...path, index]));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, fillEmptySections(inner, [...path, key])]),
  );
}

/** Characters of one problem: it may quote any part of the file. */
const mostProblem = 500;

function formatProblems(problems: readonly SiteProblem[], fileName: string): string[] {
  const lines = problems
    .toSorted((a, b) => a.line - b.line)
    .map(({ line, path, message }) => [`${fileName}:${line}`, formatPath(path), message].filter(Boolean).join(': '))
    .map((text) => text.slice(0, mostProblem));
  return [...new Set(lines)];
}
