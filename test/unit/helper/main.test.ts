import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { main } from '../../../src/helper/main.ts';

afterEach(() => vi.restoreAllMocks());

/** Status and words of the helper called like this; none of these calls gets as far as root's work. */
async function call(...argv: readonly string[]): Promise<{ readonly status: number; readonly said: string }> {
  let said = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((said += String(text)), true));
  return { status: await main(argv), said };
}

describe('the helper', () => {
  it.each([
    [['nosuch'], /^hpc-dockerjob-helper: "nosuch" is no verb of the helper\. Known: open-job, .*reap.* \[USAGE\]\n$/],
    [['nosuch', '772', '--force'], /"nosuch" is no verb of the helper/],
    [['relase-node', '772'], /Did you mean "release-node"\? Known: /],
    [['x'.repeat(5000)], /^.{0,300}$/s],
    [[], /The helper needs a verb\. Known: open-job/],
    [['--nosuch'], /unknown option '--nosuch'\. See hpc-dockerjob-helper --help\. \[USAGE\]/],
    [['run-node'], /missing required argument 'job'\. See .* \[USAGE\]/],
    [['run-node', '772'], /missing required argument 'launch'\. See .* \[USAGE\]/],
    [['run-node', '772', '773', '774'], /too many arguments.* \[USAGE\]/],
    [['release-job', '772', '--frce'], /unknown option '--frce' \(Did you mean --force\?\) See .* \[USAGE\]/],
  ])('called with %j says what is wrong and what to do, and ends with 64', async (argv, words) => {
    const { status, said } = await call(...argv);
    expect(said).toMatch(words);
    expect(status).toBe(64);
  });
});

describe('the helper whose reader has gone', () => {
  it.each(['stdout', 'stderr'] as const)('goes on to its clean-up (%s)', async (stream) => {
    const file = path.resolve(import.meta.dirname, '../../../src/helper/main.ts');
    // What stands for the clean-up is the last line: it is reached only when the writes before it end nothing.
    const script = `
      import { main } from '${file}';
      import { setTimeout as pause } from 'node:timers/promises';
      await main(['nosuch']);
      for (let i = 0; i < 5; i += 1) {
        process.${stream}.write('word');
        await pause(50);
      }
      process.exit(7);`;
    const argv = ['--input-type=module', '--disable-warning=ExperimentalWarning', '-e', script];
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
    child[stream].destroy();
    expect(await once(child, 'exit')).toEqual([7, null]);
  });
});
