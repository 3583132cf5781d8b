// Schedules as folders that read as stories: README.md (what happens, what must hold), commands (the schedule in
// words) and expected.log (its timeline). The words are those of daemon/sim/action-text.ts; times count from the
// world's beginning. `formatCommands` and `parseCommands` are inverse to each other.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatAction, parseTimedAction, readDuration, writeDuration } from '../../daemon/sim/action-text.ts';
import { rules, type Violation } from './checkers.ts';
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

export function formatCommands({ seed, variant, setup, steps, healAtMs }: Schedule): string {
  const settings = (Object.keys(plainSetup) as Array<keyof Setup>)
    .filter((key) => setup[key] !== plainSetup[key])
    .map((key) => `setup ${key} ${setup[key]}`);
  const lines = steps.map(
    ({ atMs, action, whenCalm: waits }) =>
      `${waits ? whenCalm : ''}${formatAction(action)} @${writeDuration(atMs - startMs)}`,
  );
  const heal = `everything is mended @${writeDuration(healAtMs - startMs)}`;
  return `${[`seed ${seed}`, `variant ${variant}`, ...settings, ...lines, heal].join('\n')}\n`;
}

const words: { readonly [K in keyof Setup]?: readonly unknown[] } = {
  guard: guards,
  beginning: beginnings,
  drbd: [...drbdFencings, 'none'],
  failback: ['manual', 'automatic'],
  guestsOn: ['device', 'filesystem'],
};

function readSetting(setup: Setup, key: string, value: string): Setup {
  if (!Object.hasOwn(plainSetup, key)) throw new Error(`there is no setup ${JSON.stringify(key)}`);
  const possible = words[key as keyof Setup];
  if (possible === undefined) {
    const number = Number(value);
    if (!Number.isFinite(number)) throw new Error(`setup ${key} is a number, not ${JSON.stringify(value)}`);
    return { ...setup, [key]: number };
  }
  if (!possible.includes(value)) throw new Error(`setup ${key} is one of ${possible.join(', ')}`);
  return { ...setup, [key]: value };
}

/** Lines that begin with # are comments. */
export function parseCommands(text: string): Schedule {
  let seed = 1;
  let variant: Schedule['variant'] = 'evidence';
  let setup = plainSetup;
  let healAtMs: number | null = null;
  const steps: Step[] = [];
  for (const line of text.split('\n').map((one) => one.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const [first = '', second = '', third = ''] = line.split(/\s+/);
    if (first === 'seed') seed = Number(second);
    else if (first === 'variant') {
      const known = variants.find((one) => one === second);
      if (known === undefined) throw new Error(`the variants are ${variants.join(', ')}`);
      variant = known;
    } else if (first === 'setup') setup = readSetting(setup, second, third);
    else if (line.startsWith('everything is mended @')) {
      healAtMs = (readDuration(line.split('@')[1] ?? '') ?? Number.NaN) + startMs;
    } else {
      const waits = line.startsWith(whenCalm);
      const { atMs, action } = parseTimedAction(waits ? line.slice(whenCalm.length) : line);
      steps.push({ atMs: atMs + startMs, action, ...(waits && { whenCalm: true }) });
    }
  }
  if (healAtMs === null || Number.isNaN(healAtMs)) throw new Error('it lacks `everything is mended @TIME`');
  return { seed, variant, setup, steps, healAtMs };
}

export function scenarioNames(): readonly string[] {
  return readdirSync(scenariosDirectory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .toSorted();
}

export function readScenario(name: string): Scenario {
  const file = (part: string) => join(scenariosDirectory, name, part);
  const expected = file('expected.log');
  return {
    name,
    readme: readFileSync(file('README.md'), 'utf8'),
    schedule: parseCommands(readFileSync(file('commands'), 'utf8')),
    expected: existsSync(expected) ? readFileSync(expected, 'utf8') : null,
  };
}

export interface Told {
  readonly log: string;
  readonly violations: readonly Violation[];
}

export function tellScenario({ schedule }: Pick<Scenario, 'schedule'>): Told {
  const { lines, result } = tell(schedule);
  return { log: `${lines.join('\n')}\n`, violations: result.violations };
}

/** What happens now is what is expected from now on. */
export function acceptScenario(name: string): void {
  const scenario = readScenario(name);
  writeFileSync(join(scenariosDirectory, name, 'expected.log'), tellScenario(scenario).log);
}

/** A folder for a schedule that was found and made small. Its story is for a person to complete. */
export function writeScenario(name: string, schedule: Schedule, violation: Violation): string {
  const directory = join(scenariosDirectory, name);
  if (existsSync(directory)) throw new Error(`${directory} is there already`);
  mkdirSync(directory, { recursive: true });
  const { rule, message } = violation;
  const readme = `# ${name}

Found by seed ${schedule.seed} (${schedule.variant}) and made small: ${message}.

Must hold: ${rule}, ${rules[rule]}.
`;
  writeFileSync(join(directory, 'README.md'), readme);
  writeFileSync(join(directory, 'commands'), formatCommands(schedule));
  writeFileSync(join(directory, 'expected.log'), tellScenario({ schedule }).log);
  return directory;
}
