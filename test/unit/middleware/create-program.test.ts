import { describe, expect, it } from 'vitest';
import { createProgram } from '../../../src/middleware/create-program.ts';
import { knownVerbs } from '../../../src/middleware/verbs/known-verbs.ts';
import type { VerbCall } from '../../../src/middleware/verbs/verb.ts';
import { JobError } from '../../../src/values/errors.ts';

const done = (): Promise<number> => Promise.resolve(0);
/** The verbs as they are, which do nothing. */
const idle = { verbs: knownVerbs.map((verb) => ({ ...verb, run: done })), run: done };

/** What the program says of this call; empty when it takes it. */
async function faultOf(...argv: readonly string[]): Promise<string> {
  let said = '';
  const program = createProgram([], () => undefined, idle);
  for (const command of [program, ...program.commands, ...program.commands.flatMap((verb) => verb.commands)])
    command.configureOutput({ writeErr: (text) => (said += text) });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return said;
  } catch (thrown) {
    return thrown instanceof JobError ? thrown.toLine() : said;
  }
}

describe('the command line', () => {
  it.each([
    ['a command without --', ['mpirun', '-np', '4', 'solver'], /"mpirun" is neither .* stands after --/],
    ['a command without -- behind options', ['--image', 'a:1', 'mpirun', '-np', '4'], /"mpirun" is neither/],
    ['a command without -- in explain', ['explain', '--image', 'a:1', 'mpirun', '-np', '4'], /"mpirun" is neither/],
    ['a verb with a typo', ['conifg', 'check', 'x'], /Did you mean "config"/],
    ['an option with a typo', ['--imgae', 'a:1'], /unknown option '--imgae' \(Did you mean --image\?\) .*\[USAGE\]\n$/],
    ['an empty workdir', ['--image', 'a:1', '--workdir', ''], /--workdir: its value is empty\. .*\[USAGE\]/],
    ['an empty mount among others', ['--mount', '/a', '--mount', ''], /--mount: its value is empty/],
    ['an empty partition in explain', ['explain', '--partition', ''], /--partition: its value is empty/],
    ['an empty file in a verb', ['policy', 'test', 'x', '--site='], /--site: its value is empty/],
    ['no host', ['explain', '--hosts', '0'], /number from 1/],
    ['hosts that are no number', ['explain', '--hosts', 'two'], /number from 1/],
    ['a verb without its argument', ['config', 'check'], /missing required argument 'file'.*\[USAGE\]/],
  ])('refuses %s', async (_, argv, fault) => {
    expect(await faultOf(...argv)).toMatch(fault);
  });

  it('takes options, also of a verb', async () => {
    expect(await faultOf('--image', 'a:1', '--quiet')).toBe('');
    expect(await faultOf('explain', '--image', 'a:1', '--hosts', '4')).toBe('');
  });
});

describe('starter', () => {
  async function startedWith(...argv: readonly string[]): Promise<unknown> {
    let got: unknown;
    const verbs = knownVerbs.map((verb) => ({
      ...verb,
      run: ({ called }: VerbCall) => {
        got = { options: called.opts(), words: called.args };
        return Promise.resolve(0);
      },
    }));
    await createProgram([], () => undefined, { ...idle, verbs }).parseAsync(['starter', ...argv], { from: 'user' });
    return got;
  }

  it.each([
    [['run', '--image', 'x', '--', '-a', '--help'], {}, ['run', '--image', 'x', '--', '-a', '--help']],
    [['--image', 'a:1', 'run', '--image', 'x'], { image: 'a:1' }, ['run', '--image', 'x']],
    [['--application', 'a:1', '--', '-x'], { application: 'a:1' }, ['-x']],
    [['hi  there', ''], {}, ['hi  there', '']],
  ])('takes of %j only what stands before the command', async (argv, options, words) => {
    expect(await startedWith(...argv)).toEqual({ options, words });
  });
});
