import { execFileSync, spawnSync } from 'node:child_process';
import { openSync, statSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { tellLostOutput } from '../../../src/middleware/lost-output.ts';
import { isPassedThrough } from '../../../src/middleware/pass-output.ts';
import { outliveReaders } from '../../../src/system/flush-output.ts';

/** What is told where, when the streams have failed with these codes. */
function tell(out: string | undefined, error: string | undefined): { lines: string[]; code: string | undefined } {
  const streams = [new PassThrough(), new PassThrough()] as const;
  outliveReaders(...streams);
  const fail = (): void => {
    for (const [at, code] of [out, error].entries())
      if (code !== undefined) streams[at]?.emit('error', Object.assign(new Error(`${code}: no`), { code }));
  };
  fail();
  const code = tellLostOutput(streams)?.code;
  fail(); // whatever is written next is lost, too
  expect(tellLostOutput(streams)).toBeUndefined(); // once
  return { lines: streams.map((stream) => String(stream.read() ?? '')), code };
}

describe('output that could not be written', () => {
  it('is told on the other stream', () => {
    const { lines, code } = tell('ENOSPC', undefined);
    expect(code).toBe('OUTPUT_LOST');
    expect(lines[0]).toBe('');
    expect(lines[1]).toMatch(
      /^hpc-submit-dockerjob: Standard output could not be written \(ENOSPC: no\): .* \[OUTPUT_LOST\]\n$/,
    );
    expect(tell(undefined, 'EIO').lines[0]).toMatch(/^hpc-submit-dockerjob: Standard error could not be written/);
  });

  it('is a failure also where nobody is left to be told', () => {
    expect(tell('ENOSPC', 'ENOSPC')).toEqual({ lines: ['', ''], code: 'OUTPUT_LOST' });
  });

  it.each(['EPIPE', 'ECONNRESET', undefined])('is none where the reader has gone: %s', (code) => {
    expect(tell(code, code)).toEqual({ lines: ['', ''], code: undefined });
  });

  it('is seen by the program itself: only what goes nowhere is left to the launcher', () => {
    expect(isPassedThrough(openSync('/dev/full', 'w'))).toBe(true);
    expect(isPassedThrough(openSync(import.meta.filename, 'r'))).toBe(true);
    expect(isPassedThrough(openSync('/dev/null', 'w'))).toBe(false);
    expect(isPassedThrough(999)).toBe(false);
  });

  it('makes every verb fail', () => {
    const program = `${import.meta.dirname}/../../../src/cli.ts`;
    const argv = ['-c', '"$@" >/dev/full', 'sh', process.execPath, program, 'completion', 'bash'];
    const { status, stderr } = spawnSync('/bin/sh', argv);
    expect([status, String(stderr)]).toEqual([65, expect.stringContaining('[OUTPUT_LOST]')]);
    expect(statSync('/dev/full').isCharacterDevice()).toBe(true);
    expect(execFileSync(process.execPath, [program, 'completion', 'bash']).length).toBeGreaterThan(0);
  });
});
