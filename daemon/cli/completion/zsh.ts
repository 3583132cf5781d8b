// The model as a completion for zsh, a function of the completion system (zshcompsys(1)).

import type { CompletedCommand, CompletedOption, Kind, Model } from './model.ts';

export function renderZsh({ commands, globals, options }: Model): string {
  const valued = options.filter(({ value }) => value === 'needed');
  return `#compdef battito
# zsh completion for battito(8); made from its table of commands

_battito_names() {
  local -a names
  names=(\${(f)"$(\${words[1]} completion names $1 2>/dev/null)"})
  compadd -- $names
}

_battito() {
  local command='' sub='' previous=\${words[CURRENT-1]} i
  for ((i = 2; i < CURRENT; i++)); do
    case \${words[i]} in
      (${pattern(valued)}) ((i++)) ;;
      (-*) ;;
      (*) if [[ -z $command ]]; then command=\${words[i]}; elif [[ -z $sub ]]; then sub=\${words[i]}; fi ;;
    esac
  done
  case $previous in
${valued.map((option) => `    (--${option.name}) ${completionOf(option)}; return ;;`).join('\n')}
  esac
${options
  .filter(({ value, kind }) => value === 'optional' && kind !== null)
  .map(({ name, kind }) => `  if compset -P '--${name}='; then ${complete(kind)}; return; fi`)
  .join('\n')}
  local -a options commands
  options=(${globals.map(described).join(' ')})
  case $command in
    ('')
      commands=(${commands.map(({ name, summary }) => quote(`${name}:${summary}`)).join(' ')})
      _describe command commands
      ;;
${commands.map(commandCase).join('\n')}
  esac
  _describe -o option options
}

_battito "$@"
`;
}

function commandCase({ name, options, words, names }: CompletedCommand): string {
  const lines = [`    (${name})`];
  if (options.length > 0) lines.push(`      options+=(${options.map(described).join(' ')})`);
  if (words.length > 0) lines.push(`      [[ -n $sub ]] || compadd -- ${words.join(' ')}`);
  if (names.length > 0) {
    lines.push('      case $sub in');
    for (const { after, kind } of names)
      lines.push(`        (${after === '' ? '*' : after}) ${complete(kind)} ;;`);
    lines.push('      esac');
  }
  return [...lines, '      ;;'].join('\n');
}

const complete = (kind: Kind | null) =>
  kind === null ? ':' : kind === 'files' ? '_files' : `_battito_names ${kind}`;

const completionOf = ({ words, kind }: CompletedOption) =>
  words.length > 0 ? `compadd -- ${words.join(' ')}` : complete(kind);

const described = ({ name, help }: CompletedOption) => quote(`--${name}:${help}`);

/** In _describe a colon ends the word; within the text it need not be kept. */
const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

const pattern = (options: readonly CompletedOption[]) => options.map(({ name }) => `--${name}`).join('|');
