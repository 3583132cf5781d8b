// The command line of `npm run sim`: which command is meant, and its options. What cannot be understood is refused
// before anything runs: what, and what is possible. Imports nothing of the core, since a defect is planted before.

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { nearestWord } from '../../daemon/cli/arguments.ts';
import { BattitoError } from '../../daemon/errors.ts';

export const usage = `npm run sim -- [--schedules N] [--seed S] [--variant X] [--workers N] [--patient] [--json]
    runs N fault schedules, 1000 if not said otherwise, from a seed on, a fresh one if not said otherwise; what is to be
    done next comes forward once the world is at rest, or with --patient not: that takes longer
npm run sim -- --story [--seed S] [--patient] [--verbose]
    tells what happens in one of them
npm run sim -- --defects [NAME...] [--schedules N] [--seed S] [--workers N] [--remember] [--json]
    looks for planted defects of the core: in the seed that is known to show it, else in up to N schedules, 20000 if
    not said otherwise, from seed S on, 1 if not said otherwise; --remember searches them all anew, in up to twenty
    times as many if need be, and writes down where each was found and what that cost
npm run sim -- --shrink SEED [--rule R] [--name NAME] [--patient]
    makes a failing schedule small and writes it to test/sim/scenarios
npm run sim -- --accept SCENARIO
    writes down what the scenario does now as what it is to do
npm run sim -- --exhaustive [--bound small|large] [--only WORLD] [--defect NAME] [--json]
    tries everything that can happen, in every order, in small worlds: in the small ones to the end, in the large ones
    as far as the bound allows; in one world only; with one planted defect in the core
With --json one JSON object goes to standard output, and what is said on the way to standard error.
exit code: 0: all is well; 1: a promise is broken, or a planted defect not found; 2: the command cannot be carried out`;

/** The name of each option's value; null: it takes none. */
const valueNames = {
  schedules: 'N',
  seed: 'S',
  variant: 'X',
  workers: 'N',
  json: null,
  story: null,
  verbose: null,
  patient: null,
  defects: null,
  remember: null,
  shrink: 'SEED',
  rule: 'R',
  name: 'NAME',
  accept: 'SCENARIO',
  exhaustive: null,
  bound: 'small|large',
  only: 'WORLD',
  defect: 'NAME',
  help: null,
} as const;

type OptionName = keyof typeof valueNames;
const optionNames = Object.keys(valueNames) as readonly OptionName[];

/** What else may be said with each command. `schedules` is what runs when none is named. */
const commands = {
  schedules: ['schedules', 'seed', 'variant', 'workers', 'patient', 'json'],
  story: ['seed', 'patient', 'verbose'],
  defects: ['schedules', 'seed', 'workers', 'remember', 'json'],
  shrink: ['rule', 'name', 'patient'],
  accept: [],
  exhaustive: ['bound', 'only', 'defect', 'json'],
  help: [],
} as const satisfies Readonly<Record<string, readonly OptionName[]>>;

export type CommandName = keyof typeof commands;
const commandNames = Object.keys(commands) as readonly CommandName[];

export interface CommandLine {
  readonly command: CommandName;
  /** Of defects; empty: all. */
  readonly names: readonly string[];
  /** Undefined: not said. */
  readonly seed: number | undefined;
  readonly schedules: number | undefined;
  readonly workers: number;
  readonly flags: ReadonlySet<OptionName>;
  /** What the other options were given. */
  readonly texts: { readonly [N in OptionName]?: string };
}

/** Beyond them a seed and a thousand million more are no longer told apart by a double. */
const seedMax = 2 ** 52;
const workersMax = 64;

export function refusal(message: string, next: string): BattitoError {
  return new BattitoError('usage', message, { next });
}

const helpHint = '`npm run sim -- --help` lists what is possible';

/** @throws BattitoError `usage` */
export function readCommandLine(words: readonly string[]): CommandLine {
  const { positionals, said, texts } = readWords(words);
  const command = commandAmong([...said]);
  for (const name of said) if (name !== command) checkBelongs(name, command);
  const [first] = positionals;
  if (command !== 'defects' && first !== undefined) {
    const near = nearestWord(first, optionNames);
    const meant = near === undefined ? helpHint : `did you mean --${near}?`;
    throw refusal(`nothing can be done with the word "${first}"`, meant);
  }
  const seed = texts.shrink === undefined ? texts.seed : texts.shrink;
  return {
    command,
    names: positionals,
    seed: wholeNumber(seed, command === 'shrink' ? 'shrink' : 'seed', 0, seedMax),
    schedules: wholeNumber(texts.schedules, 'schedules', 1, seedMax),
    workers: wholeNumber(texts.workers, 'workers', 1, workersMax) ?? availableParallelism(),
    flags: said,
    texts,
  };
}

function readWords(words: readonly string[]) {
  const options = Object.fromEntries(
    optionNames.map((name) => [name, { type: valueNames[name] === null ? 'boolean' : 'string' } as const]),
  );
  const args = words.map((word) => (word === '-h' ? '--help' : word));
  const { tokens } = parseArgs({ args, options, strict: false, allowPositionals: true, tokens: true });
  const positionals: string[] = [];
  const texts: Partial<Record<OptionName, string>> = {};
  const said = new Set<OptionName>();
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const name = optionNames.find((one) => one === token.name);
    if (name === undefined) throw unknownOption(token.rawName);
    if (said.has(name)) throw refusal(`--${name} is said twice`, 'say it once');
    said.add(name);
    const { value } = token;
    const valueName = valueNames[name];
    if (valueName === null) {
      if (value !== undefined) throw refusal(`--${name} takes no value, not "${value}"`, helpHint);
    } else if (value === undefined || value === '' || (!token.inlineValue && value.startsWith('--'))) {
      throw refusal(`--${name} needs a value`, `say --${name} ${valueName}`);
    } else texts[name] = value;
  }
  return { positionals, said, texts };
}

function unknownOption(rawName: string): BattitoError {
  const near = nearestWord(rawName.replace(/^-+/, ''), optionNames);
  return refusal(`there is no option ${rawName}`, near === undefined ? helpHint : `did you mean --${near}?`);
}

function commandAmong(said: readonly OptionName[]): CommandName {
  if (said.includes('help')) return 'help';
  const [named = 'schedules', second] = commandNames.filter(
    (name) => name !== 'schedules' && said.some((one) => one === name),
  );
  if (second !== undefined) throw refusal(`--${named} and --${second} do not go together`, 'say one of them');
  return named;
}

function checkBelongs(name: OptionName, command: CommandName): void {
  const allowed: readonly OptionName[] = commands[command];
  if (command === 'help' || allowed.includes(name)) return;
  const owners = commandNames.filter((one) => (commands[one] as readonly OptionName[]).includes(name));
  const owner = owners.map((one) => (one === 'schedules' ? 'schedules that are run' : `--${one}`)).join(', ');
  const message =
    command === 'schedules' ? `--${name} needs --${owners[0]}` : `--${name} means nothing with --${command}`;
  const next = allowed.length === 0 ? 'alone' : `with ${allowed.map((one) => `--${one}`).join(', ')}`;
  throw refusal(
    message,
    command === 'schedules' ? helpHint : `--${name} goes with ${owner}; --${command} ${next}`,
  );
}

/** At least `least`, at most `most`; undefined: not said. */
function wholeNumber(text: string | undefined, name: OptionName, least: number, most: number) {
  if (text === undefined) return undefined;
  const value = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  const range = most === seedMax && !(value > most) ? `from ${least} on` : `from ${least} to ${most}`;
  throw refusal(
    `--${name} is a whole number ${range}, not "${text}"`,
    `say such as --${name} ${Math.min(most, 1000)}`,
  );
}
