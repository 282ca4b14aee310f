/** Columns as wide as their widest word, two blanks between them; the last is not filled up. */
export function formatTable(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows.reduce<number[]>(
    (known, row) => row.map((word, at) => Math.max(known[at] ?? 0, word.length)),
    [],
  );
  return rows.map((row) =>
    row
      .map((word, at) => (at === row.length - 1 ? word : word.padEnd(widths[at] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
