// One long-lived `ip -batch -`, so that an address is added or removed without a process being started for it: that costs
// a busy host tens of milliseconds, a line through a pipe less than one.
// Guarantees: a line is carried out at once or never; when no answer comes for half a second the process is killed,
// and only when it is gone is that said, so nothing that it was told happens later. Must not judge what the kernel shows.

import type { Logger } from 'pino';
import { type InterfaceState, parseInterfaces } from '../network.ts';
import { keepAsked } from './asked-process.ts';
import { readIndex } from './interface-files.ts';

export interface IpBatch {
  /** Has it look at an interface that it will be asked for: what it need not look up then comes sooner. */
  prepare(networkInterface: string): void;
  /**
   * Carries the words of one `ip` command out, and then reads the interface.
   *
   * @returns what the kernel shows of it; null: nobody knows whether that was done, or it was not, since no process runs,
   * it did not answer in time, `signal` was aborted, or there is no such interface. Never rejects.
   */
  perform(
    words: readonly string[],
    networkInterface: string,
    signal: AbortSignal,
  ): Promise<InterfaceState | null>;
  close(): Promise<void>;
}

/** `-force`: a line that fails does not end it. */
const argv = ['ip', '-j', '-force', '-batch', '-'];
const prepareTimeoutMs = 5000;
/** There always is one, so its line tells that everything before was answered. */
const lastInterface = 'lo';

export interface IpBatchOptions {
  readonly logger: Logger;
  /** Tests give another program, and interfaces that the kernel does not have. */
  readonly argv?: readonly string[];
  readonly indexOf?: (networkInterface: string) => number | null;
  readonly answerTimeoutMs?: number;
}

export function createIpBatch(options: IpBatchOptions): IpBatch {
  const { logger, indexOf = readIndex, answerTimeoutMs } = options;
  /** Which number it remembers for a name. */
  const remembered = new Map<string, number>();
  /** What it was asked to look at: once for all addresses of an interface. */
  const prepared = new Set<string>();
  const onStart = () => {
    remembered.clear();
    prepared.clear();
  };
  const process = keepAsked(options.argv ?? argv, { name: 'ip -batch', logger, onStart, answerTimeoutMs });

  /** What it shows, one for each line with an interface in it, in the order of the lines. */
  async function ask(
    lines: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly InterfaceState[] | null> {
    const shown: InterfaceState[] = [];
    const isLast = (line: string): boolean => {
      const parsed = line.trim() === '' ? null : parseInterfaces(line);
      if (parsed === null || parsed.kind === 'unparseable') return false; // The answer is missed at its deadline.
      const [one] = parsed.interfaces;
      if (one?.name === lastInterface) return true;
      if (one !== undefined) shown.push(one);
      return false;
    };
    const text = `${[...lines, `address show dev ${lastInterface}`].join('\n')}\n`;
    return (await process.ask(text, isLast, signal)) === true ? shown : null;
  }

  const show = (networkInterface: string) => `address show dev ${networkInterface}`;

  /** Null: it was not asked. False: it takes another interface for this one, or knows none. */
  async function knows(networkInterface: string, signal: AbortSignal): Promise<boolean | null> {
    const shown = await ask([show(networkInterface)], signal);
    if (shown === null) return null;
    const [one] = shown;
    const isRight = shown.length === 1 && one?.name === networkInterface;
    if (isRight) remembered.set(networkInterface, one.index);
    return isRight;
  }

  return {
    prepare(networkInterface) {
      if (prepared.has(networkInterface)) return;
      prepared.add(networkInterface);
      void knows(networkInterface, AbortSignal.timeout(prepareTimeoutMs));
    },
    async perform(words, networkInterface, signal) {
      // It remembers which number a name has; an interface that was renamed or made anew is not to be mistaken.
      const index = indexOf(networkInterface);
      const isCurrent = index !== null && remembered.get(networkInterface) === index;
      const isRight = isCurrent || (await knows(networkInterface, signal));
      if (isRight === false) await process.giveUp(`it knows no ${networkInterface}`);
      if (isRight !== true) return null;
      const after = await ask([words.join(' '), show(networkInterface)], signal);
      return after?.find(({ name }) => name === networkInterface) ?? null;
    },
    close: () => process.close(),
  };
}
