/** What the bench tells its processes, each of which answers with `done` once that is so. */
export type Order =
  | { readonly type: 'connect'; readonly store: StoreAddress; readonly from: number; readonly to: number }
  | { readonly type: 'open'; readonly job: string; readonly nodeCount: number }
  | { readonly type: 'join'; readonly job: string }
  | { readonly type: 'go' }
  | { readonly type: 'end' }
  | { readonly type: 'rest' };

export interface StoreAddress {
  readonly endpoint: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Moments are milliseconds since 1970, so that those of several processes can be compared. */
export interface Done {
  readonly type: 'done';
  /** When the last of its nodes had published its keys, and when the last had seen START. */
  readonly publishedAtMs?: number;
  readonly startedAtMs?: number;
  /** CPU time of this process so far. */
  readonly cpuSeconds: number;
  readonly error?: string;
}

export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Answers each order of the parent with what `carryOut` makes of it. */
export function serveOrders(carryOut: (order: Order) => Promise<Partial<Done>>): void {
  process.on('message', (order: Order) => {
    carryOut(order)
      .catch((error: unknown) => ({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }))
      .then((done) => process.send?.({ type: 'done', cpuSeconds: cpuSeconds(), ...done } satisfies Done))
      .catch(() => process.exit(1));
  });
  process.on('disconnect', () => process.exit(0));
}
