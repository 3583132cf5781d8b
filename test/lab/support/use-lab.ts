// Tests in the lab: each one begins with two freshly booted nodes, says how long it took, and leaves evidence when it
// fails. The lab itself belongs to `scripts/lab test`, which names it in the environment.

import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { monotonicMs } from '../../support.ts';
import { keepEvidence } from './evidence.ts';
import type { Lab } from './lab.ts';
import { findLab } from './lifecycle.ts';
import { labVariable, listVariable } from './places.ts';

const evidenceFolder = join(import.meta.dirname, '../../../test-output/lab');

export interface LabTestOptions {
  /** False: the nodes are taken as the test before has left them. */
  readonly reset?: boolean;
}

export type LabTestBody = (t: ExecutionContext, lab: Lab) => Promise<void>;

/** The lab of this run. @throws BattitoError when there is none. */
export function useLab(): Lab {
  const { [labVariable]: name } = process.env;
  if (name === undefined || name === '') {
    throw new Error('this test needs two virtual machines; run it with ./scripts/lab test');
  }
  return findLab(name);
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

/** Registers a test that has the lab to itself. */
export function labTest(title: string, body: LabTestBody, options: LabTestOptions = {}): void {
  const { [listVariable]: isListing } = process.env;
  if (isListing !== undefined) {
    test.skip(title, () => {});
    return;
  }
  test.serial(title, async (t) => {
    const lab = useLab();
    const startedAtMs = monotonicMs();
    if (options.reset !== false) await lab.reset();
    const readyAtMs = monotonicMs();
    t.teardown(async () => {
      t.log(
        `took ${seconds(monotonicMs() - readyAtMs)}, and ${seconds(readyAtMs - startedAtMs)} to get ready`,
      );
      if (t.passed) return;
      const folder = join(
        evidenceFolder,
        title
          .toLowerCase()
          .replaceAll(/[^a-z0-9]+/g, '-')
          .slice(0, 80),
      );
      for (const file of await keepEvidence(lab, folder)) t.log(`kept: ${file}`);
    });
    await body(t, lab);
    t.pass();
  });
}
