// A worker process: takes jobs (ranges of seeds), runs their schedules, sends a tally for each. With the name of a
// planted defect as its argument it runs the core with that defect.

import { plantDefect } from './defects.ts';
import type { Job } from './pool.ts';

const [defect] = process.argv.slice(2);
if (defect !== undefined) plantDefect(defect);

// Only now, since the core must not be loaded before a defect is planted.
const { runSchedule } = await import('./run.ts');
const { makeSchedule, variantOf } = await import('./schedule.ts');
const { readScenario } = await import('./scenario.ts');
const { addResult, emptyTally } = await import('./tally.ts');

process.on('message', ({ seedFrom, count, variants, stopsAtFirst, isPatient, scenario }: Job) => {
  const tally = emptyTally();
  if (scenario !== undefined) {
    addResult(tally, runSchedule(readScenario(scenario).schedule));
    process.send?.(tally);
    return;
  }
  for (let seed = seedFrom; seed < seedFrom + count; seed += 1) {
    if (variants !== null && !variants.includes(variantOf(seed))) continue;
    addResult(tally, runSchedule(makeSchedule(seed, isPatient)));
    if (stopsAtFirst && tally.found.length > 0) break;
  }
  process.send?.(tally);
});
process.on('disconnect', () => process.exit(0));
