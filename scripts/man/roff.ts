/** The few requests of man(7) that our pages use. Every function returns whole lines, ended by a line end. */

/** One page's heading. `section` is the manual's section, as 1 or 8; `date` stands in the footer. */
export function heading(name: string, section: number, version: string): string {
  return `.TH ${name.toUpperCase()} ${section} "" "hpc-submit-dockerjob ${version}" ""\n.nh\n.ad l\n`;
}

/** A section of the page. */
export function section(title: string, ...content: readonly string[]): string {
  return `.SH ${escape(title)}\n${content.join('')}`;
}

/** A heading below a section. */
export function subsection(title: string, ...content: readonly string[]): string {
  return `.SS ${escape(title)}\n${content.join('')}`;
}

/** Text in paragraphs; backticks and **…** become bold. */
export function paragraphs(text: string): string {
  return text
    .trim()
    .split(/\n\s*\n/)
    .map((paragraph) => `.PP\n${line(paragraph)}`)
    .join('');
}

/** A term in bold, and what it means. */
export function term(name: string, meaning: string): string {
  return `.TP\n.B ${escape(name)}\n${line(meaning === '' ? ' ' : meaning)}`;
}

/** Lines as they are: commands, examples. */
export function verbatim(text: string): string {
  const lines = text.split('\n').map((one) => protect(escape(one)));
  return `.PP\n.nf\n${lines.join('\n')}\n.fi\n`;
}

/** One line of running text. */
export function line(text: string): string {
  const plain = escape(text.replaceAll(/\s+/g, ' ').trim());
  const marked = plain.replaceAll(/`([^`]+)`/g, '\\fB$1\\fR').replaceAll(/\*\*([^*]+)\*\*/g, '\\fB$1\\fR');
  return `${protect(marked)}\n`;
}

/** Backslashes and hyphens have a meaning in roff: a hyphen of an option must stay one when it is copied. */
function escape(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('…', '\\[u2026]')
    .replaceAll('–', '\\(en')
    .replaceAll('’', '\\(cq')
    .replaceAll('·', '\\(bu');
}

/** A line that begins with a dot or an apostrophe would be a request. */
function protect(text: string): string {
  return /^[.']/.test(text) ? `\\&${text}` : text;
}
