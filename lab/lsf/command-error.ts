/** A failure that a command reports to its user in one line on standard error before it exits with 255. */
export class CommandError extends Error {}

export const failureStatus = 255;
