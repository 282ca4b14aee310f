/**
 * Makes the Debian package out of this tree: the same files below /opt/hpc-submit-dockerjob as an installation by npm has,
 * the commands and manual pages below /usr, systemd units, and scripts that call hpc-dockerjob-setup. The same tree gives the
 * same package, but for V8's cached data, which differ from build to build.
 * Usage: make-deb.ts DIRECTORY; prints the package's path.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');
const prefix = '/opt/hpc-submit-dockerjob';
const installed = `${prefix}/lib/node_modules/hpc-submit-dockerjob`;
/** By Node's names; the packages of Node itself are named so as well. */
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
const commands = ['hpc-submit-dockerjob', 'hpc_submit_dockerjob', 'hpc-dockerjob-helper', 'hpc-dockerjob-setup'];
const scripts = ['postinst', 'prerm', 'postrm'];

interface Manifest {
  readonly version: string;
  readonly description: string;
  readonly bin: Readonly<Record<string, string>>;
}

function run(file: string, ...argv: readonly string[]): string {
  return execFileSync(file, argv, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

const manifest = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as Manifest;
const architecture = architectures[process.arch] ?? fail(`There is no package for ${process.arch}.`);
const target = path.resolve(process.argv[2] ?? fail('Usage: make-deb.ts DIRECTORY'));
const stage = mkdtempSync(path.join(tmpdir(), 'hpcdj-deb-'));
try {
  const package_ = makePackage();
  process.stdout.write(`${package_}\n`);
} finally {
  rmSync(stage, { recursive: true, force: true });
}

function fail(reason: string): never {
  process.stderr.write(`make-deb: ${reason}\n`);
  process.exit(64);
}

function makePackage(): string {
  placeTree();
  placeBelowUsr();
  placeControl();
  const seconds = Number(process.env['SOURCE_DATE_EPOCH'] ?? run('git', 'log', '-1', '--format=%ct').trim());
  normalise(stage, seconds);
  mkdirSync(target, { recursive: true });
  const file = `${target}/hpc-submit-dockerjob_${manifest.version}_${architecture}.deb`;
  process.env['SOURCE_DATE_EPOCH'] = String(seconds);
  run('dpkg-deb', '--root-owner-group', '-Zgzip', '-z6', '--build', stage, file);
  return file;
}

/** As `npm install --global --prefix` leaves it. */
function placeTree(): void {
  const packed = mkdtempSync(path.join(tmpdir(), 'hpcdj-pack-'));
  try {
    run('npm', 'pack', '--ignore-scripts', '--silent', '--pack-destination', packed);
    const [tarball = ''] = readdirSync(packed);
    mkdirSync(`${stage}${installed}`, { recursive: true });
    run(
      'tar',
      '--extract',
      '--gzip',
      '--strip-components=1',
      `--directory=${stage}${installed}`,
      `--file=${packed}/${tarball}`,
    );
  } finally {
    rmSync(packed, { recursive: true, force: true });
  }
  const node = `node_modules/node-linux-${process.arch}`;
  for (const part of ['bin/node', 'LICENSE', 'package.json'])
    cpSync(`${root}/${node}/${part}`, `${stage}${installed}/${node}/${part}`);
  // The set-up finds by this that commands and manual pages are the package's.
  writeFileSync(`${stage}${installed}/share/packaged`, 'deb\n');
  mkdirSync(`${stage}${prefix}/bin`, { recursive: true });
  for (const name of commands)
    symlinkSync(
      `../lib/node_modules/hpc-submit-dockerjob/${manifest.bin[name] ?? ''}`,
      `${stage}${prefix}/bin/${name}`,
    );
}

function placeBelowUsr(): void {
  const place = (from: string, to: string): void => cpSync(from, `${stage}${to}`, { recursive: true });
  mkdirSync(`${stage}/usr/bin`, { recursive: true });
  for (const name of commands.slice(0, 2)) symlinkSync(`${prefix}/bin/${name}`, `${stage}/usr/bin/${name}`);
  for (const page of readdirSync(`${root}/dist/man`))
    place(`${root}/dist/man/${page}`, `/usr/share/man/man${page.at(-1) ?? ''}/${page}`);
  const completion = run(`${root}/bin/hpc-submit-dockerjob`, 'completion', 'bash');
  mkdirSync(`${stage}/usr/share/bash-completion/completions`, { recursive: true });
  writeFileSync(`${stage}/usr/share/bash-completion/completions/hpc-submit-dockerjob`, completion);
  place(`${root}/share/systemd`, '/usr/lib/systemd/system');
  place(`${root}/share/debian/logrotate`, '/etc/logrotate.d/hpc-submit-dockerjob');
  place(`${root}/LICENSE`, '/usr/share/doc/hpc-submit-dockerjob/copyright');
}

function placeControl(): void {
  const bytes = Number(run('du', '--summarize', '--bytes', stage).split('\t', 1)[0]);
  const fields = {
    Package: 'hpc-submit-dockerjob',
    Version: manifest.version,
    Architecture: architecture,
    Maintainer: 'The developers of hpc-submit-dockerjob <root@localhost>',
    Section: 'admin',
    Priority: 'optional',
    'Installed-Size': String(Math.ceil(bytes / 1024)),
    Depends: 'docker.io | docker-ce | moby-engine, sudo, iproute2, nftables, util-linux, procps, libc-bin',
    Suggests: 'slurmd, logrotate, bash-completion',
    Description: `parallel MPI jobs of a batch system in Docker containers\n ${manifest.description}`,
  };
  mkdirSync(`${stage}/DEBIAN`);
  const text = Object.entries(fields).map(([name, value]) => `${name}: ${value}\n`);
  writeFileSync(`${stage}/DEBIAN/control`, text.join(''));
  writeFileSync(`${stage}/DEBIAN/conffiles`, '/etc/logrotate.d/hpc-submit-dockerjob\n');
  for (const name of scripts) cpSync(`${root}/share/debian/${name}`, `${stage}/DEBIAN/${name}`);
}

/** Modes and times that do not depend on who has made the package, where and when. */
function normalise(place: string, seconds: number): void {
  const facts = lstatSync(place);
  if (facts.isDirectory()) for (const name of readdirSync(place)) normalise(`${place}/${name}`, seconds);
  if (!facts.isSymbolicLink()) chmodSync(place, facts.isDirectory() || (facts.mode & 0o100) !== 0 ? 0o755 : 0o644);
  lutimesSync(place, seconds, seconds);
}
