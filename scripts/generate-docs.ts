/**
 * Writes what follows from the schema of site.yaml: docs/configuration.md and etc/site.schema.json.
 * With --check it writes nothing and fails when one of them is stale.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { writeJsonSchema, writeReference } from '../src/config/write-reference.ts';

const root = new URL('../', import.meta.url);
const documents = { 'docs/configuration.md': writeReference, 'etc/site.schema.json': writeJsonSchema };
const isCheck = process.argv.includes('--check');

for (const [path, write] of Object.entries(documents)) {
  const wanted = write();
  const file = new URL(path, root);
  if (!isCheck) {
    await writeFile(file, wanted);
  } else if ((await readFile(file, 'utf8').catch(() => '')) !== wanted) {
    process.stderr.write(`${path} is stale; write it again with: npm run docs\n`);
    process.exitCode = 1;
  }
}
