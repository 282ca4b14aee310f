/**
 * As `Promise.all`, but fails only when neither works on any more: what the other has made by then can be undone. Fails
 * with the first failure in their order.
 */
export async function allOrNone<A, B>(works: readonly [Promise<A>, Promise<B>]): Promise<readonly [A, B]> {
  await Promise.allSettled(works);
  return await Promise.all(works);
}
