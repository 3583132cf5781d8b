// One long-lived `ip -batch -`, so that an address is added or removed without a process being started for it: that costs
// a busy host tens of milliseconds, a line through a pipe less than one.
// Guarantees: a line is carried out at once or never; when no answer comes for half a second the process is killed,
// and only when it is gone is that said, so nothing that it was told happens later. Must not judge what the kernel shows.

import type { Logger } from 'pino';
import { type InterfaceState, parseInterfaces } from '../network.ts';
import { keepAsked } from './asked-process.ts';

export interface IpBatch {
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
/** There always is one, so its line tells that everything before was answered. */
const lastInterface = 'lo';

export interface IpBatchOptions {
  readonly logger: Logger;
  /** Tests give another program. */
  readonly argv?: readonly string[];
}

export function createIpBatch(options: IpBatchOptions): IpBatch {
  const process = keepAsked(options.argv ?? argv, { name: 'ip -batch', logger: options.logger });

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

  return {
    async perform(words, networkInterface, signal) {
      const show = `address show dev ${networkInterface}`;
      // It remembers which number a name has; an interface that was renamed or made anew is not to be mistaken.
      const before = await ask([show], signal);
      if (before === null) return null;
      if (before.length !== 1 || before[0]?.name !== networkInterface) {
        await process.giveUp(`it knows no ${networkInterface}`);
        return null;
      }
      const after = await ask([words.join(' '), show], signal);
      return after?.find(({ name }) => name === networkInterface) ?? null;
    },
    close: () => process.close(),
  };
}
