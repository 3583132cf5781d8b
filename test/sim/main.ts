// `npm run sim`: reads what was asked for and does it; see the usage below. What loads the core is imported only then,
// since a defect must be planted before.

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';

const usage = `npm run sim -- [--schedules N] [--seed S] [--variant X] [--workers N] [--json]
    runs N fault schedules, 1000 if not said otherwise, from a seed on, a fresh one if not said otherwise
npm run sim -- --story [--seed S] [--verbose]
    tells what happens in one of them
npm run sim -- --defects [NAME...] [--schedules N] [--seed S] [--workers N] [--remember] [--json]
    looks for planted defects of the core in up to N schedules each, 20000 if not said otherwise
npm run sim -- --shrink SEED [--rule R] [--name NAME]
    makes a failing schedule small and writes it to test/sim/scenarios
npm run sim -- --accept SCENARIO
    writes down what the scenario does now as what it is to do
npm run sim -- --exhaustive [--bound small|large] [--only WORLD] [--defect NAME] [--json]
    tries everything that can happen, in every order, in small worlds: in the small ones to the end, in the large ones
    as far as the bound allows; in one world only; with one planted defect in the core
exit code: 0: all is well; 1: a promise is broken, or a planted defect not found; 2: the command cannot be carried out`;

const options = {
  schedules: { type: 'string' },
  seed: { type: 'string' },
  variant: { type: 'string' },
  workers: { type: 'string' },
  json: { type: 'boolean', default: false },
  story: { type: 'boolean' },
  verbose: { type: 'boolean', default: false },
  defects: { type: 'boolean' },
  remember: { type: 'boolean', default: false },
  shrink: { type: 'string' },
  rule: { type: 'string' },
  name: { type: 'string' },
  accept: { type: 'string' },
  exhaustive: { type: 'boolean' },
  bound: { type: 'string', default: 'small' },
  only: { type: 'string' },
  defect: { type: 'string' },
  help: { type: 'boolean' },
} as const;

const read = () => parseArgs({ allowPositionals: true, tokens: true, options });
type Given = ReturnType<typeof read>;
type Values = Given['values'];

function count(text: string | undefined, what: string, least = 0): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < least) {
    throw new Error(`--${what} is a whole number${least > 0 ? ` from ${least} on` : ''}, not "${text}"`);
  }
  return value;
}

async function help(): Promise<number> {
  const { variants } = await import('./schedule.ts');
  const { sizes, worldsOf } = await import('./exhaustive/run.ts');
  const worlds = sizes.map((size) => `${size} worlds: ${worldsOf[size].map(({ name }) => name).join(', ')}`);
  const lines = [usage, `variants: ${variants.join(', ')}`, ...worlds, 'defects: test/sim/planted.ts'];
  process.stdout.write(`${lines.join('\n')}\n`);
  return 0;
}

async function searchSmallWorlds({ bound, only, defect, json }: Values): Promise<number> {
  if (bound !== 'small' && bound !== 'large') throw new Error(`--bound is small or large, not "${bound}"`);
  if (defect !== undefined) (await import('./defects.ts')).plantDefect(defect);
  const { searchWorlds } = await import('./exhaustive/run.ts');
  const print = (text: string) => void process.stdout.write(`${text}\n`);
  return searchWorlds({ size: bound, only, isJson: json, print }) ? 0 : 1;
}

const seedIn = ({ seed }: Values) => count(seed, 'seed');

const runOptions = (values: Values) => ({
  seed: seedIn(values),
  schedules: count(values.schedules, 'schedules', 1),
  workers: count(values.workers, 'workers', 1) ?? availableParallelism(),
  isJson: values.json,
});

const work = () => import('./commands.ts');

interface Command {
  /** What else may be said with it. */
  readonly options: ReadonlyArray<keyof typeof options>;
  /** The answer is the exit code. */
  readonly run: (values: Values, positionals: readonly string[]) => Promise<number>;
}

/** `schedules` is what runs when none is named. */
const commands: Readonly<Record<string, Command>> = {
  schedules: {
    options: ['schedules', 'seed', 'variant', 'workers', 'json'],
    run: async (values) => (await work()).simulate({ ...runOptions(values), variant: values.variant }),
  },
  story: {
    options: ['seed', 'verbose'],
    run: async (values) => (await work()).tellStory(seedIn(values), values.verbose),
  },
  defects: {
    options: ['schedules', 'seed', 'workers', 'remember', 'json'],
    run: async (values, names) =>
      (await work()).findDefects(names, { ...runOptions(values), remember: values.remember }),
  },
  shrink: {
    options: ['rule', 'name'],
    run: async (values) => (await work()).shrinkSeed(count(values.shrink, 'shrink') ?? 0, values),
  },
  accept: {
    options: [],
    run: async ({ accept }) => {
      (await import('./scenario.ts')).acceptScenario(accept ?? '');
      return 0;
    },
  },
  exhaustive: { options: ['bound', 'only', 'defect', 'json'], run: searchSmallWorlds },
};

/** The one command that was given. Throws when something was said that does not belong to it. */
function commandIn({ values, positionals, tokens }: Given): Command {
  if (values.help) return { options: [], run: help };
  const said = tokens.flatMap((token) => (token.kind === 'option' ? [token.name] : []));
  const [named, second] = new Set(said.filter((name) => name !== 'schedules' && name in commands));
  if (second !== undefined) throw new Error(`--${named} and --${second} do not go together`);
  const command = commands[named ?? 'schedules'] as Command;
  for (const name of said) {
    if (name === named || command.options.some((option) => option === name)) continue;
    const [owner] =
      Object.entries(commands).find(([, one]) => one.options.some((option) => option === name)) ?? [];
    throw new Error(
      named === undefined ? `--${name} needs --${owner}` : `--${name} means nothing with --${named}`,
    );
  }
  const [first] = positionals;
  if (named !== 'defects' && first !== undefined) throw new Error(`what is "${first}"?`);
  return command;
}

try {
  const given = read();
  process.exitCode = await commandIn(given).run(given.values, given.positionals);
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`sim: ${message}\n`);
  process.exitCode = 2;
}
