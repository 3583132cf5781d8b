// The bench of peers: ours beside other cluster managers, on the same hosts, under the same faults, in one run. Nothing
// is asserted; the exit code is 1 only when something could not be measured (64: the command line was wrong).

import { writeFile } from 'node:fs/promises';
import { runBenchCommand } from '../command-line.ts';
import { type PeerBenchOptions, parseOptions, usage } from './options.ts';
import { runBench } from './run.ts';
import { renderResults } from './table.ts';

async function benchPeers(options: PeerBenchOptions): Promise<boolean> {
  const results = await runBench(options, (line) => process.stderr.write(`bench: ${line}\n`));
  const text = renderResults(results);
  if (options.save !== null) {
    const head = '# Beside its peers\n\nMade by `npm run bench:peers`; not written by hand.\n';
    await writeFile(options.save, `${head}\n${text}\n`);
  }
  process.stdout.write(options.json ? `${JSON.stringify(results)}\n` : `${text}\n`);
  return results.results.every(({ failures }) => failures.length === 0);
}

if (import.meta.main)
  process.exit(await runBenchCommand(process.argv.slice(2), { usage, parse: parseOptions, run: benchPeers }));
