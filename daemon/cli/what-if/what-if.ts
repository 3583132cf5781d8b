// What `battito explain` and `battito simulate` have in common: which faults are meant, and how the answer is shown.

import { BattitoError, exitCodes } from '../../errors.ts';
import type { WhatIfReport } from '../../whatif/report.ts';
import { chooseScenarios, type Scenario, scenariosOf } from '../../whatif/scenarios.ts';
import type { Situation } from '../../whatif/situation.ts';
import type { Arguments, Context } from '../command.ts';
import { flag } from '../command.ts';
import { printJson } from '../output.ts';
import { renderWhatIf } from './view.ts';

const runs = 5;

export const seedsFrom = (first: number): readonly number[] =>
  Array.from({ length: runs }, (_, index) => first + index);

/** @throws BattitoError `usage` when the words name none of the faults */
export function meantScenarios(situation: Situation, words: readonly string[]): readonly Scenario[] {
  const all = scenariosOf(situation);
  if (words.length === 0) return all;
  const chosen = chooseScenarios(situation, all, words);
  if (chosen.length > 0) return chosen;
  const message = `there is no ${JSON.stringify(words.join(' '))} to ask about`;
  throw new BattitoError('usage', message, {
    exitCode: exitCodes.usage,
    next: `ask about one of: ${all.map(({ id }) => id).join(', ')}`,
  });
}

export function showReport(
  { output }: Context,
  args: Arguments,
  report: WhatIfReport,
  isDetailed: boolean,
): number {
  if (flag(args, 'json')) printJson(output, report);
  else output.line(renderWhatIf(report, output.look(), isDetailed));
  return exitCodes.ok;
}
