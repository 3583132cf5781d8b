// The bench of peers: ours beside other cluster managers, on the same hosts, under the same faults, in one run. Nothing
// is asserted; the exit code is 1 only when something could not be measured (64: the command line was wrong).

import { writeFile } from 'node:fs/promises';
import { type PeerBenchOptions, parseOptions, usage } from './options.ts';
import { runBench } from './run.ts';
import { renderResults } from './table.ts';

async function main(words: readonly string[]): Promise<number> {
  let options: PeerBenchOptions | 'help';
  try {
    options = parseOptions(words);
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n${usage}\n`);
    return 64;
  }
  if (options === 'help') {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  const results = await runBench(options, (line) => process.stderr.write(`bench: ${line}\n`));
  const text = renderResults(results);
  if (options.save !== null) {
    const head = '# Beside its peers\n\nMade by `npm run bench:peers`; not written by hand.\n';
    await writeFile(options.save, `${head}\n${text}\n`);
  }
  process.stdout.write(options.json ? `${JSON.stringify(results)}\n` : `${text}\n`);
  return results.results.some(({ failures }) => failures.length > 0) ? 1 : 0;
}

if (import.meta.main) process.exit(await main(process.argv.slice(2)));
