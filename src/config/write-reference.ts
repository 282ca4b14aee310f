import { networkRules } from '../network/known-networks.ts';
import { foldText } from '../values/fold-text.ts';
import { sectionOf, siteSchemaTree } from './schema-tree.ts';
import type { SchemaNode } from './schema-tree.ts';

const lineWidth = 120;

const rulesText =
  `All problems are told at once, each with its line. An unknown key is an error. Rules across keys are checked, too: ` +
  `the store is only used over TLS, a lease outlives three calls, ${['the pool holds at least one subnet', ...networkRules].join(' and ')}, ` +
  `targets of mounts do not overlap each other or the container's system, sources of mounts bring neither the host's ` +
  `system nor a secret into containers, by links neither.`;

const introduction = `# site.yaml

<!-- Generated from src/config/site-schema.ts by scripts/generate-docs.ts. Do not edit. -->

The whole policy of a site stands in one file, \`/etc/hpc-submit-dockerjob/site.yaml\`. It and every directory above it
must be owned by root and writable by root alone: the helper refuses anything else. Every host of a cluster needs the
same file. \`etc/site.yaml\` of the package holds every key, commented out at its default.

Check a change before you install it:

\`\`\`bash
hpc-submit-dockerjob config check FILE
hpc-submit-dockerjob policy test CASES --site FILE    # cases of your own, see the admin guide
\`\`\`

${foldText(rulesText, lineWidth).join('\n')}

\`etc/site.schema.json\` is the same as a JSON schema, for editors.
`;

/** docs/configuration.md: one list for each section of site.yaml. */
export function writeReference(): string {
  return `${introduction}${writeSection('', siteSchemaTree())}`;
}

/** etc/site.schema.json */
export function writeJsonSchema(): string {
  return `${JSON.stringify({ title: 'site.yaml of hpc-submit-dockerjob', ...siteSchemaTree() }, null, 2)}\n`;
}

function writeSection(path: string, node: SchemaNode): string {
  const entries = Object.entries(node.properties ?? {});
  const keys = entries.filter(([, inner]) => !isTable(inner));
  const rows = keys.map(([key, inner]) => writeKey(path + key, inner, node.required?.includes(key) ?? false));
  const list = rows.length === 0 ? '' : `\n${rows.join('\n')}\n`;
  const tables = entries.filter(([, inner]) => isTable(inner));
  return list + tables.map(([key, inner]) => writeTable(path + key, inner)).join('') + writeItems(path, keys);
}

function writeTable(path: string, node: SchemaNode): string {
  const named = typeof node.additionalProperties === 'object' ? node.additionalProperties : undefined;
  const heading = named === undefined ? path : `${path}.<name>`;
  return `\n## ${heading}\n\n${foldText(node.description ?? '', lineWidth).join('\n')}\n${writeSection(`${heading}.`, named ?? node)}`;
}

/** Lists whose items have keys of their own follow the keys that name the list. */
function writeItems(path: string, keys: readonly (readonly [string, SchemaNode])[]): string {
  return keys
    .map(([key, { items }]) => [key, sectionOf(items)] as const)
    .filter(([, item]) => item?.properties !== undefined)
    .map(([key, item]) => `\n### ${path}${key}[]\n${writeSection(`${path}${key}[].`, item ?? {})}`)
    .join('');
}

/** True for a section of keys, or a map of names to sections; a map of names to texts is a value. */
export function isTable(node: SchemaNode): boolean {
  return (
    node.properties !== undefined ||
    (typeof node.additionalProperties === 'object' && node.additionalProperties.properties !== undefined)
  );
}

function writeKey(key: string, node: SchemaNode, isRequired: boolean): string {
  const initial = isRequired
    ? ', **required**'
    : node.default === undefined
      ? ''
      : `, default \`${JSON.stringify(node.default).replaceAll('","', '", "')}\``;
  const text = `- \`${key}\` (${typeOf(node)}${initial})${node.description === undefined ? '' : `: ${node.description}`}`;
  const [first = '', ...more] = foldText(text, lineWidth);
  return [first, ...foldText(more.join(' '), lineWidth - 2).map((line) => `  ${line}`)].filter(Boolean).join('\n');
}

/** What may stand there, in words. */
export function typeOf(node: SchemaNode): string {
  if (node.const !== undefined) return `\`${JSON.stringify(node.const)}\``;
  if (node.enum !== undefined) return node.enum.map((name) => `\`${name || '""'}\``).join(', ');
  if (node.type === 'array') {
    const form = sectionOf(node.items)?.properties === undefined ? 'texts' : 'sections';
    return node.items?.anyOf === undefined ? `list of ${form}` : 'list of texts or sections';
  }
  if (node.type === 'object') return 'names with texts';
  if (node.type === 'string') return 'text';
  if (node.type !== 'integer') return node.type ?? '';
  return node.maximum === undefined || node.maximum >= Number.MAX_SAFE_INTEGER || node.minimum === undefined
    ? 'whole number'
    : `whole number, ${node.minimum}–${node.maximum}`;
}
