import type * as z from 'zod';
import { findNearestName } from '../values/nearest-name.ts';
import type { SitePath } from './read-site-yaml.ts';
import { keysAt } from './schema-tree.ts';

/** One fault of shape in words, with the path of the key that it is about. */
export interface DescribedIssue {
  readonly path: SitePath;
  readonly message: string;
  /** The key that an unknown one was probably meant to be, where the file has no such key. */
  readonly standsFor?: SitePath;
}

/**
 * What the schema found wrong, as `expected …, got …`; one entry for each unknown key. `knownKeys` says which keys may
 * stand in a section of the file; default: in site.yaml.
 */
export function describeIssue(issue: z.core.$ZodIssue, root: unknown, knownKeys = keysAt): DescribedIssue[] {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => describeUnknownKey(key, path, root, knownKeys));
  }
  if (issue.code === 'invalid_union') return describeUnion(issue, path, root, knownKeys);
  if (issue.code === 'invalid_key') return [{ path, message: issue.issues[0]?.message ?? issue.message }];
  const found = valueAt(root, path);
  if (found === undefined) return [{ path, message: `is missing: ${issue.message}` }];
  return [{ path, message: `${issue.message}, got ${showValue(found)}` }];
}

/** Of a value that may have one of several forms: what is wrong with it in the form that it has. */
function describeUnion(
  issue: z.core.$ZodIssueInvalidUnion,
  path: SitePath,
  root: unknown,
  knownKeys: typeof keysAt,
): DescribedIssue[] {
  const isOfOtherForm = ({ code, path: inner }: z.core.$ZodIssue): boolean =>
    code === 'invalid_type' && inner.length === 0;
  const form = issue.errors.find((issues) => !issues.some(isOfOtherForm)) ?? issue.errors[0] ?? [];
  return form.flatMap((inner) => describeIssue({ ...inner, path: [...path, ...inner.path] }, root, knownKeys));
}

/** `network.pool`, `mounts.allowed[0].source`, `applications."openfoam:2.3.0".image` */
export function formatPath(path: SitePath): string {
  return path
    .map((step, position) => {
      if (typeof step === 'number') return `[${step}]`;
      return (position === 0 ? '' : '.') + (/^[A-Za-z_][\w-]*$/.test(step) ? step : JSON.stringify(step));
    })
    .join('');
}

/** The value as JSON, cut: a file may hold anything. */
function showValue(value: unknown): string {
  const shown = JSON.stringify(value);
  return shown.length > 80 ? `${shown.slice(0, 77)}…` : shown;
}

/** What stands at the path in plain values; undefined when nothing does. */
export function valueAt(root: unknown, path: SitePath): unknown {
  return path.reduce<unknown>(
    (value, step) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, step) ? Reflect.get(value, step) : undefined,
    root,
  );
}

function describeUnknownKey(
  key: string,
  sectionPath: SitePath,
  root: unknown,
  knownKeys: typeof keysAt,
): DescribedIssue {
  const path = [...sectionPath, key];
  const known = knownKeys(sectionPath);
  const nearest = findNearestName(key, known);
  if (nearest === undefined) return { path, message: `unknown key; known here: ${known.join(', ')}` };
  const meant = [...sectionPath, nearest];
  const message = `unknown key; did you mean ${nearest}?`;
  return valueAt(root, meant) === undefined ? { path, message, standsFor: meant } : { path, message };
}
