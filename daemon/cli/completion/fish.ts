// The model as a completion for fish (complete(1)).

import type { CompletedCommand, CompletedOption, Kind, Model } from './model.ts';

export function renderFish({ commands, globals, options }: Model): string {
  const valued = options.filter(({ value }) => value === 'needed').map(({ name }) => `--${name}`);
  return `# fish completion for battito(8); made from its table of commands

# The words that are neither options nor their values, without the command's own name.
function __battito_words
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $word
            case ${valued.join(' ')}
                set skip 1
            case '-*'
            case '*'
                echo $word
        end
    end
end

# So many words, beginning with these.
function __battito_at
    set -l words (__battito_words)
    test (count $words) -eq $argv[1]; and __battito_in $argv[2..-1]
end

# Beginning with these.
function __battito_in
    set -l words (__battito_words)
    test (count $words) -ge (count $argv); or return 1
    for i in (seq (count $argv))
        test $words[$i] = $argv[$i]; or return 1
    end
end

function __battito_names
    set -l program (commandline -opc)[1]
    $program completion names $argv[1] 2>/dev/null
end

complete -c battito -f
${globals.map((option) => optionLine('', option)).join('\n')}
${commands.map(commandLines).join('\n')}
`;
}

function commandLines({ name, summary, options, words, names }: CompletedCommand): string {
  return [
    `complete -c battito -n '__battito_at 0' -a ${name} -d ${quote(summary)}`,
    ...(words.length === 0
      ? []
      : [`complete -c battito -n '__battito_at 1 ${name}' -a '${words.join(' ')}'`]),
    ...names.map(({ after, kind }) => {
      const where = after === '' ? `__battito_in ${name}` : `__battito_in ${name} ${after}`;
      return `complete -c battito -n '${where}' ${values(kind)}`;
    }),
    ...options.map((option) => optionLine(` -n '__battito_in ${name}'`, option)),
  ].join('\n');
}

function optionLine(condition: string, { name, help, value, words, kind }: CompletedOption): string {
  const line = `complete -c battito${condition} -l ${name} -d ${quote(help)}`;
  if (value === 'none') return line;
  // Without -r the value is only taken after a "=".
  // -x: a value, and no file.
  const isName = words.length > 0 || (kind !== null && kind !== 'files');
  const needed = value === 'needed' ? (isName ? ' -x' : ' -r') : '';
  const given = words.length > 0 ? ` -a '${words.join(' ')}'` : kind === null ? '' : ` ${values(kind)}`;
  return `${line}${needed}${given}`;
}

const values = (kind: Kind) => (kind === 'files' ? '-F' : `-a '(__battito_names ${kind})'`);

const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
