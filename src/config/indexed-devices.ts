const placePattern = /\{index(?:\+(\d{1,4}))?\}/g;

/** True for a path of `devices.allowed` that stands for one device of each index. */
export function isIndexed(node: string): boolean {
  return node.search(placePattern) >= 0;
}

/** The path with an index in its place: `/dev/dri/renderD{index+128}` of 1 is `/dev/dri/renderD129`. */
export function indexedPath(node: string, index: number): string {
  return node.replaceAll(placePattern, (_, first: string | undefined) => String(index + Number(first ?? 0)));
}

/** The pattern of the paths of all indexes. */
export function everyIndexPath(node: string): string {
  return node.replaceAll(placePattern, '*');
}
