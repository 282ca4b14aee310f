import { describe, expect, it } from 'vitest';
import { readRequest } from '../../../src/middleware/read-request.ts';

const slides = {
  APPLICATION: 'openfoam:2.3.0',
  COMMAND: 'mpirun -v -hostfile system/machines -x PATH=$PATH simpleFoam -parallel',
  JOBDIR: '/scratch/lustre/case',
};

describe('readRequest', () => {
  it("takes the slides' exports as they are", () => {
    expect(readRequest({}, [], slides, '/home/alice')).toEqual({
      application: 'openfoam:2.3.0',
      command: { kind: 'shell', text: slides.COMMAND },
      workdir: '/scratch/lustre/case',
      environment: {},
      mounts: [],
    });
  });

  it('prefers the command line, and an image named there hides APPLICATION', () => {
    const request = readRequest(
      { image: 'app:1', workdir: 'run', env: ['A=1=2', 'HOME'] },
      ['a', 'b c'],
      { ...slides, HOME: '/h' },
      '/scratch',
    );
    expect(request).toEqual({
      image: 'app:1',
      command: { kind: 'argv', argv: ['a', 'b c'] },
      workdir: '/scratch/run',
      environment: { A: '1=2', HOME: '/h' },
      mounts: [],
    });
  });

  it('refuses at once what the helper would refuse for its size', () => {
    const large = { BIG: 'x'.repeat(70_000) };
    expect(() => readRequest({ env: ['BIG'] }, ['true'], large, '/')).toThrow(
      expect.objectContaining({
        code: 'REQUEST_INVALID',
        message: expect.stringContaining('BIG has 68.4 KiB') as string,
      }),
    );
  });

  it('works in the current directory when no other is named', () => {
    expect(readRequest({}, ['true'], {}, '/scratch/x').workdir).toBe('/scratch/x');
  });

  it('takes the size of /dev/shm from the option, else from SHM_SIZE', () => {
    const read = (options: { shmSize?: string }, environment: NodeJS.ProcessEnv): number | undefined =>
      readRequest(options, ['true'], environment, '/').shmBytes;
    expect(read({ shmSize: '2g' }, { SHM_SIZE: '1g' })).toBe(2 * 1024 ** 3);
    expect(read({}, { SHM_SIZE: '1g' })).toBe(1024 ** 3);
    expect([read({}, {}), read({}, { SHM_SIZE: '' })]).toEqual([undefined, undefined]);
  });

  it.each([
    ['--shm-size that is no size', { shmSize: 'big' }, ['true'], {}, /--shm-size: "big" is not a size/],
    ['--shm-size of less than a page', { shmSize: '4095' }, ['true'], {}, /at least 4 KiB/],
    ['SHM_SIZE that is no size', {}, ['true'], { SHM_SIZE: '-1' }, /SHM_SIZE: "-1" is not a size/],
    ['no command', {}, [], {}, /COMMAND is not set/],
    ['an empty COMMAND', {}, [], { COMMAND: ' ' }, /COMMAND is empty/],
    ['an empty word after --', {}, [''], {}, /empty/],
    ['--env with a bad name', { env: ['1A=2'] }, ['true'], {}, /"1A" is not a name/],
    ['--env with a name that is not set', { env: ['NOPE'] }, ['true'], {}, /not set here/],
  ])('refuses %s', (_, options, argv, environment, text) => {
    expect(() => readRequest(options, argv, environment, '/')).toThrow(text);
  });
});
