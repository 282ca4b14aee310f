import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeManPages } from '../../../scripts/man/write-man-pages.ts';
import { siteSchemaTree } from '../../../src/config/schema-tree.ts';
import { helperVerbs } from '../../../src/helper/verbs/helper-verbs.ts';
import { createProgram } from '../../../src/middleware/create-program.ts';
import { exitStatus } from '../../../src/values/errors.ts';

const pages = writeManPages('1.2.3');
const read = (file: string): string => (pages[file] ?? '').replaceAll('\\-', '-');

describe('the manual pages', () => {
  it('name every option and every verb that the help shows', () => {
    const program = createProgram([], () => undefined);
    const help = program.createHelp();
    for (const { long } of help.visibleOptions(program))
      expect(read('hpc-submit-dockerjob.1')).toContain(`.B ${long}`.slice(3));
    for (const verb of help.visibleCommands(program).filter((one) => one.name() !== 'help'))
      expect(read('hpc-submit-dockerjob.1')).toMatch(new RegExp(`^\\.SS ${verb.name()}`, 'm'));
    for (const { name } of helperVerbs)
      expect(read('hpc-dockerjob-helper.8')).toMatch(new RegExp(`^\\.SS ${name}`, 'm'));
  });

  it('name every exit status and every section of site.yaml', () => {
    for (const status of Object.values(exitStatus)) expect(read('hpc-submit-dockerjob.1')).toContain(`.B ${status}\n`);
    for (const key of Object.keys(siteSchemaTree().properties ?? {}))
      expect(read('hpc-dockerjob-site.yaml.5')).toMatch(new RegExp(`^\\.(?:SS|B) ${key}`, 'm'));
  });

  it('take no text for a request', () => {
    for (const text of Object.values(pages))
      for (const line of text.split('\n')) expect(line).toMatch(/^(?!['.])|^\.(?:TH|SH|SS|TP|PP|B|nf|fi|nh|ad)\b/);
  });
});

describe('groff', () => {
  let directory = '';
  beforeAll(async () => (directory = await mkdtemp(join(tmpdir(), 'hpcdj-man-'))));
  afterAll(async () => await rm(directory, { recursive: true, force: true }));

  it.for(Object.keys(pages))('reads %s without an error', async (file) => {
    const path = join(directory, file);
    await writeFile(path, pages[file] ?? '');
    const found = await execa('groff', ['-man', '-Tutf8', '-z', path], { reject: false, timeout: 20_000 });
    if (found.code === 'ENOENT') return; // a machine without groff
    expect([found.exitCode, found.stderr]).toEqual([0, '']);
  });
});
