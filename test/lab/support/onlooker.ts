// A client on the LAN that looks at a guest all the time, on whichever node it runs: what it was shown, when, by whom.

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ExecutionContext } from 'ava';
import { waitFor } from '../../support.ts';
import { patience } from './cluster.ts';
import type { Lab } from './lab.ts';
import { type NodeName, nodeNames } from './plan.ts';

const lookerFile = join(import.meta.dirname, 'looker.ts');

export interface Sight {
  /** Of this machine's clock that only goes on. */
  readonly atMs: number;
  readonly node: NodeName;
  readonly count: number;
}

export class Onlooker {
  readonly sights: Sight[] = [];

  constructor(child: ChildProcess) {
    if (child.stdout === null) throw new Error('the looker has no output');
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.sights.push(JSON.parse(line) as Sight);
    });
  }

  /** Waits until the guest was seen to count on from now. */
  async sees(more = 3): Promise<void> {
    const before = this.sights.length;
    await waitFor(
      'the client sees the guest count on',
      () => this.sights.length >= before + more || Promise.reject(new Error(this.#last())),
      patience,
    );
  }

  #last(): string {
    const { count, node } = this.sights.at(-1) ?? {};
    return count === undefined ? 'nothing was seen' : `${count} on ${node} was the last`;
  }

  /** Between two counts. */
  longestGap(): { readonly ms: number; readonly text: string } {
    const gaps = this.sights.slice(1).map((sight, index) => {
      const before = this.sights[index] ?? sight;
      const ms = Math.round(sight.atMs - before.atMs);
      return {
        ms,
        text: `${ms} ms, from ${before.count} on ${before.node} to ${sight.count} on ${sight.node}`,
      };
    });
    return gaps.reduce((longest, gap) => (gap.ms > longest.ms ? gap : longest), { ms: 0, text: 'none' });
  }
}

/** Looks from now on until the test is over. */
export function lookAtGuest(t: ExecutionContext, lab: Lab, port: number): Onlooker {
  const ends = nodeNames.map((name) => `${name}=${lab.node(name).address('lan')}:${port}`);
  const argv = ['netns', 'exec', lab.places.namespaceOf.client, process.execPath, lookerFile, ...ends];
  const child = spawn('ip', argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill());
  return new Onlooker(child);
}
