import { readFileSync } from 'node:fs';

const usual = 0o022;

/** This process's umask, as the batch script has set it. Only read: `process.umask()` would change it for a moment. */
export function readUmask(statusText: () => string = () => readFileSync('/proc/self/status', 'utf8')): number {
  try {
    const [, digits] = /^Umask:\s*([0-7]{1,4})$/m.exec(statusText()) ?? [];
    return digits === undefined ? usual : Number.parseInt(digits, 8) & 0o777;
  } catch {
    return usual;
  }
}
