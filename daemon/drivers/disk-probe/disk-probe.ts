// Asks a disk in use again and again whether it still answers, by a read past every cache (O_DIRECT).
// Guarantees: neither the event loop nor one of Node's threads ever waits for the disk: a process waits, which in turn
// was not started by us but by a small shell, since even starting a program can wait for a disk. One read at a time:
// one that hangs cannot be killed; it is told of until it returns, and no second one is put beside it.
//
// While a read is under way the device is open, and a DRBD device that is open cannot be demoted: close the probe first.

import { readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import { createReader, type Reader } from './reader.ts';
import type { ReadReport } from './report.ts';

export type DiskProbeResult =
  /** `latencyMs`: of the read alone, as the process measured it. */
  | { readonly kind: 'ok'; readonly latencyMs: number }
  /** The read has not returned for so long; told at every interval until it does. */
  | { readonly kind: 'hanging'; readonly forMs: number }
  /** The disk, or what reads it, said no. */
  | { readonly kind: 'failed'; readonly message: string };

export interface DiskProbeOptions {
  /** A block device, e.g. `/dev/drbd0`. */
  readonly device: string;
  /** From one read to the next; a read that takes longer is waited for. */
  readonly intervalMs: number;
  /** A read without an answer for so long is hanging. */
  readonly timeoutMs: number;
  readonly onResult: (result: DiskProbeResult) => void;
}

export interface DiskProbe {
  /** No result follows. Resolves when the device is no longer held open by us, with false when that is not to be had. */
  close(): Promise<boolean>;
}

/** As in reader.ts. */
const blockBytes = 4096;
const sectorBytes = 512;
/** A timer that is so late was not alone: the process or the whole host stood still, and the disk owes nothing. */
const stallMs = 250;

/** Reads at once, then every `intervalMs`. */
export function createDiskProbe({ device, intervalMs, timeoutMs, onResult }: DiskProbeOptions): DiskProbe {
  let reader: Reader | undefined;
  let pending: { readonly since: number; told: boolean; deadline: NodeJS.Timeout } | undefined;
  let reads = 0;
  let blocks = 1;
  let closed = false;

  function tick(): void {
    if (pending?.told === true) tellHanging();
    if (pending !== undefined || closed) return;
    if (reader?.hasEnded() === true) reader = undefined;
    // What a reader that was killed has left behind may still be reading.
    if (reader?.isBroken() === true) {
      onResult({ kind: 'failed', message: `${device}: its reader was killed, and a read of it is not over` });
      return;
    }
    reader ??= createReader(device, { onReport, onBroken });
    pending = { since: performance.now(), told: false, deadline: armDeadline() };
    reader.read(nextBlock());
  }

  /** All over the disk, since a disk answers for what it has just read from memory of its own. */
  function nextBlock(): number {
    const goldenRatio = 0.6180339887498949;
    reads += 1;
    return Math.floor(((reads * goldenRatio) % 1) * blocks);
  }

  function armDeadline(): NodeJS.Timeout {
    const due = performance.now() + timeoutMs;
    return setTimeout(() => {
      if (pending === undefined) return;
      if (performance.now() - due > stallMs) pending.deadline = armDeadline();
      else setImmediate(tellHanging); // Not before what has come in meanwhile was read.
    }, timeoutMs);
  }

  function tellHanging(): void {
    if (pending === undefined || closed) return;
    pending.told = true;
    onResult({ kind: 'hanging', forMs: Math.round(performance.now() - pending.since) });
  }

  function finish(result: DiskProbeResult): void {
    clearTimeout(pending?.deadline);
    pending = undefined;
    if (!closed) onResult(result);
  }

  function onReport(report: ReadReport): void {
    const wallMs = performance.now() - (pending?.since ?? performance.now());
    if (report.kind === 'nothing') void measure(); // Beyond the end: it has shrunk.
    finish(resultOf(report, wallMs));
  }

  function resultOf(report: ReadReport, wallMs: number): DiskProbeResult {
    if (report.kind === 'read') return { kind: 'ok', latencyMs: report.tookMs ?? wallMs };
    const message = report.kind === 'nothing' ? 'nothing could be read' : report.message;
    return { kind: 'failed', message: `${device}: ${message}` };
  }

  function onBroken(message: string): void {
    finish({ kind: 'failed', message: `${device}: ${message}` });
  }

  /** Asks /sys, not the disk. Until it is known the first block is read. */
  async function measure(): Promise<void> {
    blocks = 1;
    const sectors = await realpath(device)
      .then((real) => readFile(`/sys/class/block/${path.basename(real)}/size`, 'utf8'))
      .catch(() => '');
    blocks = Math.max(1, Math.floor((Number.parseInt(sectors, 10) * sectorBytes) / blockBytes) || 1);
  }

  const timer = setInterval(tick, intervalMs);
  void measure();
  tick();

  return {
    async close() {
      closed = true;
      clearInterval(timer);
      clearTimeout(pending?.deadline);
      return (await reader?.close()) ?? true;
    },
  };
}
