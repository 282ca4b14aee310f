/**
 * The value as one line of JSON, its line break included. The two separators that JSON allows in a text, and Node's
 * line reader takes for ends of a line, are escaped.
 */
export function toJsonLine(value: unknown): string {
  const escaped = JSON.stringify(value)
    .replaceAll('\u2028', String.raw`\u2028`)
    .replaceAll('\u2029', String.raw`\u2029`);
  return `${escaped}\n`;
}
