// The bench of peers does what it says, with ours and keepalived: order and outcome, never speed.

import { join } from 'node:path';
import test from 'ava';
import { runCommand } from '../../daemon/drivers/command.ts';
import type { Results } from '../bench/peers/results.ts';

const bench = join(import.meta.dirname, '../bench/peers/main.ts');

test('a power loss under ours and under keepalived: each moves the address once, and the table has both', async (t) => {
  t.timeout(14 * 60_000); // keepalived's Debian may have to be made first.
  const words = ['--only', 'battito-500ms,keepalived-1s', '--faults', 'power-loss', '--runs', '1', '--json'];
  const times = ['--load-seconds', '0', '--cost-seconds', '1'];
  const result = await runCommand([process.execPath, bench, ...words, ...times], { timeoutMs: 13 * 60_000 });
  t.is(result.exitCode, 0, result.stderr);
  const { results } = JSON.parse(result.stdout) as Results;
  t.deepEqual(
    results.map(({ configuration }) => configuration.id),
    ['battito-500ms', 'keepalived-1s'],
    'in the order of the table',
  );
  for (const { configuration, version, outcomes, cost, failures } of results) {
    const { id } = configuration;
    t.deepEqual(failures, [], id);
    t.regex(version, /^\d/, id);
    t.is(outcomes['power-loss'].length, 1, id);
    const [loss] = outcomes['power-loss'];
    t.is(loss?.takings, 1, id);
    t.is(loss?.bothMs, 0, `${id}: the dark host is not one that a client could reach`);
    t.true((loss?.gapMs ?? 0) > 100, `${id}: a power loss is felt`);
    t.true((cost?.pssMb ?? 0) > 1 && (cost?.packetsPerSecond ?? 0) > 0, id);
  }
  const progress = result.stderr.split('\n').filter((line) => line.includes('power-loss'));
  t.deepEqual(
    progress.map((line) => /bench: (\S+), run/.exec(line)?.[1]),
    ['battito-500ms', 'keepalived-1s'],
  );
});
