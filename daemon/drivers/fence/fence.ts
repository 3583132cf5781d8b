// What can switch the peer off, for as long as the daemon runs: done on demand, and looked at now and then, so that a
// device that has died is known before it is needed.
// Must not: ever have a device of this node itself.

import type { FencingConfig } from '../../config/config.ts';
import { levelsFor } from '../../config/fencing.ts';
import { createFenceDevice, type FenceDevice, type PowerState } from './device.ts';
import { type Levels, type PowerOffOutcome, powerOff } from './power-off.ts';

export interface DeviceReading {
  readonly device: string;
  readonly state: PowerState;
  readonly tookMs: number;
}

export interface PeerFencing {
  /** The names of the devices, level by level. */
  readonly levels: readonly (readonly string[])[];
  /** Never rejects. */
  powerOff(deadlineMs: number): Promise<PowerOffOutcome>;
  /** Null: broken off, since the peer is being switched off. */
  read(): Promise<readonly DeviceReading[] | null>;
  close(): Promise<void>;
}

/** Longest that one device may take to tell its state. */
export const readTimeoutMs = 30_000;

export function fenceLevels(config: FencingConfig, node: string): Levels {
  const devices = new Map<string, FenceDevice>();
  return levelsFor(config, node).map((level) =>
    level.map((device) => {
      const known = devices.get(device.name) ?? createFenceDevice(device, node);
      devices.set(device.name, known);
      return known;
    }),
  );
}

/** Each once, in the order of the levels. */
export function devicesOf(levels: Levels): readonly FenceDevice[] {
  return [...new Set(levels.flat())];
}

/** One after the other: two outlets may be those of one device, which lets one in at a time. */
export async function readDevices(
  devices: readonly FenceDevice[],
  signal: AbortSignal,
): Promise<readonly DeviceReading[]> {
  const readings: DeviceReading[] = [];
  for (const device of devices) readings.push(await readDevice(device, signal));
  return readings;
}

export async function readDevice(device: FenceDevice, signal: AbortSignal): Promise<DeviceReading> {
  const beganAtMs = performance.now();
  const state = await device.status({ timeoutMs: readTimeoutMs, signal });
  return { device: device.name, state, tookMs: performance.now() - beganAtMs };
}

/** How long reading all of its outlets takes: the first one that is on has ended this one. */
export function wholeReadingMs({ outlets }: FenceDevice, { state, tookMs }: DeviceReading): number {
  return state.kind === 'on' ? tookMs * outlets : tookMs;
}

export function createPeerFencing(config: FencingConfig, peer: string): PeerFencing {
  const levels = fenceLevels(config, peer);
  const closing = new AbortController();
  let reading: { readonly stop: AbortController; readonly ended: Promise<unknown> } | null = null;
  let switching: Promise<unknown> | null = null;

  return {
    levels: levels.map((level) => level.map(({ name }) => name)),
    async powerOff(deadlineMs) {
      const endsAtMs = performance.now() + deadlineMs;
      const { promise, resolve } = Promise.withResolvers<void>();
      switching = promise;
      reading?.stop.abort();
      await reading?.ended;
      const options = { node: peer, deadlineMs: endsAtMs - performance.now(), signal: closing.signal };
      const outcome = await powerOff(levels, options);
      switching = null;
      resolve();
      return outcome;
    },
    async read() {
      if (switching !== null || reading !== null) return null;
      const stop = new AbortController();
      const signal = AbortSignal.any([stop.signal, closing.signal]);
      const ended = readDevices(devicesOf(levels), signal);
      reading = { stop, ended };
      const readings = await ended;
      reading = null;
      return signal.aborted ? null : readings;
    },
    async close() {
      closing.abort();
      await Promise.all([switching, reading?.ended]);
    },
  };
}
