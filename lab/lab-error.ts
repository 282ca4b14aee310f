/** A failure of the lab that its caller can do something about: what happened, and what to do. */
export class LabError extends Error {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'LabError';
    this.hint = hint;
  }
}

/** Any thrown value as one line for people. */
export function describeFailure(thrown: unknown): string {
  if (thrown instanceof LabError) return [thrown.message, thrown.hint].filter(Boolean).join(' ');
  return thrown instanceof Error ? thrown.message : String(thrown);
}
