import { readFileSync } from 'node:fs';

/** The name of this process's user: what the container's passwd file says of its uid, else $USER, else `uid<uid>`. */
export function findUserName(environment: NodeJS.ProcessEnv, passwdFile = '/etc/passwd'): string {
  const uid = process.getuid?.() ?? 0;
  return findInPasswd(uid, passwdFile) ?? environment['USER'] ?? `uid${uid}`;
}

// Read as a file: the C library would ask name services that the image configures and the runtime does not have.
function findInPasswd(uid: number, file: string): string | undefined {
  try {
    const fields = readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => line.split(':'));
    return fields.find(([name, , id]) => id === String(uid) && name !== '')?.[0];
  } catch {
    return undefined;
  }
}
