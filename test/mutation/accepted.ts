// Mutants that survive and may: each changes nothing that anybody could see, for the reason given. Matched by the
// text of the source, not by line; one that matches nothing, or is killed after all, is reported, so that it goes.

export interface Accepted {
  readonly file: string;
  /** The top-level function or constant that it is in. */
  readonly within: string;
  readonly original: string;
  readonly replacement: string;
  readonly reason: string;
}

const guardsTable =
  'a table that does not settle is a defect that this only names; no input of the present table is one';
const savesWork =
  'with no question open nothing is answered and the group stays as it is: it only saves work';

export const accepted: readonly Accepted[] = [
  {
    file: 'facts.ts',
    within: 'lastOwner',
    original: 'own.generation > report.generation',
    replacement: 'own.generation >= report.generation',
    reason: 'they differ here',
  },
  {
    file: 'ledger.ts',
    within: 'isNewer',
    original: 'report.generation > known.generation',
    replacement: 'report.generation >= known.generation',
    reason: 'they differ here',
  },
  {
    file: 'machine.ts',
    within: 'runMachine',
    original: 'rounds += 1',
    replacement: 'rounds -= 1',
    reason: guardsTable,
  },
  {
    file: 'machine.ts',
    within: 'runMachine',
    original: 'rounds > maxRounds',
    replacement: 'false',
    reason: guardsTable,
  },
  {
    file: 'machine.ts',
    within: 'runMachine',
    original: 'rounds > maxRounds',
    replacement: 'rounds >= maxRounds',
    reason: guardsTable,
  },
  {
    file: 'observations.ts',
    within: 'answerOutdatings',
    original: 'outdatings.length > 0',
    replacement: 'true',
    reason: savesWork,
  },
  {
    file: 'observations.ts',
    within: 'answerOutdatings',
    original: 'outdatings.length > 0',
    replacement: 'outdatings.length >= 0',
    reason: savesWork,
  },
  {
    file: 'same.ts',
    within: 'isAlike',
    original: 'index < a.length',
    replacement: 'index <= a.length',
    reason: 'behind their ends two lists of the same length have the same: nothing',
  },
  {
    file: 'step.ts',
    within: 'nextWake',
    original: 'at < wakeAt',
    replacement: 'at <= wakeAt',
    reason: 'it would be given the value that it has',
  },
];
