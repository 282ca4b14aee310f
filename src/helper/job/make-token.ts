import { randomBytes } from 'node:crypto';

/** 128 random bits that tell this run of a job from every other. */
export function makeToken(): string {
  return randomBytes(16).toString('hex');
}
