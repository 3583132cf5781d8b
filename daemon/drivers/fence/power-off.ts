// Switches a node off and makes sure of it: every device of a level is told, then every one is read, and what counts is
// what is read. The next level is asked only when one has failed. All of it within one deadline, of which each level
// has its share, so that a device that hangs leaves time for the next one; what is left in the end is for those that had
// too little.
// Never rejects.

import { setTimeout as sleep } from 'node:timers/promises';
import type { FenceDevice, PowerState } from './device.ts';
import { shareOf } from './shares.ts';

export type Levels = readonly (readonly FenceDevice[])[];

/** As the core takes it. */
export type PowerOffOutcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly code: 'not-powered-off'; readonly message: string };

export interface PowerOffOptions {
  readonly node: string;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  /** Between two readings of a device that is not off yet, milliseconds. */
  readonly pauseMs?: number;
}

const pauseMsDefault = 1000;
const attemptsMax = 2;
/** In each attempt: some devices tell of it a moment after it is so. */
const readsMax = 4;
/** Less than this is not worth another attempt, milliseconds. */
const worthwhileMs = 2000;

export async function powerOff(levels: Levels, options: PowerOffOptions): Promise<PowerOffOutcome> {
  const endsAtMs = performance.now() + options.deadlineMs;
  const leftMs = () => Math.max(0, endsAtMs - performance.now());
  const failures = new Map<number, string>();
  const failed = (): PowerOffOutcome => {
    const each = [...failures].map(([index, why]) =>
      levels.length > 1 ? `level ${index + 1}: ${why}` : why,
    );
    const message = each.length === 0 ? `no device is known for ${options.node}` : each.join('; ');
    return { kind: 'failed', code: 'not-powered-off', message };
  };
  let round = [...levels.entries()];
  do {
    const late: typeof round = [];
    for (const [place, [index, devices]] of round.entries()) {
      const { levelMs } = shareOf(leftMs(), round.length - place, devices.length);
      const levelEndsAtMs = performance.now() + levelMs;
      const failure = await switchOffLevel(devices, { ...options, deadlineMs: levelMs });
      if (failure === null) return { kind: 'done' };
      failures.set(index, failure);
      if (options.signal.aborted) return failed();
      if (levelEndsAtMs - performance.now() < worthwhileMs) late.push([index, devices]);
    }
    // Time that the others have left is for those that had too little, the first one first.
    round = late;
  } while (round.length > 0 && leftMs() >= round.length * worthwhileMs);
  return failed();
}

/** Null: each of them was read to be off. */
async function switchOffLevel(
  devices: readonly FenceDevice[],
  { node, deadlineMs, signal, pauseMs = pauseMsDefault }: PowerOffOptions,
): Promise<string | null> {
  const endsAtMs = performance.now() + deadlineMs;
  const leftMs = () => Math.max(0, endsAtMs - performance.now());
  let failure = 'there was no time for it';
  for (let attempt = 1; attempt <= attemptsMax && !signal.aborted; attempt += 1) {
    if (attempt > 1 && leftMs() < worthwhileMs) break;
    const refusals = new Map<FenceDevice, string | null>();
    const beganAtMs = performance.now();
    const { tellingMs, readingMs } = shareOf(leftMs(), 1, devices.length);
    // What one leaves of its share is for the next one.
    for (const [index, device] of devices.entries()) {
      const untilMs = beganAtMs + (index + 1) * tellingMs;
      const timeoutMs = Math.max(0, untilMs - performance.now());
      refusals.set(device, await device.turn('off', { timeoutMs, signal }));
    }
    const notOff: string[] = [];
    for (const [index, device] of devices.entries()) {
      const untilMs = endsAtMs - (devices.length - 1 - index) * readingMs;
      const state = await readUntilOff(device, { untilMs, signal, pauseMs });
      if (state.kind !== 'off') notOff.push(describe(device, node, refusals.get(device) ?? null, state));
    }
    if (notOff.length === 0) return null;
    failure = notOff.join(', ');
  }
  return failure;
}

interface Reading {
  readonly untilMs: number;
  readonly signal: AbortSignal;
  readonly pauseMs: number;
}

async function readUntilOff(device: FenceDevice, { untilMs, signal, pauseMs }: Reading): Promise<PowerState> {
  const leftMs = () => Math.max(0, untilMs - performance.now());
  let state: PowerState = { kind: 'unknown', message: 'there was no time to read it' };
  for (let read = 1; read <= readsMax && !signal.aborted && leftMs() > 0; read += 1) {
    // A device tells of no change, so it is asked again.
    if (read > 1) await sleep(Math.min(pauseMs, leftMs()), undefined, { signal }).catch(() => {});
    if (leftMs() === 0) break;
    state = await device.status({ timeoutMs: leftMs(), signal });
    if (state.kind === 'off') break;
  }
  return state;
}

function describe({ name }: FenceDevice, node: string, refusal: string | null, state: PowerState): string {
  if (refusal !== null && state.kind === 'unknown') return `${name}: ${refusal}`;
  const read =
    state.kind === 'unknown'
      ? `its status cannot be read: ${state.message}`
      : `its status says ${state.kind}`;
  return refusal === null
    ? `${name} says that it has switched ${node} off, but ${read}`
    : `${name} has not switched ${node} off: ${refusal}; ${read}`;
}
