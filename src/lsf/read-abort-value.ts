/** The status by which LSF wants a job aborted, out of a variable of its own; `usual` where it says none that can be one. */
export function readAbortValue(text: string | undefined, usual: number): number {
  const value = Number(text);
  return Number.isInteger(value) && value > 0 && value < 256 ? value : usual;
}
