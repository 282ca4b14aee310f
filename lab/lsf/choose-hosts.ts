/** Which hosts a job gets. Pure. */
import type { HostShare } from './job.ts';

export interface HostLoad {
  readonly name: string;
  readonly free: number;
}

/**
 * The shares of a job, or undefined when it has to wait. `-R span[hosts=1]` and `span[ptile=N]` are understood, the rest
 * of a resource string is not. The order is by load, and `turn` moves it on: nobody may count on a sorted host list.
 */
export function chooseHosts(
  loads: readonly HostLoad[],
  wish: {
    readonly minSlots: number;
    readonly maxSlots: number;
    readonly resReq?: string | undefined;
    readonly hosts?: string | undefined;
  },
  turn: number,
): HostShare[] | undefined {
  const wanted = wish.hosts
    ?.split(/\s+/)
    .filter(Boolean)
    .map((name) => name.replace(/\+\d*$/, ''));
  const fit = rotate(loads, turn)
    .filter(({ name, free }) => free > 0 && (wanted === undefined || wanted.includes(name)))
    .sort((one, other) => other.free - one.free);
  const onOneHost = /span\[[^\]]*\bhosts=1\b/.test(wish.resReq ?? '');
  const perHost = Number(/span\[[^\]]*\bptile=(\d+)/.exec(wish.resReq ?? '')?.[1] ?? 0);
  if (onOneHost) return onSingleHost(fit, wish.minSlots, wish.maxSlots);
  const usable = perHost === 0 ? fit : fit.filter(({ free }) => free >= Math.min(perHost, wish.minSlots));
  const shares: HostShare[] = [];
  let missing = wish.maxSlots;
  for (const { name, free } of usable) {
    const slots = Math.min(missing, perHost === 0 ? free : Math.min(perHost, free));
    if (slots > 0) shares.push({ host: name, slots });
    missing -= slots;
  }
  if (wish.maxSlots - missing < wish.minSlots) return undefined;
  // The host that is not filled comes first, as recorded: `-n 5` gave 1, 2, 2.
  return shares.at(-1)?.slots === shares[0]?.slots ? shares : shares.reverse();
}

function onSingleHost(fit: readonly HostLoad[], minSlots: number, maxSlots: number): HostShare[] | undefined {
  const host = fit.find(({ free }) => free >= minSlots);
  return host && [{ host: host.name, slots: Math.min(maxSlots, host.free) }];
}

function rotate<T>(list: readonly T[], turn: number): T[] {
  const at = list.length === 0 ? 0 : turn % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}
