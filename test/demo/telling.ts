// How the demo tells its story: what is announced, shown and checked, on a terminal or in a file.

import { setTimeout as sleep } from 'node:timers/promises';
import { styleText } from 'node:util';
import { wrap } from '../../daemon/cli/output.ts';
import type { HostName } from '../netns/support/hosts.ts';
import type { Office } from '../netns/support/office.ts';
import type { Moment } from './looking.ts';

export const json = process.argv.includes('--json');
const stream = json ? process.stderr : process.stdout;
/** A person needs a moment to read; a file does not. */
const readingMs = stream.isTTY ? 1200 : 0;
const columns = 80;

/** What was seen and should not have been, or the other way round. */
export const problems: string[] = [];

let muted = false;
export const isMuted = (): boolean => muted;
/** An interrupted demo says no more. */
export const mute = (): void => {
  muted = true;
};
export const readingPause = (): Promise<void> => sleep(readingMs);
export const write = (text: string): void => {
  if (!muted) stream.write(`${text}\n`);
};
export const say = (text: string): void => write(wrap(text, columns).join('\n'));
export const show = (text: string): void => write(`\n${text.trimEnd()}\n`);
export const tenth = (ms: number) => Math.round(ms * 10) / 10;
export const and = (words: readonly unknown[]) => words.join(' and ');

/** Says what is going to happen. */
export async function announce(title: string, text?: string): Promise<void> {
  write(`\n${styleText('bold', wrap(title, columns).join('\n'), { stream })}`);
  if (text !== undefined) say(text);
  await readingPause();
}

/** Says what was seen; what is not as it should be fails the demo. */
export function check(holds: boolean, seen: string, problem: string): void {
  if (!holds) problems.push(problem);
  const mark = holds ? styleText('green', 'ok', { stream }) : styleText('red', 'NO', { stream });
  write(`  ${mark}  ${holds ? seen : problem}`);
}

/** Runs a command of battito on a host, and shows it as the operator there sees it. */
export async function operate(office: Office, host: HostName, ...words: string[]): Promise<number | null> {
  const { exitCode, stdout, stderr } = await office.battito(host, ...words);
  show(`root@${host}:~# battito ${words.join(' ')}\n${stdout}${stderr}`);
  await readingPause();
  return exitCode;
}

/** What happened, in the order of time, with milliseconds since `zeroMs`. */
export function timeline(moments: readonly (Moment | null)[], zeroMs: number): string {
  const known = moments.filter((moment) => moment !== null).sort((a, b) => a.atMs - b.atMs);
  const lines = known.flatMap(({ atMs, text }) => {
    const label = `${Math.round(atMs - zeroMs)} ms  `.padStart(11);
    return wrap(text, columns - label.length).map((line, index) =>
      index === 0 ? label + line : ' '.repeat(label.length) + line,
    );
  });
  return lines.join('\n');
}
