import { mkdir, mkdtemp, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { findTargetFaults } from '../../../src/docker/find-target-faults.ts';
import type { ImageEntry } from '../../../src/docker/read-image-files.ts';
import type { ImageMountPlace } from '../../../src/ports/container-engine.ts';

/** An image as paths: a text is a link's, undefined a directory. Parents that are not named are directories. */
type Tree = Readonly<Record<string, string | undefined>>;

const file = '(file)';

function filesOf(tree: Tree): { lookAt: (path: string) => Promise<ImageEntry | undefined> } {
  const lookAt = (at: string): ImageEntry | undefined => {
    const found = tree[at];
    if (found === file) return { kind: 'file' };
    if (found !== undefined) return { kind: 'link', target: found };
    const isThere = Object.keys(tree).some((known) => known === at || known.startsWith(`${at}/`));
    return isThere ? { kind: 'directory' } : undefined;
  };
  return { lookAt: (at) => Promise.resolve(lookAt(at)) };
}

const directories = (owner: ImageMountPlace['owner'], isFresh: boolean, targets: readonly string[]) =>
  targets.map((target): ImageMountPlace => ({ target, kind: 'directory', owner, isFresh }));

const usual: readonly ImageMountPlace[] = [
  ...directories('engine', false, ['/proc', '/sys', '/dev']),
  ...directories('ours', false, ['/.hpcdj/runtime', '/.hpcdj/helper', '/.hpcdj/private']),
  ...directories('ours', true, ['/tmp']),
  ...['/etc/passwd', '/etc/group', '/sbin/docker-init'].map((target): ImageMountPlace => ({
    target,
    kind: 'file',
    owner: 'ours',
    isFresh: false,
  })),
];

async function ask(tree: Tree, site: readonly string[] = ['/scratch'], volumes: readonly string[] = []) {
  const places = [...usual, ...directories('site', false, site), ...directories('image', true, volumes)];
  return (await findTargetFaults(filesOf(tree), places)).join('; ');
}

describe('an image is fine when it', () => {
  it.each<[string, Tree, string[]?, string[]?]>([
    ['has nothing', {}],
    [
      'has all that will be mounted over',
      { '/.hpcdj/runtime': undefined, '/scratch/x': undefined, '/etc/passwd': file },
    ],
    ['has its programs elsewhere', { '/sbin': 'usr/sbin', '/usr/sbin/init': file }],
    ['leads a mount to where nothing else is', { '/scratch': 'data/s', '/home': '/data/h' }, ['/scratch', '/home']],
    ['leads a mount and one of ours to places side by side', { '/scratch': '/x/a', '/.hpcdj': '/x/b' }],
    ['declares a volume around a mount of the site', {}, ['/data/site'], ['/data']],
    ['declares volumes in each other, and in /tmp', {}, ['/scratch'], ['/data', '/data/in', '/tmp/x']],
    ['is what the site has made nested, and leaves it so', {}, ['/tools', '/tools/new']],
  ])('%s', async (_, tree, site, volumes) => {
    expect(await ask(tree, site, volumes)).toBe('');
  });
});

describe('an image is refused when it', () => {
  it.each<[string, Tree, string, string[]?, string[]?]>([
    [
      'leads a mount to where ours leads as well',
      { '/scratch': '/.x', '/.hpcdj': '/.x/alice/d' },
      '/.hpcdj/runtime leads into /.x, where /scratch comes to lie',
    ],
    [
      'does so by relative links and a chain',
      { '/a/b/l': '../../c/./up', '/c/up': '../a/.', '/scratch': 'a/b/l', '/.hpcdj': 'a/x' },
      '/.hpcdj/runtime leads into /a, where /scratch comes to lie',
    ],
    [
      'leads ours through a mount and out again',
      { '/scratch/a': '/r', '/r': undefined, '/.hpcdj': '/scratch/a' },
      '/.hpcdj/runtime leads into /scratch, which is mounted from outside',
    ],
    [
      'does so by "..", where a link of a user could stand',
      { '/.hpcdj': '/scratch/alice/../../r' },
      '/.hpcdj/runtime leads into /scratch',
    ],
    ['leads one mount over another', { '/scratch': 'home' }, '/scratch leads into /home', ['/scratch', '/home']],
    ['leads one into another', { '/scratch': 'home/x' }, '/scratch leads into /home', ['/scratch', '/home']],
    ['leads one above another', { '/opt/s': '/home' }, '/home/x lies in /home', ['/opt/s', '/home/x']],
    ['leads both to one place', { '/a': '/z', '/b': '/z' }, '/a leads into /z', ['/a', '/b']],
    ['leads a mount to its root', { '/scratch': '/' }, '/scratch leads to the root of the image'],
    ['leads it there by "..', { '/scratch': 'x/../..' }, '/scratch leads to the root of the image'],
    ['leads a mount over our files', { '/scratch': '/etc' }, '/etc/passwd lies in /etc, where /scratch comes to lie'],
    ['leads a mount above ours', { '/scratch': '/.hpcdj' }, '/.hpcdj/runtime lies in /.hpcdj, where /scratch'],
    ['leads a mount into ours', { '/scratch': '/.hpcdj/runtime/lib' }, '/scratch leads into /.hpcdj/runtime'],
    ['leads ours over each other', { '/.hpcdj/private': 'runtime/x' }, '/.hpcdj/private leads into /.hpcdj/runtime'],
    ['leads our files to each other', { '/etc/group': 'passwd' }, '/etc/group leads into /etc/passwd'],
    ['leads a file into the kernel’s', { '/etc/passwd': '/proc/1/environ' }, '/etc/passwd leads into /proc'],
    ['leads ours to shared memory', { '/.hpcdj': '/dev/shm' }, '/.hpcdj/runtime leads into /dev'],
    ['leads ours to /tmp', { '/.hpcdj': '/tmp' }, '/.hpcdj/runtime leads into /tmp'],
    ['leads /tmp to a mount', { '/tmp': '/scratch/alice' }, '/tmp leads into /scratch'],
    ['leads the engine’s own there', { '/sbin': 'scratch/bin' }, '/sbin/docker-init leads into /scratch'],
    ['has links in a circle', { '/scratch': '/b', '/b': 'scratch' }, '/scratch leads through too many links'],
    ['has a file for a directory', { '/scratch': file }, 'its /scratch is no directory, and cannot be mounted over'],
    ['has one behind a link', { '/scratch': 'f', '/f': file }, 'its /scratch (/f) is no directory'],
    ['has a file above', { '/.hpcdj': file }, 'its /.hpcdj is no directory, which /.hpcdj/runtime needs'],
    ['has a directory for a file', { '/etc/passwd/x': file }, 'its /etc/passwd is no plain file'],
    ['declares a volume in ours', {}, 'its volume /.hpcdj/runtime/lib lies in', [], ['/.hpcdj/runtime/lib']],
    ['declares ours', {}, 'its volume /.hpcdj/runtime lies in /.hpcdj/runtime', [], ['/.hpcdj/runtime']],
    ['declares what is above ours', {}, '/.hpcdj/runtime lies in /.hpcdj, which it declares', [], ['/.hpcdj']],
    ['declares what is above our files', {}, '/etc/passwd lies in /etc, which it declares', [], ['/etc']],
    ['declares the engine’s', {}, 'its volume /dev/shm lies in /dev', [], ['/dev/shm']],
    ['declares a volume in a mount', {}, 'its volume /scratch/b lies in /scratch', ['/scratch'], ['/scratch/b']],
    ['leads one there', { '/d': '/scratch/b' }, 'its volume /d/x leads into /scratch', ['/scratch'], ['/d/x']],
    ['leads one there from /tmp', { '/tmp/d': '/scratch/b' }, 'volume /tmp/d leads into', ['/scratch'], ['/tmp/d']],
    [
      'leads one there from another volume',
      { '/data/d': '/scratch/b' },
      'volume /data/d/x leads into',
      ['/scratch'],
      ['/data', '/data/d/x'],
    ],
    [
      'leads a volume above a mount of the site',
      { '/v': '/scratch' },
      '/scratch/in lies in /scratch, where volume /v comes to lie',
      ['/scratch/in'],
      ['/v'],
    ],
  ])('%s', async (_, tree, fault, site, volumes) => {
    expect(await ask(tree, site, volumes)).toContain(fault);
  });
});

/** Many small images of few names, each also as a real directory: the kernel's word is what counts. */
describe('whatever links an image has', () => {
  const names = ['a', 'b', 'c'];
  /** A small generator with a seed, so that a failure can be seen again. */
  const roll = (seed: number): ((below: number) => number) => {
    let state = seed;
    return (below) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
  };
  const randomTree = (dice: (below: number) => number): Map<string, string | undefined> => {
    const tree = new Map<string, string | undefined>();
    const word = (): string => names[dice(names.length)]!;
    for (let made = 0; made < 5; made++) {
      const parent = dice(2) === 0 ? '' : `/${word()}`;
      if (tree.get(parent) !== undefined) continue;
      const at = `${parent}/${word()}`;
      if (tree.has(at) || [...tree.keys()].some((known) => known.startsWith(`${at}/`))) continue;
      if (parent !== '') tree.set(parent, undefined);
      const text = [word(), `../${word()}`, `${word()}/${word()}`, `${word()}/../${word()}`][dice(4)]!;
      tree.set(at, dice(3) === 0 ? undefined : text);
    }
    return tree;
  };

  it('lets no target pass that the kernel would find in another mount', async () => {
    const root = await mkdtemp(path.join(tmpdir(), 'hpcdj-tree-'));
    let refused = 0;
    let passed = 0;
    try {
      for (let seed = 1; seed <= 400; seed++) {
        const dice = roll(seed);
        const tree = randomTree(dice);
        const pick = (): string => (dice(2) === 0 ? `/${names[dice(3)]!}` : `/${names[dice(3)]!}/${names[dice(3)]!}`);
        const [outer, inner] = [pick(), pick()];
        if (outer === inner || inner.startsWith(`${outer}/`) || outer.startsWith(`${inner}/`)) continue;
        const faults = await findTargetFaults(
          filesOf(Object.fromEntries(tree)),
          directories('site', false, [outer, inner]),
        );
        if (faults.length > 0) {
          refused++;
          continue;
        }
        passed++;
        const base = path.join(root, String(seed));
        await mkdir(base);
        for (const [at, text] of tree) {
          await mkdir(path.dirname(base + at), { recursive: true });
          await (text === undefined ? mkdir(base + at, { recursive: true }) : symlink(text, base + at));
        }
        const [first, second] = [await landingOf(base, outer), await landingOf(base, inner)];
        const isApart = !`${second}/`.startsWith(`${first}/`) && !`${first}/`.startsWith(`${second}/`);
        expect({ seed, isApart, first, second }).toMatchObject({ isApart: true });
      }
    } finally {
      await rm(root, { recursive: true, force: true });
    }
    expect(Math.min(refused, passed)).toBeGreaterThan(30); // both were looked at
  });

  /** As the kernel resolves it: the longest part that is there, with the rest behind it. Links are relative here. */
  async function landingOf(base: string, target: string): Promise<string> {
    const parent = path.dirname(target);
    const above = parent === '/' ? base : await landingOf(base, parent);
    return await realpath(path.join(above, path.basename(target))).catch(() => path.join(above, path.basename(target)));
  }
});
