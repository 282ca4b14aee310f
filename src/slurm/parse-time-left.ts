const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;

/**
 * Seconds out of squeue's time left: `5-03:00:00`, `3:00:00`, `5:00`. 0 for a job over its limit, which squeue calls
 * INVALID; undefined without a limit (UNLIMITED, NOT_SET) and for a text of no known form.
 */
export function parseTimeLeft(text: string): number | undefined {
  if (text === 'INVALID') return 0;
  const match = /^(?:(\d{1,6})-)?(?:(\d{1,2}):)?(\d{1,2}):(\d{2})$/.exec(text);
  if (match === null) return undefined;
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = match
    .slice(1)
    .map((part: string | undefined) => Number(part ?? 0));
  return days * day + hours * hour + minutes * minute + seconds;
}
