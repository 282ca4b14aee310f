import type { Wanted } from '../esub/decide-submission.ts';

/** What the starter knows about the image of its job. */
export interface ImageSources {
  /** Written behind the starter in lsb.queues. */
  readonly options: { readonly application?: string; readonly image?: string };
  readonly environment: NodeJS.ProcessEnv;
  /** What jobs of a queue run in that name nothing themselves. */
  readonly queueDefault: (queue: string) => Wanted | undefined;
}

/**
 * What the job runs in: the alias of its submission, else what stands in lsb.queues, else what site.yaml says for its
 * queue; undefined: it runs on the host. A user can set these variables too, and only asks for what he may ask for anyway.
 */
export function chooseImage({ options, environment, queueDefault }: ImageSources): Wanted | undefined {
  const [application, image] = [environment['HPCDJ_APPLICATION'] ?? '', environment['HPCDJ_IMAGE'] ?? ''];
  if (application !== '') return { application };
  if (image !== '') return { image };
  if (options.application !== undefined) return { application: options.application };
  if (options.image !== undefined) return { image: options.image };
  return queueDefault(environment['LSB_QUEUE'] ?? '');
}
