import type { JobKey } from './job-key.ts';
import { nodeKeyName } from './job-key.ts';

/**
 * Every key that this project keeps in etcd. Operators read these: the layout is a public contract.
 * `prefix` is the site's optional key prefix ("" or "/clusterA"), the same in every function.
 */

/** A half-open range of keys, `start` included and `end` excluded, ordered by byte. */
export interface KeyRange {
  readonly start: string;
  readonly end: string;
}

/** Values that belong to the whole job. Their names begin with a capital, which `controlRange` relies on. */
export type JobField =
  'FINISH' | 'EXITCODE' | 'REASON' | 'PLAN' | 'ROSTER' | 'START' | 'SIGNAL' | 'WANTED' | 'RUN' | 'KEEPER';

/** Values that one node's helper writes. */
export type NodeField =
  'IP' | 'SSHPUBKEY' | 'READY' | 'HOST' | 'CLAIM' | 'HOSTKEY' | 'PHASE' | 'FETCHED' | 'USAGE' | 'ERROR';

/** `/772/FINISH` */
export function jobFieldKey(prefix: string, job: JobKey, field: JobField): string {
  return `${prefix}/${job}/${field}`;
}

/** `/772/772_node_0/IP` */
export function nodeFieldKey(prefix: string, job: JobKey, index: number, field: NodeField): string {
  return `${prefix}/${job}/${nodeKeyName(job, index)}/${field}`;
}

/** All keys of a job. */
export function jobRange(prefix: string, job: JobKey): KeyRange {
  return { start: `${prefix}/${job}/`, end: `${prefix}/${job}0` }; // '0' follows '/'
}

/**
 * The job's own fields without its nodes' keys: node names begin with a digit, fields with a capital.
 * So a node can watch what concerns it at a cost that does not grow with the number of nodes.
 */
export function controlRange(prefix: string, job: JobKey): KeyRange {
  return { start: `${prefix}/${job}/A`, end: `${prefix}/${job}/[` }; // '[' follows 'Z'
}

/** All keys of all nodes of a job. */
export function nodesRange(prefix: string, job: JobKey): KeyRange {
  return { start: `${prefix}/${job}/${job}_node_`, end: `${prefix}/${job}/${job}_node\`` }; // '`' follows '_'
}

/** All keys of one node of a job. */
export function nodeRange(prefix: string, job: JobKey, index: number): KeyRange {
  const root = `${prefix}/${job}/${nodeKeyName(job, index)}`;
  return { start: `${root}/`, end: `${root}0` };
}

/** `/.site/subnets/10.128.4.0_24`: who holds a subnet. No lease: freed only when its network is gone everywhere. */
export function subnetKey(prefix: string, cidr: string): string {
  return `${prefix}/.site/subnets/${cidr.replace('/', '_')}`;
}

/** `/.site/probe/<random>`: by which `doctor` proves that the store takes a write. Under a lease, and gone a moment later. */
export function probeKey(prefix: string, token: string): string {
  return `${prefix}/.site/probe/${token}`;
}

/** All subnet claims of the site. */
export function subnetsRange(prefix: string): KeyRange {
  return { start: `${prefix}/.site/subnets/`, end: `${prefix}/.site/subnets0` };
}

/** `/.site/earlier-runs/<token>`: a run of a job whose place a later one has taken, and the hosts that are not clean of it. */
export function earlierRunKey(prefix: string, token: string): string {
  return `${prefix}/.site/earlier-runs/${token}`;
}

/** All of these. */
export function earlierRunsRange(prefix: string): KeyRange {
  return { start: `${prefix}/.site/earlier-runs/`, end: `${prefix}/.site/earlier-runs0` };
}

/** All keys of the site. */
export function siteRange(prefix: string): KeyRange {
  return { start: `${prefix}/`, end: `${prefix}0` };
}

/** The range that holds exactly one key. */
export function keyOnly(key: string): KeyRange {
  return { start: key, end: `${key}\0` };
}

/** True when `key` lies in `range`. */
export function isInRange(range: KeyRange, key: string): boolean {
  return key >= range.start && key < range.end;
}
