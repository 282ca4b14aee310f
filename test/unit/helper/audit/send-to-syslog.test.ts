import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { sendToSyslog } from '../../../../src/helper/audit/send-to-syslog.ts';

const directory = mkdtempSync(join(tmpdir(), 'hpcdj-logger-'));
afterAll(() => rmSync(directory, { recursive: true }));

it('a record goes to syslog whole, and not by words that everybody on the host can read', async () => {
  const logger = join(directory, 'logger');
  const said = join(directory, 'said');
  writeFileSync(logger, `#!/bin/sh\n{ echo "$*"; cat; } >${said}.new; mv ${said}.new ${said}\n`);
  chmodSync(logger, 0o755);
  const record = `{"event":"call","text":"${'x'.repeat(4000)}"}`;
  sendToSyslog(record, logger);
  await expect.poll(() => existsSync(said), { timeout: 10_000 }).toBe(true);
  const [words, ...rest] = readFileSync(said, 'utf8').split('\n');
  expect(words).toBe('-t hpc-dockerjob-helper -p auth.info --size 8192');
  expect(rest).toEqual([record, '']);
});

it('a record that finds no open file left is lost, and nothing else', () => {
  const module = JSON.stringify(join(import.meta.dirname, '../../../../src/helper/audit/send-to-syslog.ts'));
  const script = `import { openSync } from 'node:fs'; import { sendToSyslog } from ${module};
    try { for (;;) openSync('/dev/null'); } catch { sendToSyslog('{}'); }`;
  const argv = ['-c', 'ulimit -n 64; exec "$@"', 'sh', process.execPath, '--input-type=module', '-e', script];
  const { status, stderr } = spawnSync('/bin/sh', argv, { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
});
