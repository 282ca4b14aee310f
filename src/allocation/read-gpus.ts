/** Longer lists are of no host that is built. */
const mostGpus = 64;

/**
 * GPUs in a list that a scheduler wrote into the environment: numbers, UUIDs, or MIG devices, parted by commas. Empty where
 * there are none (Slurm writes `NoDevFiles`), or where the text is no such list: it is shown to people, and decides nothing.
 */
export function readGpus(list: string | undefined): readonly string[] {
  const names = (list ?? '').split(',').map((name) => name.trim());
  const isList =
    names.length <= mostGpus && names.every((name) => /^(?:\d{1,4}|(?:GPU|MIG)-[\w/-]{1,100})$/.test(name));
  return isList ? names : [];
}
