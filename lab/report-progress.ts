/** One line per step, with its time. */
export type Report = (line: string) => void;

/** Runs one step and reports it with its time; what the step returns as text is the remark behind its name. */
export async function step<T>(report: Report, name: string, action: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  try {
    const result = await action();
    const remark = typeof result === 'string' && result !== '' ? `: ${result}` : '';
    report(`ok    ${secondsSince(startedAt)}  ${name}${remark}`);
    return result;
  } catch (error) {
    report(`FAIL  ${secondsSince(startedAt)}  ${name}`);
    throw error;
  }
}

function secondsSince(startedAt: number): string {
  return `${((performance.now() - startedAt) / 1000).toFixed(1).padStart(5)} s`;
}
