import { expect, it } from 'vitest';
import { heldBy } from '../../../src/helper/release/end-tracers.ts';

const status = (fields: Readonly<Record<string, string>>): string =>
  Object.entries({
    ...{ Name: 'sh\\nTracerPid:\\t9', State: 'Z (zombie)', Pid: '713', TracerPid: '729' },
    ...{ Uid: '2001\t2001\t2001\t2001', NSpid: '713\t18', ...fields },
  })
    .map(([name, value]) => `${name}:\t${value}\n`)
    .join('');

it.each([
  ['dead and traced in a container', {}, { pid: 713, tracer: 729, uid: 2001 }],
  ['alive', { State: 't (tracing stop)' }, undefined],
  ['dead and not traced', { TracerPid: '0' }, undefined],
  ['of the host’s own PID name space', { NSpid: '713' }, undefined],
  ['root’s', { Uid: '0\t0\t0\t0' }, undefined],
])('a process that is %s', (_, fields, held) => expect(heldBy(status(fields))).toEqual(held));

it('nothing is held by a process that is gone', () => expect(heldBy('')).toBeUndefined());
