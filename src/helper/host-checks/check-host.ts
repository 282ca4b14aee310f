import { hostCommands } from '../host/host-commands.ts';
import { JobError } from '../../values/errors.ts';
import type { Check, Finding } from '../../contract/finding.ts';
import { skipped } from '../../contract/finding.ts';
import type { HostQuestion } from '../../contract/host-question.ts';
import { hostQuestionSchema } from '../../contract/host-question.ts';
import { checkAskedImage } from './check-asked-image.ts';
import { checkCertificate } from './check-certificate.ts';
import { checkDevices } from './check-devices.ts';
import { checkEngine } from './check-engine.ts';
import { checkImages } from './check-images.ts';
import { checkNetwork } from './check-network.ts';
import { checkRegistries } from './check-registries.ts';
import { checkRuntime } from './check-runtime.ts';
import { checkScheduler } from './check-scheduler.ts';
import { checkStore } from './check-store.ts';
import type { HelperContext } from '../open-context.ts';
import { openSharedStore } from '../open-context.ts';
import { parseJson } from '../../values/parse-json-as.ts';
import { runChecks } from '../../system/run-checks.ts';
import { withDeadline } from '../../system/deadline.ts';

const maxQuestionBytes = 16 * 1024;
/** Every user may call this verb, in no job at all, and wait in a process of root's. */
const askDeadlineMs = 2000;
/** A job waits for the quick ones; an operator has time. */
const deadlineMs = { nothing: 0, image: 5000, quick: 5000, full: 15_000 } as const;

/** The question on standard input; an empty one means all that the caller may know. Fails with `USAGE`. */
export async function readHostQuestion(
  input: NodeJS.ReadableStream & { readonly isTTY?: boolean },
  isRoot: boolean,
): Promise<HostQuestion> {
  const text = input.isTTY === true ? '' : await readAll(input);
  if (text.trim() === '') return { scope: isRoot ? 'full' : 'quick' };
  const value = parseJson(text);
  if (value === undefined) throw badQuestion('it is no JSON');
  const parsed = hostQuestionSchema.safeParse(value);
  if (!parsed.success) throw badQuestion(parsed.error.issues[0]?.message ?? 'it has another form');
  return parsed.data;
}

async function readAll(input: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  const read = async (): Promise<string> => {
    for await (const chunk of input) {
      text += String(chunk);
      if (text.length > maxQuestionBytes) throw badQuestion(`it is longer than ${maxQuestionBytes / 1024} KiB`);
    }
    return text;
  };
  return await withDeadline(askDeadlineMs, read, () => badQuestion('its end did not come'));
}

function badQuestion(reason: string): JobError {
  return new JobError({
    code: 'USAGE',
    message: `check-host cannot use what came on standard input: ${reason}.`,
    hint: 'Run hpc-submit-dockerjob doctor, or give check-host no input: </dev/null.',
  });
}

/** Whether this host can serve jobs, as root sees it. Changes nothing on the host. */
export async function checkHost(context: HelperContext, question: HostQuestion): Promise<readonly Finding[]> {
  const { scope } = question;
  const full = listFullChecks(context, question);
  const mayKnow = context.caller.kind === 'root';
  const hidden = full.map(({ name }): Check => ({ name, look: () => skipped('run doctor as root to see') }));
  return await runChecks(
    [
      ...(scope === 'nothing' ? [] : listQuickChecks(context, question)),
      ...(scope === 'full' ? (mayKnow ? full : hidden) : []),
    ],
    deadlineMs[scope],
  );
}

function listQuickChecks(context: HelperContext, question: HostQuestion): readonly Check[] {
  const { engine, site } = context;
  const wantsImage = question.application !== undefined || question.image !== undefined;
  if (question.scope === 'image') return [checkAskedImage(engine, site, question)];
  return [
    checkEngine(engine, site),
    checkRuntime(() => context.findRuntime()),
    ...(wantsImage ? [checkAskedImage(engine, site, question)] : []),
    // Jobs on one host do not need it.
    ...((question.hostCount ?? 1) > 1 || question.scope === 'full'
      ? [
          // Not for a user, who may ask as often as he likes.
          checkStore(openSharedStore, site, context.caller.kind === 'root' && question.scope === 'full'),
        ]
      : []),
  ];
}

function listFullChecks({ engine, site, authorities }: HelperContext, question: HostQuestion): readonly Check[] {
  return [
    checkCertificate(site),
    checkScheduler(authorities, question.scheduler),
    checkNetwork(hostCommands({ commandPath: site.scheduler.commandPath }), site),
    checkImages(engine, site),
    ...(site.images.registries.length === 0 ? [] : [checkRegistries(site)]),
    ...(site.devices.allowed.length === 0 ? [] : [checkDevices(site)]),
  ];
}
