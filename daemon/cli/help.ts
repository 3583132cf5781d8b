// `battito help`: everything it prints is made from the table of commands.

import { exitCodes } from '../errors.ts';
import { globalOptions, nearestWord, usageError } from './arguments.ts';
import type { Command, OptionSpecs } from './command.ts';
import { allCommands, commandNames, loadCommand } from './commands.ts';
import { wrap } from './output.ts';

const helpColumns = 80;

/** What an exit code means for any command. */
export const exitCodeMeanings: Readonly<Record<number, string>> = {
  [exitCodes.ok]: 'done, or all is well',
  [exitCodes.failed]: 'refused or failed; the message says why and what to do',
  [exitCodes.degraded]: 'it runs, but something needs attention',
  [exitCodes.usage]: 'the command line was not understood',
  [exitCodes.unavailable]: 'no daemon answers at the control socket',
  [exitCodes.timedOut]: 'not done in time; it may still be under way',
  [exitCodes.noPermission]: 'not allowed: run it as root',
  [exitCodes.config]: 'the configuration or the key file is wrong; nothing was touched',
};

export const helpCommand: Command = {
  name: 'help',
  summary: 'explain a command, or the exit codes',
  usage: ['help [COMMAND [WORD]]', 'help exit-codes'],
  description: ['Explains all commands, one command, or the exit codes.'],
  options: {},
  examples: [{ command: 'battito help takeover', meaning: 'how to take the work over' }],
  exitCodes: {},
  positionalsMax: 2,
  async run({ output }, { positionals: [topic, word] }) {
    if (topic === undefined) {
      output.line(renderHelp(await allCommands()));
      return exitCodes.ok;
    }
    if (topic === 'exit-codes' && word === undefined) {
      output.line(renderExitCodes().join('\n'));
      return exitCodes.ok;
    }
    const command = await loadCommand(topic);
    if (command === undefined) {
      const near = nearestWord(topic, [...commandNames, 'exit-codes']);
      const suggestion = near === undefined ? near : `battito help ${near}`;
      throw usageError(`there is no help on "${topic}"`, null, suggestion);
    }
    // `help drbd resolve` is the help of drbd: a word of a command has none of its own.
    const words = command.usage
      .flatMap((line) => line.split(' ').slice(1))
      .join('|')
      .split(/[^a-z-]+/);
    if (word !== undefined && !words.includes(word)) {
      const message = `${command.name} has no "${word}" to explain`;
      throw usageError(message, command, `battito help ${command.name}`);
    }
    output.line(renderCommandHelp(command));
    return exitCodes.ok;
  },
};

/** The help of `battito --help`. */
export function renderHelp(commands: readonly Command[]): string {
  return [
    'battito: two hosts that keep a floating address and its guests alive',
    '',
    'Usage: battito [OPTIONS] COMMAND [ARGUMENTS]',
    '',
    'Commands:',
    ...table(commands.map(({ name, summary }) => [name, summary])),
    '',
    'Options, before or after the command:',
    ...optionTable(globalOptions),
    '',
    ...renderExitCodes(),
    '',
    '`battito help COMMAND` explains a command.',
  ].join('\n');
}

/** The help of one command, with its exit codes. */
export function renderCommandHelp(command: Command): string {
  const [first, ...others] = command.usage;
  const meanings = { ...command.exitCodes };
  for (const code of [exitCodes.ok, exitCodes.failed, exitCodes.usage]) {
    meanings[code] ??= exitCodeMeanings[code] ?? '';
  }
  return [
    `battito ${command.name}: ${command.summary}`,
    '',
    `Usage: battito ${first}`,
    ...others.map((line) => `       battito ${line}`),
    ...command.description.flatMap((paragraph) => ['', ...wrap(paragraph, helpColumns)]),
    '',
    'Options:',
    ...optionTable({ ...command.options, ...globalOptions }),
    '',
    'Examples:',
    ...command.examples.flatMap(({ command: line, meaning }) => [`  ${line}`, `      ${meaning}`]),
    '',
    'Exit codes:',
    ...table(Object.entries(meanings)),
  ].join('\n');
}

function renderExitCodes(): string[] {
  return ['Exit codes:', ...table(Object.entries(exitCodeMeanings))];
}

function optionTable(options: OptionSpecs): string[] {
  return table(Object.entries(options).map(([name, spec]) => [optionUsage(name, spec), spec.help]));
}

/** `--yes`, `--limit N`, `--force[=RESOURCE]`. */
export function optionUsage(name: string, { value, valueOptional }: OptionSpecs[string]): string {
  if (value === undefined) return `--${name}`;
  return valueOptional === true ? `--${name}[=${value}]` : `--${name} ${value}`;
}

function table(rows: readonly (readonly [string, string])[]): string[] {
  const nameColumns = Math.max(0, ...rows.map(([name]) => name.length));
  const indent = ' '.repeat(nameColumns + 4);
  return rows.flatMap(([name, meaning]) => {
    const [first, ...rest] = wrap(meaning, Math.max(30, helpColumns - indent.length));
    return [`  ${name.padEnd(nameColumns)}  ${first}`, ...rest.map((line) => indent + line)];
  });
}
