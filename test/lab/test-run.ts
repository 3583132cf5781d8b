// `lab test`: one lab for the whole run, ava for the tests, a line for each of them, and "N passed, N failed".
// A group is a folder of test/lab. The lab is this process's and goes with it, unless it is to be kept.

import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { exitCodes } from '../../daemon/errors.ts';
import { monotonicMs } from '../support.ts';
import { type Call, usage } from './commands.ts';
import { bringUp, removeOrphans, takeDown } from './support/lifecycle.ts';
import { thisProcess } from './support/owner.ts';
import { labVariable, listVariable } from './support/places.ts';

const root = join(import.meta.dirname, '../..');
const keptName = 'test';
/** Nothing in a lab takes that long, also under emulation on a busy machine. */
const idleTimeout = '20m';

export interface Outcome {
  readonly group: string;
  readonly title: string;
  ok: boolean;
  readonly skipped: boolean;
  /** What the test said, and why it failed. */
  readonly lines: string[];
}

interface Selection {
  readonly groups: readonly string[];
  readonly titles: readonly string[];
}

export interface Run {
  readonly outcomes: readonly Outcome[];
  readonly exitCode: number | null;
  /** It came to its end, and has said how many tests there were. */
  readonly isWhole: boolean;
  /** What ava said besides. */
  readonly stderr: string;
}

/** The folders of test/lab that hold tests. */
function groupNames(): readonly string[] {
  return readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts') && name.includes('/'))
    .map((name) => name.split('/')[0] ?? '')
    .filter((name, index, all) => all.indexOf(name) === index)
    .sort();
}

/** A word that is a group's name means all of it; any other is a part of titles. */
function select(words: readonly string[]): Selection {
  const known = groupNames();
  const groups = words.filter((word) => known.includes(word));
  const titles = words.filter((word) => !known.includes(word));
  const chosen = groups.length === 0 ? known : groups;
  return { groups: chosen, titles };
}

export async function runTests({ args, tell, signal, unfinished }: Call): Promise<number> {
  const flags = new Set(args.filter((word) => word.startsWith('--')));
  for (const flag of flags) {
    if (!['--list', '--json', '--keep'].includes(flag)) throw usage(`not understood: ${flag}`);
  }
  const selection = select(args.filter((word) => !word.startsWith('--')));
  const isJson = flags.has('--json');
  if (flags.has('--list')) return await list(selection, isJson, signal);

  await removeOrphans();
  const name = flags.has('--keep') ? keptName : `test-${process.pid}`;
  const owner = thisProcess();
  const startedAtMs = monotonicMs();
  unfinished.add(name);
  await bringUp({ name, tell, signal, ...(flags.has('--keep') ? {} : { owner }) });
  tell(`the lab was up after ${seconds(monotonicMs() - startedAtMs)}`);
  try {
    // The last line on stdout is the outcome; with --json it is the only one.
    const report = isJson ? process.stderr : process.stdout;
    const run = await runAva(selection, { [labVariable]: name }, signal, (outcome) => {
      report.write(`${outcome.ok ? 'ok    ' : 'FAILED'} ${outcome.group}: ${outcome.title}\n`);
      for (const line of outcome.lines) report.write(`         ${line}\n`);
    });
    return conclude(run, isJson, monotonicMs() - startedAtMs);
  } finally {
    if (flags.has('--keep')) tell(`left up; see: ./scripts/lab --lab ${name} status`);
    else await takeDown(name);
    unfinished.delete(name);
  }
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

/** `trouble`: what is wrong with the run itself, which is a failure of its own: it broke off, or found no test. */
export function judgeRun({ outcomes, exitCode, isWhole, stderr }: Run) {
  const passed = outcomes.filter(({ ok }) => ok).length;
  const failed = outcomes.length - passed;
  const said = stderr.trim();
  if (!isWhole && outcomes.length > 0) {
    const trouble = `${said}\nava broke off with exit code ${exitCode}: the tests after these were not run`;
    return { passed, failed: failed + 1, trouble: trouble.trim() };
  }
  if (failed === 0 && (exitCode !== 0 || passed === 0)) {
    const trouble = `${said || 'no test of that name was found'}\nava ended with exit code ${exitCode}`;
    return { passed, failed: 1, trouble };
  }
  return { passed, failed, trouble: null };
}

function conclude(run: Run, isJson: boolean, tookMs: number): number {
  const { outcomes } = run;
  const { passed, failed, trouble } = judgeRun(run);
  if (trouble !== null) process.stderr.write(`lab: ${trouble}\n`);
  if (isJson) {
    const tests = outcomes.map(({ group, title, ok, lines }) => ({ group, title, ok, lines }));
    process.stdout.write(`${JSON.stringify({ passed, failed, tookMs: Math.round(tookMs), tests })}\n`);
  } else {
    process.stdout.write(`${passed} passed, ${failed} failed\n`);
  }
  return failed === 0 ? 0 : exitCodes.failed;
}

async function list(selection: Selection, isJson: boolean, signal: AbortSignal): Promise<number> {
  const { outcomes } = await runAva(selection, { [listVariable]: '1' }, signal, () => {});
  const tests = outcomes.map(({ group, title }) => ({ group, title }));
  const text = isJson
    ? JSON.stringify(tests)
    : tests.map(({ group, title }) => `${group}: ${title}`).join('\n');
  process.stdout.write(`${text}\n`);
  return 0;
}

/** Runs ava and tells of each test as soon as it has ended. */
async function runAva(
  { groups, titles }: Selection,
  environment: Readonly<Record<string, string>>,
  signal: AbortSignal,
  onOutcome: (outcome: Outcome) => void,
): Promise<Run> {
  const ava = join(root, 'node_modules/.bin/ava');
  const files = groups.map((group) => `test/lab/${group}/*.test.ts`);
  const matches = titles.map((title) => `--match=*${title}*`);
  const settings = [
    '--tap',
    '--serial',
    '--concurrency=1',
    '--no-worker-threads',
    `--timeout=${idleTimeout}`,
  ];
  const child = spawn(process.execPath, [ava, ...settings, ...matches, ...files], {
    cwd: root,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  // Its workers, too: one that is left would go on with its test, in no lab.
  const stop = () => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGTERM');
  };
  signal.addEventListener('abort', stop, { once: true });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  });
  const outcomes: Outcome[] = [];
  let isWhole = false;
  let current: Outcome | undefined;
  const finish = () => {
    if (current !== undefined) onOutcome(current);
    current = undefined;
  };
  for await (const line of createInterface({ input: child.stdout })) {
    isWhole ||= isPlan(line);
    const outcome = parseTest(line, groups.length === 1 ? groups[0] : undefined);
    if (outcome !== undefined) {
      finish();
      current = outcome;
      outcomes.push(outcome);
    } else if (current !== undefined && isSaid(line)) {
      current.lines.push(line.replace(/^\s*(#\s|\*\s)?\s*/, ''));
    }
  }
  finish();
  const exitCode = await exited;
  signal.removeEventListener('abort', stop);
  signal.throwIfAborted();
  return { outcomes, exitCode, isWhole, stderr };
}

/** A test's line of TAP: `ok 1 - smoke › hosts › title # SKIP`; of a single group, ava leaves the group's name out. */
export function parseTest(line: string, onlyGroup: string | undefined): Outcome | undefined {
  const [, bad, path = ''] = /^(not )?ok \d+ - (.*)$/.exec(line) ?? [];
  if (path === '') return undefined;
  const skipped = / # SKIP$/.test(path);
  const parts = path.replace(/ # SKIP$/, '').split(' › ');
  const title = parts.at(-1) ?? path;
  return {
    group: onlyGroup ?? parts[0] ?? '',
    title,
    ok: bad === undefined,
    skipped,
    lines: [],
  };
}

/** ava's last word but for the sums: `1..10`. */
export const isPlan = (line: string) => /^1\.\.\d+$/.test(line);

const isSaid = (line: string) =>
  line.trim() !== '' && !/^(TAP version|1\.\.|# (tests|pass|fail|skip|todo) |\s*(---|\.\.\.)$)/.test(line);
