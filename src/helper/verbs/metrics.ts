import { requireRoot } from '../caller/identify-caller.ts';
import { writePrometheusText } from '../../values/prometheus-text.ts';
import type { HelperVerb } from './helper-verb.ts';

export const metricsVerb: HelperVerb = {
  name: 'metrics',
  does: "open and ended jobs, Engine, store, subnets and certificate of this host as Prometheus' text (root only)",
  words: [],
  options: {},
  run: async ({ openContext }) => {
    const { measureHost } = await import('../show/measure-host.ts');
    const context = await openContext();
    requireRoot(context.caller, 'Only root may ask for metrics');
    process.stdout.write(writePrometheusText(await measureHost(context)));
  },
};
