/** Asks when it is first called; every call gets the one answer, or its failure. */
export function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return async () => await (answer ??= ask());
}
