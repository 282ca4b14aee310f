/**
 * As `Promise.all`, but fails only when none of the works goes on any more: what the others have made by then can be
 * undone. Fails with the first failure in their order, whichever came first.
 */
export async function allOrNone<T extends readonly unknown[] | []>(
  works: T,
): Promise<{ -readonly [P in keyof T]: Awaited<T[P]> }> {
  await Promise.allSettled(works);
  return await Promise.all(works);
}
