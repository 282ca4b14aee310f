import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { asClause } from '../../values/errors.ts';

/** Records in memory at most, of about 400 bytes each: a disk that hangs must not cost the host its memory. */
const maxRecords = 8192;
/** So long an appender may take before the disk counts as hanging. */
const mostBehindMs = 30_000;

let count = 0;

/**
 * Puts a record into the directory as a file of its own, whole or not at all, named so that the names are in the order
 * of time. Returns why that was not possible. Memory alone: it waits for no disk.
 */
export function dropIntoSpool(directory: string, record: string): string | undefined {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (recordsIn(directory).length >= maxRecords) return `${maxRecords} records wait for ${directory} already`;
    count += 1;
    const name = `${String(process.hrtime.bigint()).padStart(20, '0')}-${process.pid}-${count}`;
    writeFileSync(`${directory}/.new-${name}`, `${record}\n`, { mode: 0o600 });
    renameSync(`${directory}/.new-${name}`, `${directory}/${name}`);
    return undefined;
  } catch (error) {
    return asClause(error);
  }
}

/** Why the records of the directory do not reach their file; undefined while they do. */
export function findSpoolProblem(directory: string): string | undefined {
  try {
    const trouble = readTrouble(directory);
    if (trouble !== undefined) return trouble;
    const [oldest] = [...recordsIn(directory), ...recordsIn(`${directory}/.work`)].sort();
    const sinceMs = oldest === undefined ? 0 : Number(process.hrtime.bigint() - BigInt(oldest.slice(0, 20))) / 1e6;
    return sinceMs > mostBehindMs ? `they wait for ${Math.round(sinceMs / 1000)} s already` : undefined;
  } catch (error) {
    return asClause(error);
  }
}

/** What the last try to append has left; it takes this away again once it has succeeded. */
function readTrouble(directory: string): string | undefined {
  try {
    return readFileSync(`${directory}/.trouble`, 'utf8').trim().slice(0, 300) || 'the file does not take them';
  } catch {
    return undefined;
  }
}

function recordsIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory).filter((name) => /^[0-9]{20}-/.test(name));
  } catch {
    return [];
  }
}
