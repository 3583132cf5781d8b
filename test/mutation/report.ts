// What came of the mutants, in words and numbers.

import { type Accepted, accepted } from './accepted.ts';
import type { Baseline } from './baseline.ts';
import { scoreMin } from './config.ts';
import { collapse, type Mutant } from './mutant.ts';
import type { Outcome, Result } from './worker.ts';

export interface Judged {
  readonly mutant: Mutant;
  readonly outcome: Outcome | 'no-coverage';
  readonly killer: string | null;
  readonly message: string;
  /** Why it may survive; null: it may not. */
  readonly accepted: string | null;
}

export interface Tally {
  readonly mutants: number;
  readonly killed: number;
  readonly timedOut: number;
  readonly survived: number;
  readonly noCoverage: number;
  /** Among the survivors and the uncovered: known to change nothing. */
  readonly accepted: number;
  /** Percent of all mutants but the accepted; and of all. */
  readonly score: number;
  readonly scoreOfAll: number;
}

const isAlive = ({ outcome }: Judged) => outcome === 'survived' || outcome === 'no-coverage';

export const isSurvivor = (judged: Judged) => isAlive(judged) && judged.accepted === null;

const fits = (entry: Accepted, mutant: Mutant) =>
  entry.file === mutant.file &&
  entry.within === mutant.within &&
  collapse(entry.original) === mutant.original &&
  collapse(entry.replacement) === mutant.replacement;

export function judge(mutant: Mutant, result: Result | undefined, { killers }: Baseline): Judged {
  const outcome = result?.outcome ?? 'no-coverage';
  const killer = result?.killer == null ? null : (killers[result.killer]?.name ?? null);
  const reason = accepted.find((entry) => fits(entry, mutant))?.reason ?? null;
  return { mutant, outcome, killer, message: result?.message ?? '', accepted: reason };
}

/** What a mutant is called from one version of the sources to the next. */
const identity = ({ file, within, mutator, original, replacement }: Mutant) =>
  [file, within, mutator, original, replacement].join(' | ');

interface Report {
  readonly details: ReadonlyArray<Mutant & Pick<Judged, 'outcome'>>;
}

/** Those of the mutants that survived in an earlier report, which came from `toJson`. */
export function survivorsIn(report: string, mutants: readonly Mutant[]): readonly Mutant[] {
  const { details } = JSON.parse(report) as Report;
  const alive = details.filter(({ outcome }) => outcome === 'survived' || outcome === 'no-coverage');
  const wanted = new Set(alive.map(identity));
  return mutants.filter((mutant) => wanted.has(identity(mutant)));
}

export function toJson(all: readonly Judged[]): string {
  const details = all.map(({ mutant: { mutatedSource: _, ...mutant }, ...rest }) => ({ ...mutant, ...rest }));
  return JSON.stringify({ ...tally(all), scoreMin, details }, null, 2);
}

/** Entries of the list of the accepted that no surviving mutant fits any more. */
export function staleAccepted(all: readonly Judged[]): readonly Accepted[] {
  return accepted.filter((entry) => !all.some((one) => isAlive(one) && fits(entry, one.mutant)));
}

export function tally(all: readonly Judged[]): Tally {
  const count = (outcome: Judged['outcome']) => all.filter((one) => one.outcome === outcome).length;
  const dead = all.filter((one) => !isAlive(one)).length;
  const forgiven = all.filter((one) => isAlive(one) && one.accepted !== null).length;
  const percent = (of: number) => (of === 0 ? 100 : (100 * dead) / of);
  return {
    mutants: all.length,
    killed: count('killed'),
    timedOut: count('timed-out'),
    survived: count('survived'),
    noCoverage: count('no-coverage'),
    accepted: forgiven,
    score: percent(all.length - forgiven),
    scoreOfAll: percent(all.length),
  };
}

const columns = ['mutants', 'killed', 'timed out', 'survived', 'no coverage', 'accepted', '  score'] as const;

function row(name: string, { mutants, killed, timedOut, survived, noCoverage, ...rest }: Tally): string {
  const numbers = [mutants, killed, timedOut, survived, noCoverage, rest.accepted];
  return line(name, [...numbers.map(String), `${rest.score.toFixed(1)} %`]);
}

function line(name: string, cells: readonly string[]): string {
  return (
    name.padEnd(16) + cells.map((cell, index) => cell.padStart((columns[index]?.length ?? 0) + 2)).join('')
  );
}

export function renderTable(all: readonly Judged[]): string {
  const files = [...new Set(all.map(({ mutant }) => mutant.file))];
  const rows = files.map((file) => row(file, tally(all.filter(({ mutant }) => mutant.file === file))));
  return [line('', columns), ...rows, row('all', tally(all))].join('\n');
}

export function renderSurvivors(all: readonly Judged[], folder: string): string {
  return all
    .filter(isSurvivor)
    .map(({ mutant, outcome }) => {
      const { file, line: at, column, within, mutator, original, replacement } = mutant;
      const note = outcome === 'no-coverage' ? ' (never reached)' : '';
      return `${folder}/${file}:${at}:${column} ${within}: ${mutator}${note}\n  - ${original}\n  + ${replacement}`;
    })
    .join('\n');
}

export function renderSummary(all: readonly Judged[], left: { wording: number; refused: number }): string {
  const { score, scoreOfAll, accepted: forgiven } = tally(all);
  const stale = staleAccepted(all);
  const crashes = all.filter(({ message }) => message.startsWith('the thread died'));
  return [
    `score ${score.toFixed(1)} %, at least ${scoreMin} % is asked for`,
    `score with the ${forgiven} accepted ones counted as survivors: ${scoreOfAll.toFixed(1)} %`,
    `not run: ${left.wording} in wording for people, ${left.refused} that the compiler refuses`,
    ...crashes.map(({ mutant, message }) => `mutant ${mutant.id}: ${message}`),
    ...stale.map(({ file, within, original, replacement }) => {
      return `in accepted.ts, but no survivor (any more): ${file} ${within}: ${original} -> ${replacement}`;
    }),
  ].join('\n');
}
