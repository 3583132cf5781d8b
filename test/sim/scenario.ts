// Schedules as folders that read as stories: README.md (what happens, what must hold), commands (the schedule in
// words) and expected.log (its timeline). The words are those of daemon/sim/action-text.ts; times count from the
// world's beginning. `formatCommands` and `parseCommands` are inverse to each other.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatAction, parseTimedAction, readDuration, writeDuration } from '../../daemon/sim/action-text.ts';
import { type Rule, rules, type Violation } from './checkers.ts';
import { refusal } from './options.ts';
import { isPromised } from './run.ts';
import { type Schedule, type Step, startMs, variants } from './schedule.ts';
import { beginnings, drbdFencings, guards, plainSetup, type Setup } from './setups.ts';
import { tell } from './story.ts';

export const scenariosDirectory = join(import.meta.dirname, 'scenarios');

export interface Scenario {
  readonly name: string;
  readonly readme: string;
  readonly schedule: Schedule;
  /** Null: nobody has written down yet what is expected. */
  readonly expected: string | null;
}

const whenCalm = 'when calm: ';

/** Before what comes earlier once the world has been at rest for so long. */
const atRest = (restMs: number | undefined) =>
  restMs === undefined ? '' : `at rest ${writeDuration(restMs)}: `;

export function formatCommands({ seed, variant, setup, steps, healAtMs, healRestMs }: Schedule): string {
  const settings = (Object.keys(plainSetup) as Array<keyof Setup>)
    .filter((key) => setup[key] !== plainSetup[key])
    .map((key) => `setup ${key} ${setup[key]}`);
  const lines = steps.map(
    ({ atMs, action, whenCalm: waits, restMs }) =>
      `${atRest(restMs)}${waits ? whenCalm : ''}${formatAction(action)} @${writeDuration(atMs - startMs)}`,
  );
  const heal = `${atRest(healRestMs)}everything is mended @${writeDuration(healAtMs - startMs)}`;
  return `${[`seed ${seed}`, `variant ${variant}`, ...settings, ...lines, heal].join('\n')}\n`;
}

const words: { readonly [K in keyof Setup]?: readonly unknown[] } = {
  guard: guards,
  beginning: beginnings,
  drbd: [...drbdFencings, 'none'],
  failback: ['manual', 'automatic'],
  guestsOn: ['device', 'filesystem'],
  guests: ['plain', 'ordered', 'live'],
  liveBy: ['configuration', 'both', 'command'],
};

/** Clocks may be slow as well as fast. */
const signed: ReadonlySet<string> = new Set(['primaryPpm', 'secondaryPpm']);

function readSetting(setup: Setup, key: string, value: string): Setup {
  if (!Object.hasOwn(plainSetup, key)) throw new Error(`there is no setup ${JSON.stringify(key)}`);
  const possible = words[key as keyof Setup];
  if (possible === undefined) {
    const number = Number(value);
    if (value === '' || !Number.isFinite(number) || (number < 0 && !signed.has(key)))
      throw new Error(`setup ${key} is a number of 0 or more, not ${JSON.stringify(value)}`);
    return { ...setup, [key]: number };
  }
  if (!possible.includes(value)) throw new Error(`setup ${key} is one of ${possible.join(', ')}`);
  return { ...setup, [key]: value };
}

function readSeed(word: string): number {
  if (/^[0-9]{1,16}$/.test(word)) return Number(word);
  throw new Error(`the seed is a whole number, not ${JSON.stringify(word)}`);
}

/** Lines that begin with # are comments. @throws Error that names the line */
export function parseCommands(text: string): Schedule {
  const read: Reading = { seed: 1, variant: 'evidence', setup: plainSetup, steps: [], heal: null };
  for (const [index, line] of text.split('\n').entries()) {
    try {
      readLine(read, line.trim());
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`line ${index + 1}, ${JSON.stringify(line.trim())}: ${why}`, { cause: error });
    }
  }
  const { heal, ...rest } = read;
  if (heal === null) throw new Error('it lacks `everything is mended @TIME`');
  const { atMs, restMs } = heal;
  return { ...rest, healAtMs: atMs, ...(restMs !== undefined && { healRestMs: restMs }) };
}

interface Reading {
  seed: number;
  variant: Schedule['variant'];
  setup: Setup;
  readonly steps: Step[];
  heal: { readonly atMs: number; readonly restMs: number | undefined } | null;
}

const mended = 'everything is mended @';

/** `at rest 300ms: ` before something. */
function readRest(line: string): { readonly restMs: number | undefined; readonly text: string } {
  const [, word, text] = /^at rest (\S+): (.*)$/.exec(line) ?? [];
  if (word === undefined || text === undefined) return { restMs: undefined, text: line };
  const restMs = readDuration(word);
  if (restMs === undefined) throw new Error('at rest needs a time such as 300ms');
  return { restMs, text };
}

function readLine(read: Reading, said: string): void {
  const { restMs, text: line } = readRest(said);
  if (line === '' || line.startsWith('#')) return;
  const [first = '', second = '', third = ''] = line.split(/\s+/);
  if (read.heal !== null) throw new Error('nothing comes after `everything is mended`');
  if (first === 'seed') read.seed = readSeed(second);
  else if (first === 'variant') {
    const known = variants.find((one) => one === second);
    if (known === undefined) throw new Error(`the variants are ${variants.join(', ')}`);
    read.variant = known;
  } else if (first === 'setup') read.setup = readSetting(read.setup, second, third);
  else if (line.startsWith(mended)) {
    const atMs = readDuration(line.slice(mended.length));
    if (atMs === undefined) throw new Error('it needs a time such as @20s');
    read.heal = { atMs: inOrder(read, atMs + startMs), restMs };
  } else {
    const waits = line.startsWith(whenCalm);
    const { atMs, action } = parseTimedAction(waits ? line.slice(whenCalm.length) : line);
    read.steps.push({
      atMs: inOrder(read, atMs + startMs),
      action,
      ...(waits && { whenCalm: true }),
      ...(restMs !== undefined && { restMs }),
    });
  }
}

function inOrder({ steps }: Reading, atMs: number): number {
  if (atMs < (steps.at(-1)?.atMs ?? 0)) throw new Error('it is earlier than the line before');
  return atMs;
}

export function scenarioNames(): readonly string[] {
  return readdirSync(scenariosDirectory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .toSorted();
}

const kebab = /^[a-z0-9]+(-[a-z0-9]+)*$/;

function checkName(name: string): void {
  if (kebab.test(name)) return;
  const next = 'a scenario has a name of small letters, figures and single hyphens, such as one-host-cut-off';
  throw refusal(`"${name}" cannot be the name of a scenario`, next);
}

/** Throws where it is no name, or is taken. */
export function checkNewName(name: string): void {
  checkName(name);
  if (!existsSync(join(scenariosDirectory, name))) return;
  throw refusal(
    `there is a scenario ${name} already, in ${join(scenariosDirectory, name)}`,
    'say another --name',
  );
}

function checkExists(name: string): void {
  checkName(name);
  if (scenarioNames().includes(name)) return;
  throw refusal(`there is no scenario ${name}`, `the scenarios are ${scenarioNames().join(', ')}`);
}

export function readScenario(name: string): Scenario {
  checkExists(name);
  const file = (part: string) => join(scenariosDirectory, name, part);
  const expected = file('expected.log');
  for (const part of ['README.md', 'commands']) {
    if (existsSync(file(part))) continue;
    throw refusal(`the scenario ${name} lacks ${file(part)}`, 'put it back, or take the folder away');
  }
  return {
    name,
    readme: readFileSync(file('README.md'), 'utf8'),
    schedule: scheduleIn(file('commands')),
    expected: existsSync(expected) ? readFileSync(expected, 'utf8') : null,
  };
}

function scheduleIn(path: string): Schedule {
  try {
    return parseCommands(readFileSync(path, 'utf8'));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw refusal(
      `${path}: ${why}`,
      'the words are those of the other scenarios; `npm run sim -- --story --seed 1` shows more',
    );
  }
}

export interface Told {
  readonly log: string;
  readonly violations: readonly Violation[];
}

export function tellScenario({ schedule }: Pick<Scenario, 'schedule'>): Told {
  const { lines, result } = tell(schedule);
  return { log: `${lines.join('\n')}\n`, violations: result.violations };
}

export interface Accepted {
  readonly path: string;
  /** Promises that are broken; where there are any, nothing was written. */
  readonly broken: readonly Violation[];
}

/** What happens now is what is expected from now on. */
export function acceptScenario(name: string): Accepted {
  const scenario = readScenario(name);
  const { log, violations } = tellScenario(scenario);
  const path = join(scenariosDirectory, name, 'expected.log');
  const broken = violations.filter(({ rule }) => isPromised(rule, scenario.schedule.variant));
  if (broken.length === 0) writeFileSync(path, log);
  return { path, broken };
}

/** A folder for a schedule that was found and made small to show how `rule` breaks. */
export function writeScenario(name: string, schedule: Schedule, rule: Rule): string {
  checkNewName(name);
  const directory = join(scenariosDirectory, name);
  const { log, violations } = tellScenario({ schedule });
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'README.md'), readmeOf(name, schedule, rule, violations));
  writeFileSync(join(directory, 'commands'), formatCommands(schedule));
  writeFileSync(join(directory, 'expected.log'), log);
  return directory;
}

/** What the scenario shows; its story is for a person to complete. */
export function readmeOf(
  name: string,
  { seed, variant }: Schedule,
  rule: Rule,
  violations: readonly Violation[],
): string {
  const shown = violations.find((one) => one.rule === rule);
  const measured = violations.filter((one) => !isPromised(one.rule, variant));
  const parts = [
    `# ${name}`,
    `Found by seed ${seed} (${variant}) and made small: ${shown?.message ?? rule}.`,
    ...(measured.length > 0
      ? [`Shows what is not promised: ${brokenWords(measured)}. ${whyMeasured(variant)}`]
      : []),
    isPromised(rule, variant)
      ? `Must hold: ${rule}, ${rules[rule]}.`
      : `Must hold: whatever else is promised in ${variant}.`,
  ];
  return `${parts.join('\n\n')}\n`;
}

/** `S1 (no guest runs on two hosts at once) is broken for 40 ms`, and so on for each rule. */
function brokenWords(violations: readonly Violation[]): string {
  const byRule = Map.groupBy(violations, ({ rule }) => rule);
  return [...byRule]
    .map(([rule, same]) => {
      const ms = Math.round(Math.max(...same.map(({ lastedMs }) => lastedMs ?? 0)));
      return `${rule} (${rules[rule]}) is broken${ms === 0 ? '' : ` for ${ms} ms`}`;
    })
    .join(', ');
}

function whyMeasured(variant: Schedule['variant']): string {
  return variant === 'lying'
    ? 'Where a device says that it has powered a host off, and has not, this is measured only.'
    : 'Where several faults add up and there is no fencing, this is measured only.';
}
