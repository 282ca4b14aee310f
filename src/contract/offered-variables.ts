/**
 * Variables of the batch script that a job may get without being asked for: facts of place, language and threads. None of
 * them makes a program load code or look for files elsewhere. A name that ends in `*` stands for a family.
 */
export const offeredVariables = [
  ...['TZ', 'LANG', 'LANGUAGE', 'LC_*'],
  ...['OMP_*', 'GOMP_*', 'KMP_*', 'MKL_NUM_THREADS', 'MKL_DYNAMIC', 'OPENBLAS_NUM_THREADS', 'BLIS_NUM_THREADS'],
] as const;

/** OpenMP loads what the first two name; the others name files. */
const neverOffered = /^(?:OMP_TOOL(?:_.*)?|KMP_.*(?:FILE|PATH|LIB|DLL).*)$/s;

/** Whether one of these names or families means the variable. */
export function isOffered(name: string, among: readonly string[] = offeredVariables): boolean {
  if (neverOffered.test(name)) return false;
  return among.some((each) => (each.endsWith('*') ? name.startsWith(each.slice(0, -1)) : name === each));
}
