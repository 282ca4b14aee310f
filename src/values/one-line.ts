/**
 * Words of another program, a user or a container as part of a line of ours: no line break, and nothing that steers a
 * terminal or turns the direction of the text. The first `most` characters count; none is cut in two.
 */
export function oneLine(text: string, most: number): string {
  return visible(text)
    .slice(0, most)
    .replace(/[\ud800-\udbff]$/, '')
    .trimEnd();
}

/** The same of a long text of which the end says why. */
export function endInOneLine(text: string, most: number): string {
  return visible(text)
    .slice(-most)
    .replace(/^[\udc00-\udfff]/, '')
    .trimStart();
}

function visible(text: string): string {
  return text.replaceAll(/[\p{C}\s]+/gu, ' ').trim();
}
