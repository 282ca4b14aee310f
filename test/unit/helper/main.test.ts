import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { main } from '../../../src/helper/main.ts';
import { keepAudit } from '../../support/fake-audit.ts';
import { helperVerbs } from '../../../src/helper/verbs/helper-verbs.ts';

afterEach(() => vi.restoreAllMocks());

interface Called {
  readonly status: number;
  readonly said: string;
  readonly records: readonly unknown[];
}

/** Status and words of the helper called like this; none of these calls gets as far as root's work. */
async function call(...argv: readonly string[]): Promise<Called> {
  let said = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((said += String(text)), true));
  const records: string[] = [];
  const status = await main(argv, (_, { uid, verb, job }) => {
    expect([uid, verb]).toEqual([0, argv[0] ?? '']);
    const audit = keepAudit(records);
    audit.about(job ?? 'none');
    return audit;
  });
  return { status, said, records: records.map((line): unknown => JSON.parse(line)) };
}

describe('the helper', () => {
  it.each([
    [['nosuch'], /^hpc-dockerjob-helper: "nosuch" is no verb of the helper\. Known: open-job, .*reap.* \[USAGE\]\n$/],
    [['nosuch', '772', '--force'], /"nosuch" is no verb of the helper/],
    [['relase-node', '772'], /Did you mean "release-node"\? Known: /],
    [['x'.repeat(5000)], /^.{0,300}$/s],
    [[], /The helper needs a verb\. Known: open-job/],
    [['help'], /"help" is no verb/],
    [['--nosuch'], /There is no option "--nosuch"\. See hpc-dockerjob-helper --help\. \[USAGE\]/],
    [['run-node'], /run-node lacks its word <job>\. See .* \[USAGE\]/],
    [['run-node', '772'], /run-node lacks its word <launch>\. See .* \[USAGE\]/],
    [['run-node', '772', '773', '774'], /run-node takes at most 2 words, not 3\..* \[USAGE\]/],
    [['reap', '772'], /reap takes no words, not 1\. /],
    [['open-job', '--force'], /There is no option "--force"/],
    [['release-job', '772', '--frce'], /There is no option "--frce" \(did you mean --force\?\)\. See .* \[USAGE\]/],
    [['release-job', '772', '-f'], /There is no option "-f"/],
    [['release-job', '772', '--__proto__'], /There is no option "--__proto__"/],
    [['release-job', '772', '--force=yes'], /Option --force takes no value\. /],
    [['release-node', '--scheduler-job'], /Option '--scheduler-job <id>' lacks its value\. /],
    [['release-node', '--scheduler-job', '--help'], /lacks its value/],
    [['release-node', '--scheduler-job', '1;2'], /release-node needs a job, or --scheduler-job/],
    [['release-node'], /release-node needs a job, or --scheduler-job/],
    [['release-job', '--', '--force'], /"--force" is not a job/],
  ])('called with %j says what is wrong and what to do, and ends with 64', async (argv, words) => {
    const { status, said, records } = await call(...argv);
    expect(said).toMatch(words);
    expect(status).toBe(64);
    expect(records).toEqual([expect.objectContaining({ event: 'call', verdict: 'refused', status: 64 })]);
  });
});

describe('the record of a refused call', () => {
  it.each([
    [['run-node', '772', '773', '774'], '772'],
    [['release-job', '7;2'], '7;2'],
    [['control-job', '772_3'], '772_3'],
    [['nosuch', '772'], 'none'],
    [['reap', '772'], 'none'],
  ])('names the job of %j', async (argv, job) => {
    expect((await call(...argv)).records).toEqual([expect.objectContaining({ job, verdict: 'refused' })]);
  });
});

describe('the help', () => {
  async function help(...argv: readonly string[]): Promise<string> {
    let said = '';
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((said += String(text)), true));
    expect(await main(argv)).toBe(0);
    return said;
  }

  it.each(['--help', '-h'])('by %s names every verb with its words, in lines that fit a terminal', async (option) => {
    const text = await help(option);
    for (const { name, does } of helperVerbs) {
      expect(text).toMatch(new RegExp(`^  ${name} `, 'm'));
      expect(text.replaceAll(/\s+/g, ' ')).toContain(does);
    }
    expect(Math.max(...text.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(100);
  });

  it.each(helperVerbs.map(({ name }) => [name]))('of %s names all that it takes', async (name) => {
    const text = await help(name, '--help');
    const { words, options } = helperVerbs.find((verb) => verb.name === name)!;
    expect(text).toContain(`Usage: hpc-dockerjob-helper ${name}`);
    for (const word of words) expect(text).toContain(`<${word.name}>`);
    for (const option of Object.keys(options)) expect(text).toContain(`--${option}`);
  });

  it('of the version is the version alone', async () => {
    expect(await help('--version')).toBe('development\n');
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
