// What `npm run sim -- --exhaustive` does: searches worlds and says what was found. Loaded only after a defect has been
// planted, if one is.

import { refusal } from '../options.ts';
import { asideOf, print } from '../printing.ts';
import type { Setup } from './model.ts';
import { bounds, type Report, type Size, searchIn, sizes, worldsOf } from './run.ts';
import { shownIn } from './shown.ts';

export interface Wanted {
  readonly bound?: string;
  /** The name of one world. */
  readonly only?: string;
  /** That has been planted. */
  readonly defect?: string;
}

/** The answer is the exit code: is nothing broken, and were no worlds merged that differ? */
export function searchWorlds(wanted: Wanted, isJson: boolean): number {
  const size = sizeNamed(wanted.bound);
  const worlds = chosenWorlds(size, wanted.only);
  const say = asideOf(isJson);
  const reports = worlds.map((setup) => {
    const report = searchIn(setup, bounds[size]);
    for (const line of describeReport(report)) say(line);
    return report;
  });
  if (isJson) print(JSON.stringify({ bound: size, worlds: reports }));
  else describeSum(reports).forEach(print);
  const isFound = reports.some(({ breach }) => breach !== null);
  if (wanted.defect !== undefined && !isFound) say(hintFor(wanted.defect, worlds));
  return reports.every(isSound) ? 0 : 1;
}

function sizeNamed(name = 'small'): Size {
  const size = sizes.find((one) => one === name);
  if (size === undefined) throw refusal(`--bound is ${sizes.join(' or ')}, not "${name}"`, 'say one of them');
  return size;
}

/** All worlds of a size, or the one of that name. */
function chosenWorlds(size: Size, only: string | undefined): readonly Setup[] {
  const worlds = worldsOf[size];
  if (only === undefined) return worlds;
  const chosen = worlds.filter(({ name }) => name === only);
  if (chosen.length > 0) return chosen;
  const other = sizes.find((one) => worldsOf[one].some(({ name }) => name === only));
  const names = worlds.map(({ name }) => name).join(', ');
  throw refusal(
    `--only names one of the ${size} worlds: ${names}; not "${only}"`,
    other === undefined ? 'say one of them' : `${only} is one of the ${other} ones: add --bound ${other}`,
  );
}

/** Nothing was broken although the core has a defect: where it would show. */
export function hintFor(defect: string, searched: readonly Pick<Setup, 'name'>[]): string {
  const others = (shownIn[defect] ?? []).filter((name) => searched.every((one) => one.name !== name));
  const [first] = others;
  const where =
    first === undefined
      ? `no small world is known to show it, fault schedules do: \`npm run sim -- --defects ${defect}\``
      : `it shows in ${others.join(', ')}: \`npm run sim -- --exhaustive --defect ${defect} --only ${first}\``;
  return `the planted defect ${defect} was not seen here; ${where}`;
}

function describeReport(report: Report): readonly string[] {
  const { name, what, states, transitions, depth, isComplete, breach, seconds } = report;
  const extent =
    breach === null
      ? isComplete
        ? 'complete'
        : `BOUNDED: all states up to ${depth} moves, and some beyond`
      : 'ended at the first broken promise';
  const found = breach === null ? 'nothing broken' : `BROKEN ${breach.rule}: ${breach.message}`;
  return [
    `${name}: ${what}`,
    `  ${states} states, ${transitions} transitions, ${depth} moves deep, ${extent}; ${found}; ${seconds.toFixed(1)} s`,
    `  ${report.mergesChecked} merged states examined again, ${report.mergesWrong} of them wrongly merged`,
    ...report.story.map((line) => `  ${line}`),
  ];
}

const isSound = ({ breach, mergesWrong }: Report): boolean => breach === null && mergesWrong === 0;

function describeSum(reports: readonly Report[]): readonly string[] {
  if (reports.length < 2) return [];
  const sum = (one: (report: Report) => number) => reports.reduce((all, report) => all + one(report), 0);
  const complete = reports.filter(({ isComplete }) => isComplete).length;
  return [
    `${sum(({ states }) => states)} states, ${sum(({ transitions }) => transitions)} transitions in ` +
      `${reports.length} worlds, ${complete} of them complete; ${sum(({ seconds }) => seconds).toFixed(1)} s`,
  ];
}
