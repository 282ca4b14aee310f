import { describe, expect, it } from 'vitest';
import { isOffered, offeredVariables } from '../../../src/contract/offered-variables.ts';
import { offerVariables } from '../../../src/middleware/offer-variables.ts';
import { passVariables } from '../../../src/policy/pass-variables.ts';

describe('what a batch script offers', () => {
  it('is place, language and threads, and nothing that loads code', () => {
    const script = {
      ...{ TZ: 'Europe/Berlin', LANG: 'de_DE.UTF-8', LC_ALL: 'C', OMP_NUM_THREADS: '4', KMP_AFFINITY: 'compact' },
      ...{ OMP_TOOL_LIBRARIES: '/evil.so', OMP_TOOL: 'enabled', LD_PRELOAD: '/evil.so', PATH: '/bin', LOCPATH: '/x' },
      ...{ KMP_CPUINFO_FILE: '/x', MKL_NUM_THREADS: '2', MKL_VML_PATH: '/x', 'BASH_FUNC_x%%': '() {', HOME: '/root' },
    };
    expect(offerVariables(script)).toEqual({
      ...{ TZ: 'Europe/Berlin', LANG: 'de_DE.UTF-8', LC_ALL: 'C', OMP_NUM_THREADS: '4', KMP_AFFINITY: 'compact' },
      MKL_NUM_THREADS: '2',
    });
  });

  it.each([
    [{ SLURM_CPUS_PER_TASK: '2' }, '2'],
    [{ SLURM_CPUS_PER_TASK: '2', OMP_NUM_THREADS: '8' }, '8'],
    [{ SLURM_CPUS_PER_TASK: '0x2' }, undefined],
    [{}, undefined],
  ])('of %j are as many threads as %j', (environment, threads) => {
    expect(offerVariables(environment)['OMP_NUM_THREADS']).toBe(threads);
  });

  it('leaves out what is too long for such a thing', () => {
    expect(offerVariables({ TZ: 'x'.repeat(1025) })).toEqual({});
  });
});

describe('what the site passes on', () => {
  const offered = { TZ: 'UTC', LANG: 'de_DE.UTF-8', LC_TIME: 'C', OMP_NUM_THREADS: '2' };

  it('is what it lists', () => {
    expect(passVariables(offered, [...offeredVariables], [])).toEqual(offered);
    expect(passVariables(offered, ['LC_*', 'TZ'], [])).toEqual({ TZ: 'UTC', LC_TIME: 'C' });
    expect(passVariables(offered, [], [])).toEqual({});
  });

  it('leaves an image its own language', () => {
    expect(passVariables(offered, [...offeredVariables], ['LANG=C.UTF-8'])).toEqual({
      TZ: 'UTC',
      OMP_NUM_THREADS: '2',
    });
  });

  it('is never what nobody may offer, whoever says so', () => {
    const hostile = { LD_PRELOAD: '/evil.so', OMP_TOOL_LIBRARIES: '/evil.so', PATH: '/evil' };
    expect(passVariables(hostile, [...offeredVariables, 'LD_*', 'PATH', 'OMP_TOOL*'], [])).toEqual({});
    expect(isOffered('OMP_TOOL_LIBRARIES')).toBe(false);
  });
});
