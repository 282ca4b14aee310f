import { describe, expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import { readJobRequest } from '../../../src/helper/keeper/read-job-request.ts';

const request = {
  protocol: 1,
  launchId: '0123456789abcdef',
  scheduler: 'lsf',
  schedulerJobId: '772',
  job: '772',
  hosts: [{ name: 'c1', slots: 1 }],
  image: 'hpc/app:1',
  command: { kind: 'later' },
  workdir: '/scratch',
  environment: {},
  mounts: [],
};
const usual = parseSite('version: 1');
const prologue = parseSite('version: 1\nscheduler: {requireJobCgroup: false}\nlsf: {start: prologue}');

describe('a request whose command comes later', () => {
  it('is refused where jobs begin with their script', () => {
    expect(() => readJobRequest(JSON.stringify(request), usual)).toThrow(
      expect.objectContaining({ code: 'REQUEST_INVALID' }) as Error,
    );
    const early = { ...request, command: { kind: 'argv', argv: ['true'] } };
    expect(readJobRequest(JSON.stringify(early), usual)).toMatchObject({ command: early.command });
  });

  it('is taken where they begin before it', () => {
    expect(readJobRequest(JSON.stringify(request), prologue)).toMatchObject({ command: { kind: 'later' } });
  });
});
