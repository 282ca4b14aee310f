/** Resource limits that this machine puts even on root. */

export interface ContainerLimits {
  readonly memlock?: number;
  readonly nofile?: number;
  readonly stackBytes?: number;
}

const sysResourceBit = 24n;
const rows = { memlock: 'Max locked memory', nofile: 'Max open files', stackBytes: 'Max stack size' } as const;

/**
 * The limits a container cannot exceed here, from the texts of /proc/self/status and /proc/self/limits.
 * Root may raise any limit, unless it lacks CAP_SYS_RESOURCE, as in some virtual machines and CI runners:
 * runc then fails to start a container that asks for more than the hard limits.
 */
export function findContainerLimits(status: string, limits: string): ContainerLimits {
  const capabilities = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  if ((capabilities >> sysResourceBit) & 1n) return {};
  const found: Record<string, number> = {};
  for (const [key, row] of Object.entries(rows)) {
    const hard = new RegExp(`^${row}\\s+\\S+\\s+(\\d+)\\s`, 'm').exec(limits)?.[1];
    if (hard !== undefined) found[key] = Number(hard);
  }
  return found;
}
