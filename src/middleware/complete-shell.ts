import type { Command, Option } from 'commander';

/** Options whose value is a file or a directory; bash completes it. */
const pathOptions: Readonly<Record<string, 'directory' | 'file'>> = {
  '--workdir': 'directory',
  '--directory': 'directory',
  '--mount': 'directory',
  '--json': 'file',
  '--config': 'file',
  '--site': 'file',
};

/**
 * A completion script for bash, made from the program's own definitions: verbs, options, and paths where an option or an
 * argument wants one. What stands after `--` is the user's command and is completed as one.
 */
export function bashCompletion(program: Command): string {
  const name = program.name();
  const words = listLevels(program, []).map(
    ({ path, verbs, options }) => `    ${quote(path.join(' '))}) words='${[...verbs, ...options].join(' ')}' ;;`,
  );
  const kinds = (kind: 'directory' | 'file'): string =>
    Object.keys(pathOptions)
      .filter((option) => pathOptions[option] === kind)
      .join('|');
  return `# bash completion of ${name}:  source <(${name} completion bash)
_hpc_submit_dockerjob() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} path= words= i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      --) compopt -o default 2>/dev/null; return ;;
      ${listVerbs(program).join('|')}) path="\${path:+$path }\${COMP_WORDS[i]}" ;;
    esac
  done
  case $previous in
    ${kinds('directory')}) compopt -o dirnames 2>/dev/null; return ;;
    ${kinds('file')}) compopt -o default 2>/dev/null; return ;;
  esac
  case $path in
${words.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [ \${#COMPREPLY[@]} -gt 0 ] || compopt -o default 2>/dev/null
}
complete -F _hpc_submit_dockerjob ${name} ${name.replaceAll('-', '_')}
`;
}

interface Level {
  readonly path: readonly string[];
  readonly verbs: readonly string[];
  readonly options: readonly string[];
}

function listLevels(command: Command, path: readonly string[]): readonly Level[] {
  const help = command.createHelp();
  const options = help.visibleOptions(command).map(({ long, short }: Option) => long ?? short ?? '');
  const choices = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
  const verbs = help.visibleCommands(command);
  const own = { path, verbs: [...verbs.map((verb) => verb.name()), ...choices], options };
  return [own, ...verbs.flatMap((verb) => listLevels(verb, [...path, verb.name()]))];
}

function listVerbs(command: Command): readonly string[] {
  return [...new Set(command.commands.flatMap((verb) => [verb.name(), ...listVerbs(verb)]))];
}

function quote(text: string): string {
  return text === '' ? "''" : `'${text}'`;
}
