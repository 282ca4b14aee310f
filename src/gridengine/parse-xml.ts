/** An element of XML: either children, or a text. */
export interface XmlElement {
  readonly name: string;
  readonly text: string;
  readonly children: readonly XmlElement[];
}

const token =
  /<\?xml[^<>]*\?>|<(?<end>\/?)(?<name>[A-Za-z_][\w.-]*)(?:\s+[\w:.-]+=(?:"[^"<]*"|'[^'<]*'))*\s*(?<empty>\/?)>|(?<text>[^<]+)/y;

/** Deeper than any answer of qstat. */
const maxDepth = 32;

/**
 * The root element of what qstat prints with -xml, which has no more of XML than elements and texts. Texts stay as they
 * are, escapes included. Undefined for everything else: a single "<" that belongs to no element is enough.
 */
export function parseXml(xml: string): XmlElement | undefined {
  const open: (XmlElement & { children: XmlElement[]; text: string })[] = [{ name: '', text: '', children: [] }];
  for (let position = 0; position < xml.length;) {
    token.lastIndex = position;
    const groups = token.exec(xml);
    const current = open.at(-1);
    if (groups === null || current === undefined) return undefined;
    position = token.lastIndex;
    const { end, name, empty, text } = groups.groups ?? {};
    if (text !== undefined) current.text += text;
    else if (end === '/') {
      if (current.name !== name || open.length === 1) return undefined;
      open.pop();
    } else if (name !== undefined) {
      const element = { name, text: '', children: [] };
      current.children.push(element);
      if (empty !== '/') open.push(element);
      if (open.length > maxDepth) return undefined;
    }
  }
  const [root] = open;
  if (open.length !== 1 || root?.children.length !== 1 || root.text.trim() !== '') return undefined;
  return root.children[0];
}

/** The children of that name. */
export function childrenOf(element: XmlElement | undefined, name: string): readonly XmlElement[] {
  return element?.children.filter((child) => child.name === name) ?? [];
}

/** The only child of that name; undefined when there is none, or more than one. */
export function childOf(element: XmlElement | undefined, name: string): XmlElement | undefined {
  const [first, second] = childrenOf(element, name);
  return second === undefined ? first : undefined;
}

/** The text of the only child of that name, which holds no elements; undefined when there is none such. */
export function textOf(element: XmlElement | undefined, name: string): string | undefined {
  const child = childOf(element, name);
  return child?.children.length === 0 ? child.text.trim() : undefined;
}
