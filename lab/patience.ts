/** For slow machines: HPCDJ_LAB_PATIENCE, a number from 1 to 100, multiplies every deadline of the lab and its cluster. */
import { LabError } from './lab-error.ts';

const variable = 'HPCDJ_LAB_PATIENCE';
const most = 100;

/** The number in the environment variable's text; 1 without one. */
export function parsePatience(text: string | undefined): number {
  if (text === undefined || text === '') return 1;
  const patience = /^\d{1,3}(?:\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (patience >= 1 && patience <= most) return patience;
  throw new LabError(`${variable} is "${text}".`, `Give a number from 1 to ${most}.`);
}

/** How many times longer than on a usual machine things may take here. */
export function readPatience(): number {
  return parsePatience(process.env[variable]);
}

/** A deadline, as long as this machine needs; the same unit as given. */
export function patient(time: number): number {
  return Math.ceil(time * readPatience());
}
