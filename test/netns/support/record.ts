// Keeps journals of real daemons as fixtures, when it is asked to: BATTITO_RECORD=1. A unit test runs each of them
// through the core and wants the same effects, so they are recorded anew when the core is meant to decide otherwise:
//
//   BATTITO_RECORD=1 ./scripts/test test/netns/incident.test.ts

import { chmod, copyFile, mkdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';

const fixtures = join(import.meta.dirname, '..', '..', 'unit', 'fixtures', 'journals');
const fixtureBytesMax = 150 * 1024;

/** Copies an exported journal to the fixtures, under its own name. */
export async function keepFixture(file: string): Promise<void> {
  if (process.env['BATTITO_RECORD'] !== '1') return;
  const { size } = await stat(file);
  if (size > fixtureBytesMax) throw new Error(`${file} has ${size} bytes: too many for a fixture`);
  await mkdir(fixtures, { recursive: true });
  const kept = join(fixtures, basename(file));
  await copyFile(file, kept);
  await chmod(kept, 0o644);
}
