// drbdadm and drbdsetup on PATH that are a script (drbd-tools.sh), for tests that run one after the other.

import { execFileSync } from 'node:child_process';
import { chmod, copyFile, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { type Logger, pino } from 'pino';
import {
  createDrbdDriver,
  type DrbdDriver,
  type DrbdDriverOptions,
} from '../../../daemon/drivers/drbd/drbd.ts';
import { createDrbdMonitor, type DrbdMonitor } from '../../../daemon/drivers/drbd/monitor.ts';
import { temporaryDirectory, waitFor } from '../../support.ts';

const initial = {
  UP: 'yes',
  ROLE: 'Secondary',
  SUSP: 'no',
  CONN: 'Connected',
  PEERROLE: 'Secondary',
  REPL: 'Established',
  DISK: 'UpToDate',
  PEERDISK: 'UpToDate',
  /** One that no host has. */
  MINOR: '98765',
};
export type FakeState = typeof initial;

export interface FakeDrbd {
  readonly directory: string;
  readonly procFile: string;
  readonly logger: Logger;
  /** What was logged, at warn and above. */
  readonly complaints: () => readonly string[];
  /** Bash, read before the script answers: a `case "$tool $*" in ...`; see drbd-tools.sh. */
  override(script: string): Promise<void>;
  /** Changes what is so, and tells the stream. */
  become(changes: Partial<FakeState>): void;
  /** The calls so far, without those that only look. */
  calls(): Promise<readonly string[]>;
  allCalls(): Promise<readonly string[]>;
}

const proc84 = 'version: 8.4.11 (api:1/proto:86-101)\nsrcversion: 0\n';

/** Ends with the test; PATH, too. */
export async function fakeDrbd(t: ExecutionContext, state: Partial<FakeState> = {}): Promise<FakeDrbd> {
  const directory = temporaryDirectory(t);
  const script = join(directory, 'tools.sh');
  await copyFile(join(import.meta.dirname, 'drbd-tools.sh'), script);
  await chmod(script, 0o755);
  for (const tool of ['drbdadm', 'drbdsetup', 'modprobe', 'modinfo', 'set-state']) {
    await symlink('tools.sh', join(directory, tool));
  }
  const lines = Object.entries({ ...initial, ...state }).map(([key, value]) => `${key}=${value}\n`);
  await writeFile(join(directory, 'state'), lines.join(''));
  await writeFile(join(directory, 'stream'), '');
  await writeFile(join(directory, 'argv'), '');
  const procFile = join(directory, 'proc-drbd');
  await writeFile(procFile, proc84);
  const path = process.env['PATH'] ?? '';
  process.env['PATH'] = `${directory}:${path}`;
  t.teardown(() => {
    process.env['PATH'] = path;
  });
  const said: string[] = [];
  const write = (text: string) => {
    const { level, msg, next, reason } = JSON.parse(text);
    if (level >= 40) said.push([msg, reason, next].filter(Boolean).join(' | '));
  };
  const allCalls = async () =>
    (await readFile(join(directory, 'argv'), 'utf8')).split('\n').filter((line) => line !== '');
  return {
    directory,
    procFile,
    logger: pino({ level: 'debug' }, { write }),
    complaints: () => said,
    override: (text) => writeFile(join(directory, 'override'), text),
    become(changes) {
      for (const [key, value] of Object.entries(changes)) {
        execFileSync(join(directory, 'set-state'), [key, value]);
      }
    },
    allCalls,
    calls: async () => (await allCalls()).filter((line) => !/^drbdsetup (events2|show|status)/.test(line)),
  };
}

export interface Driven {
  readonly fake: FakeDrbd;
  readonly monitor: DrbdMonitor;
  readonly driver: DrbdDriver;
}

/** A driver whose stream has been read. */
export async function drivenDrbd(
  t: ExecutionContext,
  state: Partial<FakeState> = {},
  options: Pick<DrbdDriverOptions, 'deviceOf'> = {},
): Promise<Driven> {
  const fake = await fakeDrbd(t, state);
  const { logger, procFile } = fake;
  const monitor = createDrbdMonitor({ logger, procFile });
  const driver = createDrbdDriver('r0', { ...options, monitor, logger, procFile });
  t.teardown(async () => {
    await driver.close();
    await monitor.close();
  });
  await waitFor('the stream has been read', () => driver.trouble()?.code !== 'drbd-not-read-yet');
  return { fake, monitor, driver };
}

export const soon = (ms = 20_000): AbortSignal => AbortSignal.timeout(ms);
