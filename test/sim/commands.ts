// What `npm run sim` does with fault schedules: runs them, tells one, makes one small, keeps one as a scenario. Each
// command prints what it found; its answer is the exit code.

import { randomInt } from 'node:crypto';
import { type Rule, rules, type Violation } from './checkers.ts';
import { type CommandLine, refusal } from './options.ts';
import { runInWorkers } from './pool.ts';
import { asideOf, print } from './printing.ts';
import { describeTally } from './report.ts';
import { runSchedule } from './run.ts';
import { acceptScenario, checkNewName, writeScenario } from './scenario.ts';
import { makeSchedule, type Variant, variantOf, variants } from './schedule.ts';
import { shrink } from './shrink.ts';
import { tell } from './story.ts';
import type { Tally } from './tally.ts';

/** The seed, which is said first. A fresh one has room for a million seeds after it. */
function announced(seed: number | undefined, isJson: boolean): number {
  const chosen = seed ?? randomInt(2 ** 31);
  asideOf(isJson)(`seed ${chosen}`);
  return chosen;
}

function variantNamed(name: string | undefined): Variant | null {
  if (name === undefined) return null;
  const variant = variants.find((one) => one === name);
  if (variant === undefined) {
    throw refusal(`there is no variant "${name}"`, `the variants are ${variants.join(', ')}`);
  }
  return variant;
}

/** How many seeds there are until so many of them are of the variant. */
function seedsWith(variant: Variant, from: number, schedules: number): number {
  let found = 0;
  let seed = from;
  for (; found < schedules; seed += 1) if (variantOf(seed) === variant) found += 1;
  return seed - from;
}

export async function simulate({ seed: given, workers, flags, ...line }: CommandLine): Promise<number> {
  const variant = variantNamed(line.texts.variant);
  const isJson = flags.has('json');
  const seed = announced(given, isJson);
  const schedules = line.schedules ?? 1000;
  const startedAt = performance.now();
  const tally = await runInWorkers({
    seedFrom: seed,
    count: variant === null ? schedules : seedsWith(variant, seed, schedules),
    variants: variant === null ? null : [variant],
    workers,
    stopsAtFirst: false,
    isPatient: flags.has('patient'),
  });
  const wallMs = performance.now() - startedAt;
  if (isJson) print(JSON.stringify({ ...figuresOf(seed, tally, wallMs), workers }));
  else for (const text of describeTally(tally, wallMs, workers)) print(text);
  return tally.found.length === 0 ? 0 : 1;
}

/** In this order, so that the seed from which all follows comes first. */
const figuresOf = (seed: number, tally: Tally, wallMs: number) => ({
  seed,
  schedules: tally.schedules,
  simulatedHours: tally.simulatedMs / 3_600_000,
  violations: tally.found,
  wallSeconds: wallMs / 1000,
  variants: tally.variants,
});

export function tellStory({ seed, flags }: CommandLine): number {
  const schedule = makeSchedule(announced(seed, false), flags.has('patient'));
  print(`${schedule.variant} ${JSON.stringify(schedule.setup)}`);
  for (const line of tell(schedule, { detailed: flags.has('verbose') }).lines) print(line);
  return 0;
}

function ruleNamed(name: string | undefined): Rule | null {
  if (name === undefined) return null;
  if (Object.hasOwn(rules, name)) return name as Rule;
  throw refusal(`there is no rule "${name}"`, `the rules are ${Object.keys(rules).join(', ')}`);
}

/** The one that is to be shown by a small schedule. */
function violationIn(seed: number, broken: readonly Violation[], wanted: Rule | null): Violation {
  const violation = broken.find(({ rule }) => wanted === null || rule === wanted);
  if (violation !== undefined) return violation;
  const others = [...new Set(broken.map(({ rule }) => rule))].join(', ');
  const next =
    others === ''
      ? '`npm run sim` names seeds that break one'
      : `it breaks ${others}; name one of them with --rule`;
  throw refusal(`seed ${seed} does not break ${wanted ?? 'any rule'}`, next);
}

/** Writes a failing schedule as a short story. */
export function shrinkSeed({ seed = 0, texts, flags }: CommandLine): number {
  const wanted = ruleNamed(texts.rule);
  if (texts.name !== undefined) checkNewName(texts.name);
  const schedule = makeSchedule(seed, flags.has('patient'));
  const violation = violationIn(seed, runSchedule(schedule).violations, wanted);
  const { rule, message } = violation;
  const words = message.split(/[^a-z0-9]+/i).filter((word) => word !== '');
  const name = texts.name ?? [rule, ...words.slice(0, 6), seed].join('-').toLowerCase();
  checkNewName(name);
  const { schedule: small, tries } = shrink(schedule, rule);
  print(
    `${rule}: ${message}: from ${schedule.steps.length} steps to ${small.steps.length} in ${tries} tries`,
  );
  print(`written to ${writeScenario(name, small, rule)}`);
  return 0;
}

export function accept({ texts: { accept: name = '' } }: CommandLine): number {
  const { path, broken } = acceptScenario(name);
  print(broken.length === 0 ? `written to ${path}` : `not written to ${path}: a promise is broken`);
  for (const { rule, message } of broken) print(`BROKEN ${rule} (${rules[rule]}): ${message}`);
  return broken.length === 0 ? 0 : 1;
}
