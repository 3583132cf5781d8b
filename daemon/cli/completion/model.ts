// What a shell may complete, read from the table of commands: words, options, and what kind of name stands where. Pure.

import type { Command, OptionSpecs } from '../command.ts';

/** Names that only the cluster knows, and files, which the shell knows itself. */
export const nameKinds = ['groups', 'nodes', 'guests', 'disks', 'codes'] as const;
export type NameKind = (typeof nameKinds)[number];
export type Kind = NameKind | 'files';

export interface CompletedOption {
  readonly name: string;
  readonly help: string;
  readonly value: 'none' | 'needed' | 'optional';
  readonly words: readonly string[];
  readonly kind: Kind | null;
}

export interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly CompletedOption[];
  /** What may follow the command. */
  readonly words: readonly string[];
  /** What kind of name follows it, or one of its words. */
  readonly names: readonly { readonly after: string; readonly kind: Kind }[];
}

export interface Model {
  readonly commands: readonly CompletedCommand[];
  readonly globals: readonly CompletedOption[];
  /** Of all commands, each name once. */
  readonly options: readonly CompletedOption[];
}

export function modelOf(commands: readonly Command[], globals: OptionSpecs): Model {
  const names = commands.map(({ name }) => name);
  const completed = commands.map((command): CompletedCommand => {
    const { name, summary, options, usage } = command;
    const lines = usage.map((line) =>
      line
        .split(' ')
        .slice(1)
        .map((word) => word.replaceAll(/[[\].']/g, '')),
    );
    const first = lines.flatMap(([word = '']) => word.split('|')).filter(isWord);
    return {
      name,
      summary,
      options: optionsOf(options, name),
      words: [...new Set([...first, ...(name === 'help' ? names : [])])],
      names: lines.flatMap(([word = '', next = '']) => {
        const own = kindOf(word, name);
        const below = isWord(word.split('|')[0] ?? '') ? kindOf(next, name) : null;
        return [
          ...(own === null ? [] : [{ after: '', kind: own }]),
          ...(below === null ? [] : word.split('|').map((after) => ({ after, kind: below }))),
        ];
      }),
    };
  });
  const every = [...optionsOf(globals, ''), ...completed.flatMap(({ options }) => options)];
  return {
    commands: completed.map((command) => ({ ...command, names: unique(command.names) })),
    globals: optionsOf(globals, ''),
    options: [...new Map(every.toReversed().map((option) => [option.name, option])).values()].toReversed(),
  };
}

const isWord = (word: string) => /^[a-z][a-z-]*$/.test(word);

const unique = <T>(items: readonly T[]): readonly T[] => [
  ...new Map(items.map((item) => [JSON.stringify(item), item])).values(),
];

function optionsOf(specs: OptionSpecs, command: string): CompletedOption[] {
  return Object.entries(specs).map(([name, { type, value = '', valueOptional, help }]) => {
    const words = value.includes('|') && value === value.toLowerCase() ? value.split('|') : [];
    return {
      name,
      help,
      value: type === 'boolean' ? 'none' : valueOptional === true ? 'optional' : 'needed',
      words,
      kind: name === 'node' ? 'nodes' : name === 'resource' ? 'disks' : kindOf(value, command),
    };
  });
}

const kinds: Readonly<Record<string, Kind>> = {
  GROUP: 'groups',
  NODE: 'nodes',
  RESOURCE: 'disks',
  CODE: 'codes',
  FILE: 'files',
  DIRECTORY: 'files',
  PATH: 'files',
  'FILE|DIRECTORY': 'files',
};

function kindOf(placeholder: string, command: string): Kind | null {
  if (placeholder === 'NAME') return command === 'guests' ? 'guests' : command === 'drbd' ? 'disks' : null;
  return kinds[placeholder] ?? null;
}
