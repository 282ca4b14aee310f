const factors: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** Bytes of a size as Docker and Slurm write it: `4g`, `512M`, `1.5GiB`, `4096`; undefined for any other text. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)\s?(?:([kmgt])(?:i?b)?|b)?$/i.exec(text.trim());
  const bytes = Math.floor(Number(match?.[1]) * (factors[match?.[2]?.toLowerCase() ?? ''] ?? NaN));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
