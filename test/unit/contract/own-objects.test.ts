import { describe, expect, it } from 'vitest';
import { isOwnContainer } from '../../../src/contract/own-objects.ts';

const bind = { type: 'bind', source: '/run/hpc-dockerjob/772_3/node-0/helper', target: '/.hpcdj/helper' };
const mark = { type: 'tmpfs', source: '', target: '/.hpcdj/looked-at' };
const own = { name: 'hpcdj-772-3-node-0', labels: { 'hpcdj.job': '772_3', 'hpcdj.node': '0' }, mounts: [bind] };

describe('a container', () => {
  it.each([
    ['of a node', own],
    ['through which its image is looked at', { ...own, name: 'hpcdj-772-3-node-0-image', mounts: [mark] }],
  ])('is ours: %s', (_, marks) => {
    expect(isOwnContainer(marks)).toBe(true);
  });

  it.each([
    ['with the labels alone, which an image brings', { name: 'happy_curie', mounts: [] }],
    ['with our mount under another name', { name: 'happy_curie' }],
    ['with the name alone', { labels: {} }],
    ['with name and labels alone', { mounts: [] }],
    ['with labels of another job', { labels: { 'hpcdj.job': '772', 'hpcdj.node': '0' } }],
    ['with labels of another node', { labels: { 'hpcdj.job': '772_3', 'hpcdj.node': '1' } }],
    ['with a number that is another text', { labels: { 'hpcdj.job': '772_3', 'hpcdj.node': '00' } }],
    ['with the directory of another node', { mounts: [{ ...bind, source: bind.source.replace('node-0', 'node-1') }] }],
    ['with the directory of another job', { mounts: [{ ...bind, source: bind.source.replace('772_3', '772') }] }],
    ['with a directory of the like elsewhere', { mounts: [{ ...bind, source: `/tmp${bind.source}` }] }],
    ['with our directory at another place', { mounts: [{ ...bind, target: '/mnt' }] }],
    ['with a volume that an image declares there', { mounts: [{ ...bind, type: 'volume', source: '' }] }],
    ['with a volume in place of the mark', { name: `${own.name}-image`, mounts: [{ ...mark, type: 'volume' }] }],
    ['that looks like a node and has the mark', { mounts: [mark] }],
  ])('is none of ours: %s', (_, changes) => {
    expect(isOwnContainer({ ...own, ...changes })).toBe(false);
  });
});
