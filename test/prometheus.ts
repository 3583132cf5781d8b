// Prometheus and promtool as scripts/setup has put them here, or as the machine has them.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

const unpacked = resolve(import.meta.dirname, '../dist/tools/prometheus/usr/bin');

/** Throws when it is nowhere: a test that needs it does not pass without. */
export function prometheusProgram(name: 'prometheus' | 'promtool'): string {
  const own = resolve(unpacked, name);
  if (existsSync(own)) return own;
  const found = spawnSync(name, ['--version'], { encoding: 'utf8' });
  if (found.status === 0) return name;
  throw new Error(`${name} is not here; run ./scripts/setup`);
}

/** What promtool says; throws with its words where it refuses. */
export function promtool(words: readonly string[], input = ''): string {
  return execFileSync(prometheusProgram('promtool'), words, {
    input,
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: 120_000,
  });
}
