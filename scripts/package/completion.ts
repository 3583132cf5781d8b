// Bash completion, made from the table of commands.

import type { Command, OptionSpecs } from '../../daemon/cli/command.ts';

export function renderCompletion(commands: readonly Command[], globalOptions: OptionSpecs): string {
  const every: OptionSpecs = Object.assign({}, globalOptions, ...commands.map(({ options }) => options));
  return `# bash completion for battito(8); made from its table of commands

_battito() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      ${pattern(optionsWithValue(every))}) i=$((i + 1)) ;;
      -*) ;;
      *) command=\${COMP_WORDS[i]}; break ;;
    esac
  done
  # A value: nothing of ours, so that bash completes names of files.
  case $previous in
    ${pattern(optionsWithValue(every))}) return ;;
  esac
  local words='${optionWords(globalOptions)}'
  case $command in
    '') words+=' ${commands.map(({ name }) => name).join(' ')}' ;;
${commands.map((command) => renderCase(command, commands)).join('\n')}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _battito battito
`;
}

function renderCase({ name, options, usage }: Command, commands: readonly Command[]): string {
  const topics = name === 'help' ? commands.map((command) => command.name) : [];
  const words = [...new Set([...subcommands(usage), ...topics])];
  return `    ${name}) words+=' ${[optionWords(options), ...words].join(' ')}' ;;`;
}

/** The plain words that may follow the command: `maintenance on --for …` gives on, `incident [show|export]` both. */
function subcommands(usage: readonly string[]): string[] {
  return usage
    .map((line) => line.split(' ')[1] ?? '')
    .flatMap((word) => word.replaceAll(/[[\]]/g, '').split('|'))
    .filter((word) => /^[a-z][a-z-]*$/.test(word));
}

function optionWords(options: OptionSpecs): string {
  return Object.keys(options)
    .map((name) => `--${name}`)
    .join(' ');
}

function optionsWithValue(options: OptionSpecs): string[] {
  return Object.entries(options)
    .filter(([, spec]) => spec.type === 'string' && spec.valueOptional !== true)
    .map(([name]) => `--${name}`);
}

function pattern(words: readonly string[]): string {
  return words.join(' | ');
}
