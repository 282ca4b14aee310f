import '../system/configure-zod.ts';
import * as z from 'zod';
import { defaultSitePath, loadSite } from '../config/load-site.ts';
import { outliveReaders } from '../system/flush-output.ts';
import { parseJsonAs } from '../values/parse-json-as.ts';
import { openAudit } from './audit/open-audit.ts';
import type { AbandonedContainer, AbandonedLayer } from './node/take-over-watch.ts';
import { abandonedContainerSchema, abandonedLayerSchema, takeOverWatch } from './node/take-over-watch.ts';

const watchedSchema = z.union([abandonedLayerSchema, abandonedContainerSchema]);
const usualSocket = '/var/run/docker.sock';

/** Started by share/guard-disk-watch, with what to watch as its only word. */
async function run(): Promise<void> {
  outliveReaders(process.stdout, process.stderr);
  const watched = parseJsonAs(watchedSchema, process.argv[2] ?? '');
  const site = await loadSite(defaultSitePath, { mustBeTrusted: true }).catch(() => undefined);
  const socketPath = site?.docker.socket ?? usualSocket;
  const layer = 'pid' in watched ? watched : await findByEngine(watched, socketPath);
  if (layer === undefined) return;
  const destination = site?.audit ?? { file: '', required: false };
  const audit = openAudit(destination, { uid: layer.uid, verb: 'watch-disk', job: layer.job });
  await takeOverWatch(layer, audit, (error) => process.stdout.write(`${JSON.stringify(error)}\n`));
  await audit.flush();
}

/** Hardly ever needed: a run-node was stopped before it had told more. */
async function findByEngine(watched: AbandonedContainer, socketPath: string): Promise<AbandonedLayer | undefined> {
  const { connectEngine } = await import('../docker/connect-engine.ts');
  const { findAbandonedLayer } = await import('./node/find-abandoned-layer.ts');
  return await findAbandonedLayer(connectEngine({ socketPath }), watched);
}

void run().finally(() => process.exit());
