import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Plugin } from 'esbuild';

const importer = 'etcd3/lib/connection-pool.js';
const loadCall = '(0, proto_loader_1.loadSync)(`${__dirname}/../proto/rpc.proto`,';
const inlinedCall = '(0, proto_loader_1.fromJSON)(require("inlined:etcd-proto"),';

/** The part of protobufjs that is used here; it comes with etcd3. */
interface ProtobufModule {
  readonly Root: new () => {
    resolvePath: (origin: string, target: string) => string;
    loadSync(file: string, options: { readonly keepCase: boolean }): { toJSON(): object };
  };
}

/**
 * Puts etcd's protocol into the bundle, already parsed. As it comes, etcd3 reads `../proto/rpc.proto` from its own
 * directory at run time, which a bundle does not have; parsing it takes a good part of etcd3's start, too.
 */
export function inlineEtcdProto(): Plugin {
  return {
    name: 'inline-etcd-proto',
    setup(build) {
      build.onLoad({ namespace: 'file', filter: /etcd3[\\/]lib[\\/]connection-pool\.js$/ }, async ({ path: file }) => {
        const source = await readFile(file, 'utf8');
        const contents = source.replace(loadCall, inlinedCall);
        // Another release of etcd3: better no bundle than one that fails at its first call.
        if (contents === source)
          throw new Error(`${importer} does not load its protocol as expected: adapt ${import.meta.filename}.`);
        return { contents, loader: 'js', resolveDir: path.dirname(file) };
      });
      build.onResolve({ filter: /^inlined:etcd-proto$/ }, ({ importer: file }) => ({
        path: file,
        namespace: 'etcd-proto',
      }));
      build.onLoad({ filter: /.*/, namespace: 'etcd-proto' }, ({ path: file }) => ({
        contents: JSON.stringify(parseProto(file)),
        loader: 'json',
      }));
    },
  };
}

/** The protocol as protobufjs describes it, with field names as they are written. */
function parseProto(poolFile: string): object {
  // Neither package is ours: they are found the way etcd3 finds them.
  const fromEtcd = createRequire(poolFile);
  const fromLoader = createRequire(fromEtcd.resolve('@grpc/proto-loader'));
  const { Root } = fromLoader('protobufjs') as ProtobufModule;
  const directory = path.join(path.dirname(poolFile), '../proto');
  const root = new Root();
  root.resolvePath = (_origin, target) => path.resolve(directory, target);
  return keepUsedServices(root.loadSync('rpc.proto', { keepCase: true }).toJSON());
}

/** What src/etcd calls is KV, Watch and Lease; the messages of the other services cost time at every start. */
const unusedNames = /^(?:Auth|Cluster|Maintenance|Member|Alarm|Status|Defragment|Hash|Snapshot|MoveLeader)/;

function keepUsedServices(protocol: object): object {
  const { nested } = protocol as { readonly nested: Record<string, { nested: Record<string, unknown> }> };
  const { etcdserverpb, authpb: _authpb, ...others } = nested;
  if (etcdserverpb === undefined) throw new Error('etcd3 brings another protocol than expected.');
  const used = Object.entries(etcdserverpb.nested).filter(([name]) => !unusedNames.test(name));
  return { ...protocol, nested: { ...others, etcdserverpb: { ...etcdserverpb, nested: Object.fromEntries(used) } } };
}
