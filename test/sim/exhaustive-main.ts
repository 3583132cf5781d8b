// `node test/sim/exhaustive-main.ts`: explores the small worlds and says what was found; exit 1 when a promise was broken.
// With --defect NAME the core is loaded with that planted defect, which the search must find.

import { parseArgs } from 'node:util';
import { plantDefect } from './defects.ts';

const usage = `exhaustive [--bound small|large] [--only NAME] [--defect NAME] [--json]`;

const print = (text: string) => void process.stdout.write(`${text}\n`);

export async function exploreSmallWorlds(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    strict: false,
    options: {
      bound: { type: 'string', default: 'small' },
      only: { type: 'string' },
      defect: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help === true) {
    print(usage);
    return 0;
  }
  const size = values.bound;
  if (size !== 'small' && size !== 'large') throw new Error('--bound is small or large');
  if (typeof values.defect === 'string') plantDefect(values.defect);
  // Only now, since the core must not be loaded before a defect is planted.
  const { bounds, describeReport, isSound, searchIn, setupsOf } = await import('./exhaustive-run.ts');
  const setups = setupsOf(size).filter(({ name }) => values.only === undefined || name === values.only);
  if (setups.length === 0) throw new Error(`there is no world ${String(values.only)}`);
  const reports = setups.map((setup) => {
    const report = searchIn(setup, bounds[size]);
    if (values.json !== true) for (const line of describeReport(report)) print(line);
    return report;
  });
  if (values.json === true) print(JSON.stringify({ bound: size, worlds: reports }));
  return reports.every(isSound) ? 0 : 1;
}

if (import.meta.main) process.exitCode = await exploreSmallWorlds(process.argv.slice(2));
