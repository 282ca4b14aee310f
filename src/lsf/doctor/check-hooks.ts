import type { LsfConfiguration } from '../configuration/read-configuration.ts';
import type { HookWishes } from '../configuration/judge-hooks.ts';
import type { Section } from '../configuration/parse-configuration.ts';
import { listImageEsubs } from '../esub/list-own-esubs.ts';
import { hasStarter, isOurs, judgeHooks } from '../configuration/judge-hooks.ts';
import { JobError } from '../../values/errors.ts';
import type { Answer, Check } from '../../contract/finding.ts';
import { fine, warning } from '../../contract/finding.ts';

export interface WantedHooks extends HookWishes {
  /** Queues that site.yaml names. */
  readonly queues: readonly string[];
}

/** Queues and profiles whose jobs use containers have the lines that docs/lsf.md asks for. */
export function checkHooks(read: () => Promise<LsfConfiguration>, wanted: WantedHooks): Check {
  return { name: 'lsf-hooks', look: async () => examine(await read(), wanted) };
}

function examine({ conf, queues, applications }: LsfConfiguration, given: WantedHooks): Answer {
  // An esub that takes images needs the job starter as an alias does; LSF's directory tells of it, not site.yaml.
  const wantsImages = listImageEsubs(conf.get('LSF_SERVERDIR') ?? '', []).length > 0;
  const wanted = { ...given, wantsStarter: given.wantsStarter || wantsImages };
  const unknown = wanted.queues.filter((name) => !queues.some((queue) => queue.name === name));
  const sections = [
    ...queues.filter((queue) => wanted.queues.includes(queue.name) || isOurs(queue)),
    ...applications.filter(isOurs),
  ];
  // What else is wrong is told as well.
  const missing = unknown.length === 0 ? [] : [`site.yaml names queues that lsb.queues has not: ${unknown.join(', ')}`];
  if (sections.length === 0 && missing.length === 0)
    throw wrong('no queue and no application profile has a hook of this program');
  // One queue for jobs with images is enough, and the best: see docs/lsf.md, "Images by bsub -a".
  const someHasStarter = sections.some(hasStarter);
  const wantsStarter = (section: Section): boolean =>
    wanted.wantsStarter && (!someHasStarter || hasStarter(section) || wanted.queues.includes(section.name));
  const judged = sections.map((section) => ({
    name: section.name,
    ...judgeHooks(section, { ...wanted, wantsStarter: wantsStarter(section) }),
  }));
  const faults = [...missing, ...judged.flatMap(({ name, faults: own }) => own.map((fault) => `${name}: ${fault}`))];
  const warnings = judged.flatMap(({ name, warnings: own }) => own.map((each) => `${name}: ${each}`));
  if (faults.length > 0) throw wrong([...faults, ...warnings].join('; '));
  if (warnings.length > 0) return warning(warnings.join('; '), 'See docs/lsf.md, "lsb.queues".');
  const bare = wanted.wantsStarter ? sections.filter((section) => !hasStarter(section)) : [];
  const note = bare.length === 0 ? '' : `; ${bare.map(({ name }) => name).join(', ')} without JOB_STARTER, for scripts`;
  return fine(`${sections.map(({ name }) => name).join(', ')} have their hooks${note}`);
}

function wrong(fault: string): JobError {
  return new JobError({
    code: 'HOST_UNFIT',
    message: `LSF's queues do not serve jobs in containers well: ${fault}.`,
    hint: 'See docs/lsf.md, "lsb.queues".',
  });
}
