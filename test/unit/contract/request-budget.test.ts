import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandSchema, environmentSchema, jobRequestSchema } from '../../../src/contract/job-request.ts';
import {
  commandBytes,
  environmentBytes,
  isWithinBudget,
  mostEnvironmentBytes,
  mostPlanBytes,
  refuseLargePlan,
  refuseOversized,
} from '../../../src/contract/request-budget.ts';
import { parseSite } from '../../../src/config/parse-site.ts';
import { readJobRequest } from '../../../src/helper/keeper/read-job-request.ts';
import { receiveOrders } from '../../../src/helper/keeper/receive-orders.ts';
import { JobError } from '../../../src/values/errors.ts';
import { makePlan } from '../../support/make-plan.ts';
import { PassThrough } from 'node:stream';
import { seed } from '../../support/hostile-bytes.ts';

const site = parseSite('version: 1');
const request = {
  protocol: 1,
  launchId: '0123456789abcdef',
  scheduler: 'slurm',
  schedulerJobId: '772',
  job: '772',
  hosts: [{ name: 'c1', slots: 1 }],
  image: 'hpc/app:1',
  command: { kind: 'argv', argv: ['true'] },
  workdir: '/scratch',
  environment: {},
  mounts: [],
} as const;

function codeOf(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return error instanceof JobError ? error.code : 'none of ours';
  }
}

it('a command of too many words is refused as such, by the helper and before', () => {
  const command = { kind: 'argv', argv: Array.from({ length: 4097 }, () => 'x') } as const;
  const asked = JSON.stringify({ ...request, command });
  expect(codeOf(() => readJobRequest(asked, site))).toBe('REQUEST_INVALID');
  expect(() => refuseOversized({ environment: {}, command })).toThrow('The command has 4097 words; at most 4096 are');
});

const text = fc.string({ unit: 'binary', maxLength: 200 });
const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,20}$/);

describe('any request', () => {
  it('that is taken is within every bound, and its plan holds no more than it says', () => {
    const large = fc.tuple(text, fc.integer({ min: 1, max: 900 })).map(([part, count]) => part.repeat(count));
    const environment = fc.dictionary(name, fc.oneof(text, large), { maxKeys: 12 });
    const argv = fc.array(fc.oneof(text, large), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(environment, argv, (variables, words) => {
        const asked = JSON.stringify({ ...request, environment: variables, command: { kind: 'argv', argv: words } });
        let taken: ReturnType<typeof readJobRequest>;
        try {
          taken = readJobRequest(asked, site);
        } catch (error) {
          expect(error).toBeInstanceOf(JobError);
          expect(['REQUEST_INVALID', 'COMMAND_EMPTY']).toContain((error as JobError).code);
          return;
        }
        expect(isWithinBudget({ environment: taken.environment, command: commandSchema.parse(taken.command) })).toBe(
          true,
        );
      }),
      { numRuns: 60, seed },
    );
  });

  it('of any JSON is taken or refused with a code of ours, never with a fault', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), (json) => {
        expect(['REQUEST_INVALID', 'COMMAND_EMPTY']).toContain(codeOf(() => readJobRequest(json, site)));
      }),
    );
  });

  it('with one field of any value is taken only when the schema takes that value', () => {
    const fields = Object.keys(request) as (keyof typeof request)[];
    fc.assert(
      fc.property(fc.constantFrom(...fields), fc.jsonValue(), (field, value) => {
        const changed = { ...request, [field]: value };
        const isFine = jobRequestSchema.safeParse(JSON.parse(JSON.stringify(changed))).success;
        expect(codeOf(() => readJobRequest(JSON.stringify(changed), site)) === undefined).toBe(isFine);
      }),
      { numRuns: 150, seed },
    );
  });
});

describe('the size of a request', () => {
  it('is counted in bytes, as the process will have it', () => {
    expect(environmentBytes({ A: 'ä', BC: '' })).toBe(1 + 2 + 2 + 2 + 2);
    expect(commandBytes({ kind: 'argv', argv: ['ä', ''] })).toBe(4);
    expect(commandBytes({ kind: 'shell', text: 'true' })).toBe(5);
    expect(commandBytes({ kind: 'later' })).toBe(0);
  });

  it('may be 40 KiB of environment, and exactly the bound', () => {
    const withA = (bytes: number): object => ({ ...request, environment: { A: 'x'.repeat(bytes - 3) } });
    for (const bytes of [40 * 1024, mostEnvironmentBytes])
      expect(codeOf(() => readJobRequest(JSON.stringify(withA(bytes)), site))).toBeUndefined();
    expect(codeOf(() => readJobRequest(JSON.stringify(withA(mostEnvironmentBytes + 1)), site))).toBe('REQUEST_INVALID');
  });

  it.each([
    [
      'eight variables of 120 kB',
      { environment: Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`V${i}`, 'x'.repeat(120_000)])) },
      /variables of --env together have 937\.5 KiB, of which V0 has 117\.2 KiB; at most 64 KiB/,
    ],
    [
      'many small variables',
      { environment: Object.fromEntries(Array.from({ length: 9000 }, (_, i) => [`V${i}`, 'x'])) },
      /variables of --env together have/,
    ],
    [
      'a long command',
      { command: { kind: 'argv', argv: Array.from({ length: 4096 }, () => 'x'.repeat(40)) } },
      /The command has 164 KiB in all its words; at most 128 KiB/,
    ],
  ])('is refused with what is too large: %s', (_, more, message) => {
    expect(() => readJobRequest(JSON.stringify({ ...request, ...more }), site)).toThrow(
      expect.objectContaining({ code: 'REQUEST_INVALID', message: expect.stringMatching(message) as string }) as Error,
    );
    const { environment, command } = { ...request, ...more } as unknown as Parameters<typeof refuseOversized>[0];
    expect(codeOf(() => refuseOversized({ environment, command }))).toBe('REQUEST_INVALID');
  });

  it('holds for a command that comes later', async () => {
    const input = new PassThrough();
    const orders = receiveOrders(input, 10_000);
    orders.request.catch(() => undefined);
    const order = (environment: object): string =>
      `${JSON.stringify({ order: 'command', command: { kind: 'argv', argv: ['true'] }, environment, umask: 0o077 })}\n`;
    input.write(`{}\n${order({ A: 'x'.repeat(100_000) })}${order({ A: 'small' })}`);
    expect(await orders.lateCommand).toEqual({
      command: { kind: 'argv', argv: ['true'] },
      environment: { A: 'small' },
      umask: 0o077,
    });
    input.end();
    orders.close();
  });
});

describe('the plan of a job', () => {
  it('of 256 hosts with an environment of 40 KiB fits', () => {
    const { nodes, ...rest } = makePlan({ hosts: ['compute-100.rack-7.cluster.example'] });
    const plan = {
      ...rest,
      nodes: Array.from({ length: 256 }, () => nodes[0]!),
      environment: { A: 'x'.repeat(40 * 1024) },
    };
    expect(codeOf(() => refuseLargePlan(plan, JSON.stringify(plan)))).toBeUndefined();
  });

  it('that is too large is refused with its largest parts', () => {
    const environment = environmentSchema.parse(
      Object.fromEntries(Array.from({ length: 5 }, (_, index) => [`V${index}`, 'x'.repeat(120_000)])),
    );
    const plan = { ...makePlan(), environment };
    expect(JSON.stringify(plan).length).toBeGreaterThan(mostPlanBytes);
    expect(() => refuseLargePlan(plan, JSON.stringify(plan))).toThrow(
      /The plan of job 12 has 586\.\d KiB \(environment 586 KiB, 1 hosts \d+ bytes\); at most 512 KiB/,
    );
  });
});
