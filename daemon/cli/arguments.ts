// From the words of the command line to a command and its options. What cannot be understood is refused with
// exit code 64, the nearest valid word, and where to read on; nothing is guessed.

import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { distance } from 'fastest-levenshtein';
import { BattitoError, exitCodes } from '../errors.ts';
import type { Arguments, Command, OptionSpecs, Settings } from './command.ts';
import { allCommands, commandNames, loadCommand } from './commands.ts';

export const globalOptions = {
  config: { type: 'string', value: 'FILE', help: 'configuration; default /etc/battito/battito.yaml' },
  node: { type: 'string', value: 'NAME', help: "which node this is; default the host's short name" },
  'state-dir': {
    type: 'string',
    value: 'DIRECTORY',
    help: 'what survives a restart; default /var/lib/battito',
  },
  socket: { type: 'string', value: 'FILE', help: 'control socket; default /run/battito/control.sock' },
  help: { type: 'boolean', help: 'show help; with a command, its own' },
  version: { type: 'boolean', help: 'show the version' },
} as const satisfies OptionSpecs;

export type CommandLine =
  | { readonly kind: 'help'; readonly command: Command | null }
  | { readonly kind: 'version' }
  | { readonly kind: 'nothing' }
  | {
      readonly kind: 'run';
      readonly command: Command;
      readonly settings: Settings;
      readonly args: Arguments;
    };

const shortOptions: Readonly<Record<string, string>> = { h: 'help', V: 'version' };

type Token = NonNullable<ReturnType<typeof parseArgs>['tokens']>[number];

/** @throws BattitoError `usage`, exit code 64 */
export async function parseCommandLine(words: readonly string[]): Promise<CommandLine> {
  const name = await findCommandName(words);
  if (name === undefined) return withoutCommand(words);
  const command = await loadCommand(name);
  if (command === undefined) throw unknownCommand(name);
  const specs = { ...globalOptions, ...command.options };
  const { positionals, options } = readTokens(tokenize(words, specs), specs, command);
  if (options['help'] === true) return { kind: 'help', command };
  if (options['version'] === true) return { kind: 'version' };
  const args = { positionals: positionals.slice(1), options };
  if (args.positionals.includes('')) {
    throw usageError(`${command.name} does not know what to do with an empty word`, command);
  }
  const tooMany = args.positionals[command.positionalsMax];
  if (tooMany !== undefined) {
    throw usageError(`${command.name} does not know what to do with "${tooMany}"`, command);
  }
  return { kind: 'run', command, settings: settingsFrom(options), args };
}

function tokenize(words: readonly string[], specs: OptionSpecs): Token[] {
  // What need not have a value never takes the next word for it.
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, { type, valueOptional }]) => [
      name,
      { type: valueOptional === true ? ('boolean' as const) : type },
    ]),
  );
  const args = words.map((word) => {
    const long = /^-[a-zA-Z]$/.test(word) ? shortOptions[word[1] ?? ''] : undefined;
    return long === undefined ? word : `--${long}`;
  });
  return parseArgs({ args, options, strict: false, allowPositionals: true, tokens: true }).tokens;
}

/** The first word that is not an option or the value of one. Only an option of a command before it costs more. */
async function findCommandName(words: readonly string[]): Promise<string | undefined> {
  const known = readUpToCommand(words, globalOptions);
  if (known.unknownOption === undefined) return known.name;
  const every = await everyOption();
  const { name, unknownOption: rawName } = readUpToCommand(words, every);
  // Whether the word after it is its value or the command cannot be told, so nothing is said of that word.
  if (rawName !== undefined) throw unknownOption(rawName, every, null);
  return name;
}

function readUpToCommand(words: readonly string[], specs: OptionSpecs) {
  const tokens = tokenize(words, specs);
  const command = tokens.findIndex(({ kind }) => kind === 'positional');
  const before = command < 0 ? tokens : tokens.slice(0, command);
  const unknown = before.find((token) => token.kind === 'option' && !Object.hasOwn(specs, token.name));
  const token = tokens[command];
  return {
    name: token?.kind === 'positional' ? token.value : undefined,
    unknownOption: unknown?.kind === 'option' ? unknown.rawName : undefined,
  };
}

async function everyOption(): Promise<OptionSpecs> {
  const commands = await allCommands();
  return Object.assign({}, globalOptions, ...commands.map(({ options }) => options)) as OptionSpecs;
}

async function withoutCommand(words: readonly string[]): Promise<CommandLine> {
  const every = await everyOption();
  const { options } = readTokens(tokenize(words, every), every, null);
  if (options['help'] === true) return { kind: 'help', command: null };
  if (options['version'] === true) return { kind: 'version' };
  return { kind: 'nothing' };
}

function readTokens(tokens: readonly Token[], specs: OptionSpecs, command: Command | null) {
  const positionals: string[] = [];
  const options: Record<string, boolean | string | string[]> = {};
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const { name, value } = token;
    const spec = Object.hasOwn(specs, name) ? specs[name] : undefined;
    if (spec === undefined) throw unknownOption(token.rawName, specs, command);
    if (spec.type === 'boolean') {
      if (value !== undefined) throw usageError(`--${name} takes no value`, command);
      options[name] = true;
    } else if (spec.valueOptional === true && value === undefined) {
      options[name] = [...((options[name] as string[] | undefined) ?? []), ''];
    } else if (spec.valueOptional === true && value === '') {
      const form = `--${name}=${spec.value ?? 'VALUE'}`;
      throw usageError(`--${name}= needs a value: ${form}`, command);
    } else if (value === undefined || value === '' || (!token.inlineValue && isOptionWord(value))) {
      throw usageError(`--${name} needs a value: --${name} ${spec.value ?? 'VALUE'}`, command);
    } else if (spec.multiple === true) {
      options[name] = [...((options[name] as string[] | undefined) ?? []), value];
    } else {
      options[name] = value;
    }
  }
  return { positionals, options };
}

/** A number below nothing is no option: whoever takes the value says what is wrong with it. */
const isOptionWord = (word: string) => word.startsWith('-') && !/^-[0-9]/.test(word);

function settingsFrom(options: Arguments['options']): Settings {
  const value = (name: string, otherwise: string) => {
    const given = options[name];
    return typeof given === 'string' ? given : otherwise;
  };
  return {
    configPath: value('config', '/etc/battito/battito.yaml'),
    node: value('node', shortHostName(hostname())),
    stateDir: value('state-dir', '/var/lib/battito'),
    socketPath: value('socket', '/run/battito/control.sock'),
  };
}

export function shortHostName(name: string): string {
  return name.split('.')[0] ?? name;
}

/** The candidate that `word` was probably meant to be; undefined when none is near. */
export function nearestWord(word: string, candidates: readonly string[]): string | undefined {
  const beginning = candidates.filter((candidate) => word.length > 1 && candidate.startsWith(word));
  if (beginning.length === 1) return beginning[0];
  const [best] = candidates
    .map((candidate) => ({ candidate, edits: distance(word.toLowerCase(), candidate) }))
    .sort((a, b) => a.edits - b.edits);
  return best !== undefined && best.edits <= Math.max(2, best.candidate.length / 3)
    ? best.candidate
    : undefined;
}

/** `next` is what was probably meant, else where the valid words are. */
export function usageError(message: string, command: Command | null, suggestion?: string): BattitoError {
  const help = command === null ? 'battito --help' : `battito ${command.name} --help`;
  return new BattitoError('usage', message, {
    exitCode: exitCodes.usage,
    next: suggestion === undefined ? `\`${help}\` lists what is possible` : `did you mean \`${suggestion}\`?`,
  });
}

function unknownCommand(name: string): BattitoError {
  const near = nearestWord(name, commandNames);
  return usageError(`there is no command "${name}"`, null, near === undefined ? near : `battito ${near}`);
}

function unknownOption(rawName: string, specs: OptionSpecs, command: Command | null): BattitoError {
  const near = nearestWord(rawName.replace(/^-+/, ''), Object.keys(specs));
  const whose = command === null ? 'there is no option' : `${command.name} has no option`;
  return usageError(`${whose} "${rawName}"`, command, near === undefined ? near : `--${near}`);
}
