import type { SiteConfig } from '../config/site-schema.ts';
import { JobError } from '../values/errors.ts';
import type { Application } from './decide-image.ts';
import type { DecidingRule, RequestToDecide } from './request-to-decide.ts';
import type { Choice } from './decide-entries.ts';
import { decideEntries, entriesAskForQueue, listEntries } from './decide-entries.ts';
import type { Bar, Requester } from './requester.ts';

/** A kind of devices that the containers of a job get, by its name in site.yaml. */
export interface DecidedDevice {
  readonly name: string;
  readonly rule: DecidingRule;
}

type Wanted = Pick<RequestToDecide, 'devices'>;
type AllowedDevice = SiteConfig['devices']['allowed'][number];

/**
 * The devices of the request's containers; fails with `DEVICE_NOT_ALLOWED`. Which nodes these are each host finds for
 * itself.
 */
export function decideDevices(
  site: SiteConfig,
  request: Wanted,
  application: Application | undefined,
  requester: Requester,
): readonly DecidedDevice[] {
  const choice = choiceOf(site, request, application);
  const refuse = (name: string, bar: Bar | undefined): JobError => deviceNotAllowed(choice, name, bar);
  return decideEntries(choice, requester, refuse).map(({ name, entry, why }) => {
    const which = entry.gres === '' ? '' : `those of the job's ${entry.gres}, `;
    const where = why === 'always' ? 'always, where a host has them' : why;
    const decision = `${which}${entry.nodes.join(', ')} of each host, ${where}`;
    return { name, rule: { subject: `devices ${name}`, decision, rule: `devices.allowed "${name}"` } };
  });
}

/** True when the answer rests on the partition or queue of the job. */
export function devicesAskForQueue(site: SiteConfig, request: Wanted, application: Application | undefined): boolean {
  return entriesAskForQueue(choiceOf(site, request, application));
}

function choiceOf(
  { devices }: SiteConfig,
  request: Wanted,
  application: Application | undefined,
): Choice<AllowedDevice> {
  const nameOf = ({ name }: AllowedDevice): string => name;
  return {
    allowed: devices.allowed,
    nameOf,
    ofApplication: application?.devices ?? [],
    asked: request.devices ?? [],
  };
}

function deviceNotAllowed(choice: Choice<AllowedDevice>, name: string, bar: Bar | undefined): JobError {
  return new JobError({
    code: 'DEVICE_NOT_ALLOWED',
    message:
      bar === undefined
        ? `This site gives no devices "${name}" to containers.`
        : `The devices "${name}" are not for the containers of this job: ${bar.words}.`,
    hint: `Allowed are: ${listEntries(choice)} (site.yaml devices.allowed).`,
    rule: bar === undefined ? 'devices.allowed' : `devices.allowed "${name}".${bar.list}`,
  });
}
