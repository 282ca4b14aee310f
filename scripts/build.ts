/**
 * Builds the programs into dist/, with the licences of all that is in them: per program a bundle, V8 cached data made by the very Node that will run it
 * (the version is pinned), and a boot file that puts the two together. Cached data that does not fit is ignored by V8.
 */
import { mkdir, rm, writeFile, readFile } from 'node:fs/promises';
import type { Metafile } from 'esbuild';
import { build } from 'esbuild';
import { execa } from 'execa';
import { bootText } from './boot-text.ts';
import { collectLicences } from './collect-licences.ts';
import { compileEtcdProto } from './esbuild-compile-etcd-proto.ts';
import { dropDockerExtras } from './esbuild-drop-docker-extras.ts';
import { dropGrpcExtras } from './esbuild-drop-grpc-extras.ts';
import { dropSshExtras } from './esbuild-drop-ssh-extras.ts';
import { dropZodLocales } from './esbuild-drop-zod-locales.ts';
import { keepApart } from './esbuild-keep-apart.ts';
import { writeManPages } from './man/write-man-pages.ts';
import { openRehearsalStage } from './rehearsal-stage.ts';

const programs = {
  middleware: 'src/cli.ts',
  helper: 'src/helper/helper-entry.ts',
  agent: 'src/discovery/agent-entry.ts',
  'ssh-client': 'src/discovery/ssh-client-entry.ts',
  enter: 'src/discovery/enter-entry.ts',
};

/** Parts that hardly any call needs: files of their own, so that the start of a job does not read them. */
const parts = {
  pki: 'src/pki/keep-certificates.ts',
  policy: 'src/middleware/policy/policy-verbs.ts',
  'disk-watch': 'src/helper/disk-watch-entry.ts',
};

const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
await rm('dist', { recursive: true, force: true });
await mkdir('dist');
const usual = {
  bundle: true,
  platform: 'node',
  // As require: Node warns of a dynamic import in a script that comes out of cached data.
  supported: { 'dynamic-import': false },
  target: 'node24',
  format: 'cjs',
  // All licence texts are in one file.
  legalComments: 'none',
  metafile: true,
  // Names stay readable in stack traces; the rest is read and hashed at every start.
  minifyWhitespace: true,
  minifySyntax: true,
  logLevel: 'warning',
  define: { 'process.env.HPCDJ_VERSION': JSON.stringify(version) },
} as const;
/** Seconds on a usual machine; an emulated one needs minutes. */
const rehearsalTimeoutMs = 300_000;
const metafiles: Metafile[] = [];
await using stage = await openRehearsalStage();
for (const [name, entry] of Object.entries(programs)) {
  const { metafile } = await build({
    entryPoints: [entry],
    outfile: `dist/${name}.bundle.cjs`,
    ...usual,
    // Optional native add-ons: never built, never needed.
    external: ['cpu-features', './crypto/build/Release/sshcrypto.node'],
    plugins: [
      keepApart(parts),
      compileEtcdProto(),
      dropGrpcExtras(),
      dropDockerExtras(),
      dropSshExtras(),
      dropZodLocales(),
    ],
  });
  metafiles.push(metafile);
  await writeFile(`dist/${name}.cjs`, bootText(name));
  // `--version` runs the start-up path, and agent and helper rehearse a job's start, so that the cached data holds the
  // functions that every start needs. The servers of the rehearsal live in this process: it must not block.
  const run = await execa(process.execPath, [`dist/${name}.cjs`, '--version'], {
    env: { HPCDJ_BUILD_CACHE: '1', ...(name === 'helper' ? { HPCDJ_REHEARSAL: JSON.stringify(stage.places) } : {}) },
    extendEnv: false,
    reject: false,
    timeout: rehearsalTimeoutMs,
  });
  if (run.failed)
    throw new Error(`dist/${name}.cjs --version ${run.timedOut ? 'took too long' : 'failed'}:\n${run.stderr}`);
}
for (const [name, entry] of Object.entries(parts)) {
  const { metafile } = await build({
    ...usual,
    entryPoints: [entry],
    outfile: `dist/${name}.cjs`,
    plugins: [dropDockerExtras(), dropZodLocales()],
  });
  metafiles.push(metafile);
}
await mkdir('dist/man');
for (const [file, text] of Object.entries(writeManPages(version))) await writeFile(`dist/man/${file}`, text);
await writeFile('dist/THIRD-PARTY-LICENSES', await collectLicences(metafiles));
