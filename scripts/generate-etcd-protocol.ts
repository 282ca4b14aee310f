/**
 * Makes a module of etcd's protocol with the code generators of protobufjs, the same that it runs at run time. The module
 * exports a function that takes the options of @grpc/proto-loader and returns what its `loadSync` would: the methods of
 * each service with their serializers.
 */
import path from 'node:path';

/** The part of protobufjs that is used here; it comes with etcd3. */
export interface Protobufjs {
  readonly Root: new () => Root;
  readonly Type: { readonly generateConstructor: Generator };
  readonly encoder: Generator;
  readonly decoder: Generator;
  readonly converter: { readonly fromObject: Generator; readonly toObject: Generator };
}

/** Makes a function for one message. */
type Generator = (type: MessageType) => { readonly toString: () => string };

interface Root {
  resolvePath: (origin: string, target: string) => string;
  loadSync(file: string, options: { readonly keepCase: boolean }): Root;
  resolveAll(): Root;
  lookupService(name: string): Service;
}

interface Service {
  readonly methods: Readonly<Record<string, Method>>;
}

interface Method {
  readonly name: string;
  readonly requestStream?: boolean;
  readonly responseStream?: boolean;
  readonly resolvedRequestType: MessageType;
  readonly resolvedResponseType: MessageType;
}

interface MessageType {
  readonly name: string;
  readonly fieldsArray: readonly { readonly resolvedType: MessageType | EnumType | null }[];
}

interface EnumType {
  readonly values: Readonly<Record<string, number>>;
  readonly valuesById: Readonly<Record<number, string>>;
}

/** What src/etcd calls; the other services and methods would be read at every start. */
const usedMethods: Readonly<Record<string, readonly string[]>> = {
  'etcdserverpb.KV': ['Range', 'Txn'],
  'etcdserverpb.Watch': ['Watch'],
  'etcdserverpb.Lease': ['LeaseGrant', 'LeaseRevoke', 'LeaseKeepAlive'],
  'etcdserverpb.Maintenance': ['Alarm', 'Status'],
};

/** Text of a CommonJS module, for the protocol in `directory`. */
export function generateEtcdProtocol(protobufjs: Protobufjs, directory: string): string {
  const root = new protobufjs.Root();
  root.resolvePath = (_origin, target) => path.resolve(directory, target);
  root.loadSync('rpc.proto', { keepCase: true }).resolveAll();
  const numbers = new Map<MessageType, number>();
  const definitions: string[] = [];
  for (const [name, used] of Object.entries(usedMethods)) {
    const methods = used.map((methodName) => {
      const method = root.lookupService(name).methods[methodName];
      if (method === undefined) throw new Error(`etcd3 brings another protocol than expected: no ${methodName}.`);
      for (const type of [method.resolvedRequestType, method.resolvedResponseType]) numberTypes(type, numbers);
      return methodText(name, method, numbers);
    });
    definitions.push(`${JSON.stringify(name)}: {${methods.join(',')}}`);
  }
  return [
    `const { Reader, Writer, util } = require('protobufjs/minimal');`,
    // Lease ids have 63 bits.
    `if (!util.Long) throw new Error('protobufjs has no Long');`,
    `const all = [];`,
    ...[...numbers].map(([type, number]) => typeText(protobufjs, type, number, numbers)),
    `const method = (path, originalName, request, response, requestStream, responseStream, options) => ({`,
    `  path, originalName, requestStream, responseStream,`,
    `  requestSerialize: (value) => request.encode(request.fromObject(value)).finish(),`,
    `  requestDeserialize: (bytes) => request.toObject(request.decode(bytes), options),`,
    `  responseSerialize: (value) => response.encode(response.fromObject(value)).finish(),`,
    `  responseDeserialize: (bytes) => response.toObject(response.decode(bytes), options),`,
    `});`,
    `module.exports = (options) => ({${definitions.join(',\n')}});`,
  ].join('\n');
}

/** Numbers the message and all that it holds. */
function numberTypes(type: MessageType, numbers: Map<MessageType, number>): void {
  if (numbers.has(type)) return;
  numbers.set(type, numbers.size);
  for (const { resolvedType } of type.fieldsArray)
    if (resolvedType !== null && !isEnum(resolvedType)) numberTypes(resolvedType, numbers);
}

function isEnum(type: MessageType | EnumType): type is EnumType {
  return 'valuesById' in type;
}

/** One message: `types` is what the generated functions call their fields' types by; filled last, since types are recursive. */
function typeText(
  protobufjs: Protobufjs,
  type: MessageType,
  number: number,
  numbers: ReadonlyMap<MessageType, number>,
): string {
  const fields = type.fieldsArray.map(({ resolvedType }) => {
    if (resolvedType === null) return 'null';
    if (!isEnum(resolvedType)) return `get ${String(numbers.get(resolvedType))}`;
    const { valuesById, values } = resolvedType;
    return `{values: Object.assign(Object.create(${JSON.stringify(valuesById)}), ${JSON.stringify(values)})}`;
  });
  const types = fields.map((field, index) =>
    field.startsWith('get ') ? `get ${index}() { return all[${field.slice(4)}]; }` : `${index}: ${field}`,
  );
  return [
    `all[${number}] = (() => {`,
    `const types = {${types.join(', ')}};`,
    `return {`,
    `ctor: ${protobufjs.Type.generateConstructor(type).toString()},`,
    `encode: ${protobufjs.encoder(type).toString()},`,
    `decode: ${protobufjs.decoder(type).toString()},`,
    `fromObject: ${protobufjs.converter.fromObject(type).toString()},`,
    `toObject: ${protobufjs.converter.toObject(type).toString()},`,
    `};`,
    `})();`,
  ].join('\n');
}

function methodText(service: string, method: Method, numbers: ReadonlyMap<MessageType, number>): string {
  const originalName = `${method.name.charAt(0).toLowerCase()}${method.name.slice(1)}`;
  const type = (message: MessageType): string => `all[${String(numbers.get(message))}]`;
  const values = [
    JSON.stringify(`/${service}/${method.name}`),
    JSON.stringify(originalName),
    type(method.resolvedRequestType),
    type(method.resolvedResponseType),
    String(method.requestStream === true),
    String(method.responseStream === true),
    'options',
  ];
  return `${method.name}: method(${values.join(', ')})`;
}
