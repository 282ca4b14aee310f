import { describe, expect, it } from 'vitest';
import { createProgram } from '../../../src/middleware/create-program.ts';

describe('starter', () => {
  async function startedWith(...argv: readonly string[]): Promise<unknown> {
    let got: unknown;
    const nothing = (): Promise<number> => Promise.resolve(0);
    const actions = {
      ...{ run: nothing, explain: nothing, checkConfig: nothing, esub: nothing, spread: nothing },
      starter: (options: unknown, words: readonly string[]) => {
        got = { options, words };
        return Promise.resolve(0);
      },
    };
    await createProgram([], actions, () => undefined).parseAsync(['starter', ...argv], { from: 'user' });
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
