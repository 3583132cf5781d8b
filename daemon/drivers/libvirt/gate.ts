// Keeps looks from piling up on a libvirt that does not answer.
// Guarantees: only a few looks at once; while libvirt is silent one probe at a time asks it something that concerns no
// domain, and every look is answered `libvirt-silent` at once. One domain that libvirt cannot tell about, or a host that
// is slow, makes no silence: the probe is answered.

import type { Logger } from 'pino';
import type { VirshCall, VirshFailure, VirshResult } from './virsh.ts';

export interface Gate {
  /** A call of an operation: made whatever is known of libvirt. */
  run(args: readonly string[], call: VirshCall): Promise<VirshResult>;
  /** A question that is asked over and over. */
  look(args: readonly string[], wish: Partial<VirshCall>): Promise<VirshResult>;
  /** As last asked. */
  isSilent(): boolean;
}

type Ask = (args: readonly string[], wish: Partial<VirshCall>) => Promise<VirshResult>;

const looksAtOnceMax = 4;
/** After so long without an answer a look is a sign of silence, and no more are made before a probe was answered. */
const suspiciousAfterMs = 2000;

const silence: VirshFailure = {
  kind: 'failed',
  code: 'libvirt-silent',
  message: 'libvirtd does not answer',
};
const silenceOnOne: VirshFailure = { ...silence, message: 'libvirtd answers, but not about this guest' };

const isSilent = (result: VirshResult) => result.kind === 'failed' && result.code === 'libvirt-silent';
const isAborted = (result: VirshResult) => result.kind === 'failed' && result.code === 'libvirt-aborted';

export function createGate(ask: Ask, logger: Logger): Gate {
  const waiting: (() => void)[] = [];
  let underWay = 0;
  let state: 'answers' | 'suspected' | 'silent' = 'answers';
  let probing: Promise<void> | undefined;

  function become(next: 'answers' | 'silent'): void {
    if (next === 'silent' && state !== 'silent') logger.warn('libvirtd does not answer');
    if (next === 'answers' && state === 'silent') logger.info('libvirtd answers again');
    state = next;
    if (next === 'silent') for (const wake of waiting.splice(0)) wake();
  }

  function probe(): Promise<void> {
    probing ??= ask(['uri'], {}).then((result) => {
      probing = undefined;
      // The connection is being closed: nothing is known, and nobody asks any more.
      if (isAborted(result)) state = 'answers';
      else become(isSilent(result) ? 'silent' : 'answers');
    });
    return probing;
  }

  function suspect(): void {
    if (state === 'answers') state = 'suspected';
    void probe();
  }

  function learn(result: VirshResult): void {
    if (isSilent(result)) suspect();
    else if (!isAborted(result)) become('answers');
  }

  async function watched(args: readonly string[], wish: Partial<VirshCall>): Promise<VirshResult> {
    underWay += 1;
    const timer = setTimeout(suspect, suspiciousAfterMs);
    const result = await ask(args, wish);
    clearTimeout(timer);
    underWay -= 1;
    learn(result);
    waiting.shift()?.();
    if (!isSilent(result)) return result;
    await probing;
    return state === 'silent' ? silence : silenceOnOne;
  }

  return {
    async run(args, call) {
      const result = await ask(args, call);
      learn(result);
      return result;
    },
    async look(args, wish) {
      for (;;) {
        if (state === 'silent') {
          void probe();
          return silence;
        }
        if (state === 'suspected') await probe();
        else if (underWay >= looksAtOnceMax) await new Promise<void>((wake) => waiting.push(wake));
        else return await watched(args, wish);
        if (wish.signal?.aborted === true) return await ask(args, wish);
      }
    },
    isSilent: () => state === 'silent',
  };
}
