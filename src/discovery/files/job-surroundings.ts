import { chmodSync, writeFileSync } from 'node:fs';
import type { JobSurroundings } from '../../contract/enter-protocol.ts';
import { jobSurroundingsSchema } from '../../contract/enter-protocol.ts';
import { readRegularFileSync } from '../../system/read-regular-file.ts';
import { parseJsonAs } from '../../values/parse-json-as.ts';

/** Far more than a process can have of variables. */
const mostBytes = 16 * 1024 * 1024;

/** Leaves what the job's command is surrounded by, for those who enter the container later. Of memory, like all beside it. */
export function writeSurroundings(file: string, surroundings: JobSurroundings): void {
  writeFileSync(file, JSON.stringify(surroundings), { mode: 0o600 });
  chmodSync(file, 0o600); // a umask of the user's may have closed it to ourselves
}

/** Fails with the system's, the parser's or the schema's own error: the file is the user's, who may have changed it. */
export function takeSurroundings(file: string): JobSurroundings {
  return parseJsonAs(jobSurroundingsSchema, readRegularFileSync(file, { mostBytes, longer: 'refused' }).toString());
}
