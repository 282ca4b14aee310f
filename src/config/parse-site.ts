import { JobError } from '../shared/errors.ts';
import { describeIssue, formatPath, valueAt } from './describe-issue.ts';
import { readSiteYaml } from './read-site-yaml.ts';
import type { SitePath, SiteProblem, SiteYaml } from './read-site-yaml.ts';
import { isSection } from './schema-tree.ts';
import { findRuleProblems } from './site-rules.ts';
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
  const shapeProblems = parsed.success ? [] : findShapeProblems(parsed.error.issues, value, yaml);
  const sound = parsed.success ? parsed.data : parseSoundPart(value, shapeProblems);
  const ruleProblems =
    sound === undefined
      ? []
      : findRuleProblems(
          sound,
          shapeProblems.map(({ path }) => path),
        );
  const problems = [...shapeProblems, ...ruleProblems.map((found) => ({ ...found, line: yaml.lineOf(found.path) }))];
  if (parsed.success && problems.length === 0) return { config: parsed.data, problems: [] };
  return { problems: formatProblems(problems, fileName) };
}

type Issues = Parameters<typeof describeIssue>[0][];

function findShapeProblems(issues: Issues, value: unknown, yaml: SiteYaml): SiteProblem[] {
  return issues
    .flatMap((issue) => describeIssue(issue, value))
    .map((found) => ({ ...found, line: yaml.lineOf(found.path) }));
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

/**
 * The policy as it would be without its faulty keys, so that the rules across the other keys are told in the same go.
 * Undefined when too much is wrong.
 */
function parseSoundPart(value: unknown, problems: readonly SiteProblem[]): SiteConfig | undefined {
  const copy: unknown = structuredClone(value);
  let paths = problems.map(({ path }) => path);
  // Taking a faulty key away may leave its section without a required one: then that goes in the next round.
  for (let round = 0; round < 4; round += 1) {
    // Items of a list last to first: taking one away moves those behind it.
    for (const path of paths.toReversed()) takeAway(copy, path);
    const parsed = siteSchema.safeParse(typeof copy === 'object' && copy !== null ? { ...copy, version: 1 } : copy);
    if (parsed.success) return parsed.data;
    paths = parsed.error.issues.flatMap((issue) => describeIssue(issue, copy)).map(({ path }) => path);
  }
  return undefined;
}

/** Takes the value away; where it is missing although it is required, what should hold it goes. */
function takeAway(root: unknown, path: SitePath): void {
  const present = valueAt(root, path) === undefined ? path.slice(0, -1) : path;
  const last = present.at(-1);
  const parent = valueAt(root, present.slice(0, -1));
  if (last === undefined || typeof parent !== 'object' || parent === null) return;
  if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else Reflect.deleteProperty(parent, last);
}

function formatProblems(problems: readonly SiteProblem[], fileName: string): string[] {
  const lines = problems
    .toSorted((a, b) => a.line - b.line)
    .map(({ line, path, message }) => [`${fileName}:${line}`, formatPath(path), message].filter(Boolean).join(': '));
  return [...new Set(lines)];
}
