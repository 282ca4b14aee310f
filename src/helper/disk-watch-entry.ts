import '../system/configure-zod.ts';
import { defaultSitePath, loadSite } from '../config/load-site.ts';
import { outliveReaders } from '../system/flush-output.ts';
import { parseJsonAs } from '../values/parse-json-as.ts';
import { openAudit } from './audit/open-audit.ts';
import { abandonedLayerSchema, takeOverWatch } from './node/take-over-watch.ts';

/** Started by share/guard-disk-watch, with what to watch as its only word. */
async function run(): Promise<void> {
  outliveReaders(process.stdout, process.stderr);
  const layer = parseJsonAs(abandonedLayerSchema, process.argv[2] ?? '');
  const { audit: destination } = await loadSite(defaultSitePath, { mustBeTrusted: true }).catch(() => ({
    audit: { file: '', required: false },
  }));
  const audit = openAudit(destination, { uid: layer.uid, verb: 'watch-disk', job: layer.job });
  await takeOverWatch(layer, audit, (error) => process.stdout.write(`${JSON.stringify(error)}\n`));
  await audit.flush();
}

void run().finally(() => process.exit());
