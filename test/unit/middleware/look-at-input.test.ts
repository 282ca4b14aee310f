import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decideInput } from '../../../src/middleware/decide-input.ts';
import type { InputFacts } from '../../../src/middleware/look-at-input.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'look-at-input-'));
  // As JavaScript: a start that has to strip types first takes ten times as long.
  const program = readFileSync(join(import.meta.dirname, '../../../src/middleware/look-at-input.ts'), 'utf8');
  const file = join(directory, 'H.mjs');
  writeFileSync(file, `${stripTypeScriptTypes(program)}\nconsole.log(JSON.stringify(lookAtInput()));\n`);
  writeFileSync(join(directory, 'W.mjs'), `${stripTypeScriptTypes(program)}\nconsole.log(hasBytesWaiting());\n`);
  writeFileSync(join(directory, 'W'), `#!/bin/sh\nexec ${process.execPath} ${join(directory, 'W.mjs')}\n`, {
    mode: 0o755,
  });
  writeFileSync(join(directory, 'H'), `#!/bin/sh\nexec ${process.execPath} ${file}\n`, { mode: 0o755 });
  writeFileSync(join(directory, 'list'), 'a\nb\n');
  writeFileSync(join(directory, 'wrapper'), '#!/bin/sh\n./H\n', { mode: 0o755 });
});
afterAll(() => rmSync(directory, { recursive: true }));

/** What the calls of H in a script find, one after the other; the script's own input is like that of a batch job. */
async function look(shell: string, script: string): Promise<readonly InputFacts[]> {
  writeFileSync(join(directory, 'script'), `${script}\n`);
  const { stdout } = await execa(shell, ['script'], { cwd: directory, stdin: 'ignore' });
  return stdout.split('\n').map((line) => JSON.parse(line) as InputFacts);
}

const [passed, left, silent] = [
  [true, false],
  [false, true],
  [false, false],
] as const;

/** The script, and for each call whether the command gets the input, and whether the user is told that it does not. */
const scripts: readonly (readonly [script: string, calls: readonly (readonly [boolean, boolean])[]])[] = [
  ['./H', [silent]],
  ['./H < list', [passed]],
  ['./H < H', [passed]],
  ['cat list | ./H', [passed]],
  ['cat list | timeout 60 ./H', [passed]],
  ['timeout 60 env A=1 ./H < list', [passed]],
  ['{ ./H; } < list', [passed]],
  ['./wrapper < list', [passed]],
  ['cat list | ./wrapper', [left]],
  ['cat list | { ./H; ./H; true; }', [left, left]],
  ['exec < list\n./H', [passed]],
  ['exec ./H < list', [passed]],
  ['while read -r x; do ./H; done < list', [silent, silent]],
  ['while read -r x; do timeout 60 ./H; done < list', [silent, silent]],
  ['while read -r x; do ./H < list; done < list', [passed, passed]],
  ['while read -r x; do echo $x | ./H; done < list', [passed, passed]],
  ['while read -r x; do ./H < /dev/null; done < list', [silent, silent]],
  ['cat list | while read -r x; do ./H; done', [left, left]],
  ['./H < /dev/null', [silent]],
  ['./H <&-', [silent]],
  ['./H < /tmp', [silent]],
];

describe.each(['bash', 'dash'])('in a script of %s', (shell) => {
  it.each(scripts)('%s', async (script, expected) => {
    const decisions = (await look(shell, script)).map((facts) => decideInput(undefined, facts));
    // What has been read by the end of a loop is nothing to speak of.
    expect(decisions.map(({ isPassed, note }) => [isPassed, note !== undefined])).toEqual(expected);
  });

  it('leaves the lines of a loop that come from a here-document', async () => {
    const found = (await look(shell, 'while read -r x; do ./H; done <<E\na\nb\nE')).map((facts) =>
      decideInput(undefined, facts),
    );
    expect(found.map(({ isPassed }) => isPassed)).toEqual([false, false]);
  });
});

it.each([
  ['bash', passed],
  // It redirects itself, not its child: nobody can tell this pipe from one of a loop.
  ['dash', left],
])('a here-document in a script of %s', async (shell, expected) => {
  for (const text of ['hello', 'x'.repeat(200_000)]) {
    const [facts] = await look(shell, `./H <<E\n${text}\nE`);
    const { isPassed, note } = decideInput(undefined, facts!);
    expect([isPassed, note !== undefined]).toEqual(expected);
  }
});

it('leaves a script alone that its shell reads from standard input', async () => {
  const { stdout } = await execa('bash', ['-c', 'printf "./H\\n./H\\n# rest\\n" > own; bash < own'], {
    cwd: directory,
  });
  const found = stdout.split('\n').map((line) => decideInput(undefined, JSON.parse(line) as InputFacts));
  expect(found).toEqual([{ isPassed: false }, { isPassed: false }]);
});

it.each([
  ['(echo a; sleep 3) | { sleep 0.2; ./W; cat; }', 'true\na'],
  ['sleep 1 | ./W', 'false'],
  ['true | { sleep 0.2; ./W; }', 'false'],
  ['./W < /dev/null', 'false'],
  ['./W <&-', 'false'],
])('knows whether something waits, and takes nothing of it: %s', async (script, expected) => {
  const { stdout } = await execa('bash', ['-c', script], { cwd: directory, stdin: 'ignore' });
  expect(stdout).toBe(expected);
});
