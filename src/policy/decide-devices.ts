import type { SiteConfig } from '../config/site-schema.ts';
import { JobError } from '../values/errors.ts';
import type { Application } from './decide-image.ts';
import type { DecidingRule, RequestToDecide } from './request-to-decide.ts';
import { asksForQueue, describeAdmission, findBar } from './requester.ts';
import type { Bar, Requester } from './requester.ts';

/** A kind of devices that the containers of a job get, by its name in site.yaml. */
export interface DecidedDevice {
  readonly name: string;
  readonly rule: DecidingRule;
}

type Wanted = Pick<RequestToDecide, 'devices'>;

/**
 * The devices of the request's containers; fails with `DEVICE_NOT_ALLOWED`. What every container gets is left out for those whom
 * it is not for: nobody has asked for it. Which nodes these are each host finds for itself.
 */
export function decideDevices(
  site: SiteConfig,
  request: Wanted,
  application: Application | undefined,
  requester: Requester,
): readonly DecidedDevice[] {
  const wanted = new Map<string, string>();
  for (const device of site.devices.allowed)
    if (device.always && findBar(device, requester) === undefined)
      wanted.set(device.name, 'always, where a host has them');
  for (const name of application?.devices ?? []) wanted.set(name, 'for the application');
  for (const name of request.devices ?? []) wanted.set(name, 'as asked for');
  return [...wanted].map(([name, why]) => {
    const allowed = site.devices.allowed.find((device) => device.name === name);
    const bar = allowed === undefined ? undefined : findBar(allowed, requester);
    if (allowed === undefined || bar !== undefined) throw deviceNotAllowed(site, name, bar);
    const which = allowed.gres === '' ? '' : `those of the job's ${allowed.gres}, `;
    const decision = `${which}${allowed.nodes.join(', ')} of each host, ${why}`;
    return { name, rule: { subject: `devices ${name}`, decision, rule: `devices.allowed "${name}"` } };
  });
}

/** True when the answer rests on the partition or queue of the job. */
export function devicesAskForQueue(
  { devices }: SiteConfig,
  request: Wanted,
  application: Application | undefined,
): boolean {
  const wanted = [...(request.devices ?? []), ...(application?.devices ?? [])];
  return devices.allowed.some((device) => asksForQueue(device) && (device.always || wanted.includes(device.name)));
}

function deviceNotAllowed({ devices }: SiteConfig, name: string, bar: Bar | undefined): JobError {
  const allowed = devices.allowed.map((device) => `${device.name}${describeAdmission(device)}`);
  return new JobError({
    code: 'DEVICE_NOT_ALLOWED',
    message:
      bar === undefined
        ? `This site gives no devices "${name}" to containers.`
        : `The devices "${name}" are not for the containers of this job: ${bar.words}.`,
    hint: `Allowed are: ${allowed.join(', ') || 'none'} (site.yaml devices.allowed).`,
    rule: bar === undefined ? 'devices.allowed' : `devices.allowed "${name}".${bar.list}`,
  });
}
