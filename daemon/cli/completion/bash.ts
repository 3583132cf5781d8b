// The model as a completion for bash (bash-completion loads it by the command's name).

import type { CompletedCommand, CompletedOption, Model } from './model.ts';

export function renderBash({ commands, globals, options }: Model): string {
  const valued = options.filter(({ value }) => value === 'needed');
  return `# bash completion for battito(8); made from its table of commands

_battito() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command='' sub='' i
  COMPREPLY=()
  # bash takes --force=NAME apart at the sign.
  if [[ $word == '=' ]]; then
    word=''
  elif [[ $previous == '=' ]]; then
    previous=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      ${pattern(valued)}) i=$((i + 1)) ;;
      -* | '=') ;;
      *)
        if [[ -z $command ]]; then command=\${COMP_WORDS[i]}; elif [[ -z $sub ]]; then sub=\${COMP_WORDS[i]}; fi
        ;;
    esac
  done
  local words='' kind=''
  case $previous in
${options
  .filter(({ value }) => value !== 'none')
  .map((option) => `    --${option.name}) ${completionOf(option)} ;;`)
  .join('\n')}
  esac
  if [[ -z $words && -z $kind ]]; then
    # The value of an option: nothing of ours, so that bash completes names of files.
    case $previous in
      ${pattern(valued)}) return ;;
    esac
    words='${optionWords(globals)}'
    case $command in
      '') words+=' ${commands.map(({ name }) => name).join(' ')}' ;;
${commands.map(commandCase).join('\n')}
    esac
  fi
  [[ -z $kind || $kind == files ]] || words+=" $("\${COMP_WORDS[0]}" completion names "$kind" 2>/dev/null)"
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _battito battito
`;
}

function commandCase({ name, options, words, names }: CompletedCommand): string {
  const lines = [`      ${name})`];
  if (options.length > 0) lines.push(`        words+=' ${optionWords(options)}'`);
  if (words.length > 0) lines.push(`        [[ -n $sub ]] || words+=' ${words.join(' ')}'`);
  if (names.length > 0) {
    lines.push('        case $sub in');
    for (const { after, kind } of names)
      lines.push(`          ${after === '' ? '*' : after}) kind=${kind} ;;`);
    lines.push('        esac');
  }
  return [...lines, '        ;;'].join('\n');
}

const completionOf = ({ words, kind }: CompletedOption) =>
  words.length > 0 ? `words='${words.join(' ')}'` : kind === null || kind === 'files' ? ':' : `kind=${kind}`;

const optionWords = (options: readonly CompletedOption[]) => options.map(({ name }) => `--${name}`).join(' ');

const pattern = (options: readonly CompletedOption[]) => options.map(({ name }) => `--${name}`).join(' | ');
