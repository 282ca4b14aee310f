/**
 * The submission's options out of the file of `LSB_SUB_PARM_FILE`. It looks like shell text, but is never to be sourced:
 * LSF writes the user's command line into it without any escapes. So each line counts by itself, the command line is
 * left out, and of a name that stands twice (a value may hold line ends) the first one counts.
 */
export function parseParameters(text: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, name, value] = /^(LSB_SUB\d?_[A-Z0-9_]{1,100})=(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined || unescapedNames.has(name) || parameters.has(name)) continue;
    parameters.set(name, unquote(value.trim()));
  }
  return parameters;
}

const unescapedNames: ReadonlySet<string> = new Set(['LSB_SUB_COMMANDNAME', 'LSB_SUB_COMMAND_LINE']);

function unquote(value: string): string {
  const inner = /^"(.*)"$/.exec(value)?.[1];
  return inner === undefined ? value : inner.replaceAll(/\\(["\\$`])/g, '$1');
}
