import { rootShellHint } from '../caller/identify-caller.ts';
import { JobError } from '../../values/errors.ts';
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
    if (context.caller.kind !== 'root')
      throw new JobError({ code: 'NOT_PERMITTED', message: 'Only root may ask for metrics.', hint: rootShellHint });
    process.stdout.write(writePrometheusText(await measureHost(context)));
  },
};
