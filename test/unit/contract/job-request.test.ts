import { describe, expect, it } from 'vitest';
import {
  absolutePathSchema,
  commandSchema,
  environmentSchema,
  jobRequestSchema,
  umaskSchema,
} from '../../../src/contract/job-request.ts';

describe('a path of a request', () => {
  it.each(['/scratch', '/scratch/a b/ü', '/scratch/...', '//scratch/', '/a/.b/c..'])('may be %j', (path) => {
    expect(absolutePathSchema.safeParse(path).success).toBe(true);
  });

  it.each([
    ['relative', 'scratch'],
    ['empty', ''],
    ['one that goes up', '/scratch/../etc'],
    ['one that goes up at its end', '/scratch/..'],
    ['one that goes up after a separator of lines', '/scratch/\u2028/../etc'],
    ['one with a line break', '/scratch\n/x'],
    ['one with an escape', '/scratch/\u001b[2J'],
    ['one with an escape of eight bits', '/scratch/\u009b2J'],
    ['one with a NUL', '/scratch/\u0000'],
    ['longer than the system takes', `/${'x'.repeat(4096)}`],
  ])('cannot be %s', (_, path) => {
    expect(absolutePathSchema.safeParse(path).success).toBe(false);
  });
});

describe('the command of a request', () => {
  it.each([
    ['as long as Linux takes an argument', 'x'.repeat(131_071), true],
    ['one byte longer', 'x'.repeat(131_072), false],
    ['one byte longer, in fewer characters', 'ä'.repeat(65_536), false],
  ])('is measured in bytes: %s', (_, text, isFine) => {
    expect(commandSchema.safeParse({ kind: 'shell', text }).success).toBe(isFine);
    expect(commandSchema.safeParse({ kind: 'argv', argv: ['echo', text] }).success).toBe(isFine);
  });
});

describe('the environment of a request', () => {
  it('never reaches the prototype of an object', () => {
    const parsed = environmentSchema.parse(JSON.parse('{"__proto__": "x", "constructor": "y", "A": "z"}'));
    expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>)['A']).toBeUndefined();
  });

  it.each(['A B', 'A=B', '', 'A\n', '1A', 'ä'])('has no variable called %j', (name) => {
    expect(environmentSchema.safeParse({ [name]: 'x' }).success).toBe(false);
  });
});

it.each([-1, 0o1000, 1.5, '0022', null])('refuses the umask %j', (umask) => {
  expect(umaskSchema.safeParse(umask).success).toBe(false);
});

it('refuses keys that it does not know, the prototype among them', () => {
  const request = `{"protocol": 1, "launchId": "0123456789abcdef", "scheduler": "slurm", "schedulerJobId": "7", "job": "7", "workdir": "/scratch",
    "hosts": [{"name": "n1", "slots": 1}], "image": "a:1", "command": {"kind": "argv", "argv": ["true"]},
    "environment": {}, "mounts": []}`;
  expect(jobRequestSchema.safeParse(JSON.parse(request)).success).toBe(true);
  for (const more of ['"__proto__": {"application": "x"}', '"privileged": true'])
    expect(jobRequestSchema.safeParse(JSON.parse(request.replace('{', `{${more}, `))).success).toBe(false);
});
