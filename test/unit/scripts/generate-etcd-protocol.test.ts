import { createRequire } from 'node:module';
import path from 'node:path';
import { runInThisContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { generateEtcdProtocol } from '../../../scripts/generate-etcd-protocol.ts';
import type { Protobufjs } from '../../../scripts/generate-etcd-protocol.ts';

interface Method {
  readonly path: string;
  readonly originalName: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (value: object) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => object;
  readonly responseSerialize: (value: object) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => object;
}
type Protocol = Readonly<Record<string, Readonly<Record<string, Method>>>>;

const fromEtcd3 = createRequire(createRequire(import.meta.url).resolve('etcd3'));
const fromLoader = createRequire(fromEtcd3.resolve('@grpc/proto-loader'));
const protoDirectory = path.join(path.dirname(fromEtcd3.resolve('etcd3')), '../proto');
const options = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true };

const loader = fromEtcd3('@grpc/proto-loader') as { loadSync(file: string, options: object): Protocol };
const loaded = loader.loadSync(`${protoDirectory}/rpc.proto`, options);
const generated = evaluate(generateEtcdProtocol(fromLoader('protobufjs') as Protobufjs, protoDirectory))(options);

function evaluate(text: string): (options: object) => Protocol {
  const module = { exports: {} };
  const run = runInThisContext(`(module, require) => {${text}}`) as (module: object, require: unknown) => void;
  run(module, fromLoader);
  return module.exports as (options: object) => Protocol;
}

/** More than a double can hold: what a lease id may be. */
const leaseId = '7587869584950321167';
const key = Buffer.from('/772/PLAN');

/** Requests and answers with every kind of field that the adapter sets or reads. */
const requests: Readonly<Record<string, object>> = {
  'KV.Range': { key, range_end: Buffer.from('0') },
  'KV.Txn': {
    compare: [
      { key, target: 'Create', result: 'Equal', create_revision: 0 },
      { key, target: 3, result: 0, value: Buffer.from('FALSE') },
    ],
    success: [
      { request_delete_range: { key, range_end: Buffer.from([0]) } },
      { request_put: { key, value: Buffer.from('é'), lease: leaseId } },
    ],
    failure: [],
  },
  'Lease.LeaseGrant': { TTL: 20 },
  'Lease.LeaseRevoke': { ID: leaseId },
  'Lease.LeaseKeepAlive': { ID: leaseId },
  'Watch.Watch': { create_request: { key, range_end: Buffer.from('0') } },
};
const answers: Readonly<Record<string, object>> = {
  'KV.Range': { count: '2', kvs: [{ key, value: Buffer.from('x'), mod_revision: leaseId, lease: leaseId }] },
  'KV.Txn': { succeeded: true, responses: [{ response_put: { header: { revision: leaseId } } }] },
  'Lease.LeaseGrant': { ID: leaseId, TTL: '20' },
  'Lease.LeaseRevoke': {},
  'Lease.LeaseKeepAlive': { ID: leaseId, TTL: '0' },
  'Watch.Watch': { created: true, watch_id: '1', events: [{ type: 'DELETE', kv: { key } }] },
};

function method(protocol: Protocol, name: string): Method {
  const [service = '', member = ''] = name.split('.');
  const found = protocol[`etcdserverpb.${service}`]?.[member];
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

describe("etcd's protocol as the build compiles it", () => {
  it.each(Object.keys(requests))('has the bytes of %s that @grpc/proto-loader makes', (name) => {
    const [ours, theirs] = [method(generated, name), method(loaded, name)];
    const bytes = theirs.requestSerialize(requests[name] ?? {});
    expect(ours.requestSerialize(requests[name] ?? {})).toEqual(bytes);
    expect(ours.requestDeserialize(bytes)).toEqual(theirs.requestDeserialize(bytes));
    const answer = theirs.responseSerialize(answers[name] ?? {});
    expect(ours.responseSerialize(answers[name] ?? {})).toEqual(answer);
    expect(ours.responseDeserialize(answer)).toEqual(theirs.responseDeserialize(answer));
  });

  it('keeps ids whole that no double can hold', () => {
    const { responseSerialize, responseDeserialize } = method(generated, 'Lease.LeaseGrant');
    expect(responseDeserialize(responseSerialize({ ID: leaseId }))).toMatchObject({ ID: leaseId });
  });

  it('describes each method as @grpc/proto-loader does', () => {
    for (const [service, methods] of Object.entries(generated)) {
      for (const [name, ours] of Object.entries(methods)) {
        const { path: route, originalName, requestStream, responseStream } = loaded[service]?.[name] ?? ours;
        expect(loaded[service]).toHaveProperty(name);
        expect(ours).toMatchObject({ path: route, originalName, requestStream, responseStream });
      }
    }
  });
});
