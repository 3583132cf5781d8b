// `battito drill takeover`: really cuts the power of the other node, which holds nothing, and gives it back.
// Guarantees: nothing is cut before the name was given, and unless everything runs here and nothing is wrong, also after
// the time that the typing took; the node is not switched on while this node's daemon may still be switching it off;
// whatever fails, the node's power is told and what gives it back.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Severity, Status } from '../../control/api.ts';
import { takeoverObstacle } from '../../control/drill.ts';
import { powerOff } from '../../drivers/fence/power-off.ts';
import { sharesOf } from '../../drivers/fence/shares.ts';
import { BattitoError, exitCodes } from '../../errors.ts';
import { usageError } from '../arguments.ts';
import type { Arguments, Command, Context } from '../command.ts';
import { flag } from '../command.ts';
import { assertCanConfirm, confirm } from '../confirm.ts';
import { type FencingHere, levelsOf, readFencing } from '../fence/devices.ts';
import { powerCut, powerOn, powerText } from '../fence/power.ts';
import { printJson } from '../output.ts';
import { formatTook } from '../time.ts';
import { whoTyped } from '../who.ts';
import { drillRefused, keep } from './refusal.ts';

export interface TakeoverDrill {
  readonly name: string | undefined;
  readonly json: boolean;
  /** For the node to come back; undefined: by default. */
  readonly timeoutMs: number | undefined;
}

interface BegunDrill extends TakeoverDrill {
  /** Aborted when the operator interrupts: what is not done yet is told. */
  readonly signal: AbortSignal;
}

/** Milliseconds, each from what is said. */
interface Times {
  /** From the order until each of its devices read off. */
  readonly offMs: number;
  /** From the order until this node was sure that it is gone, and went on with all that it runs. */
  readonly goneMs: number;
  /** From the order until each of its devices read on. */
  readonly onMs: number;
  /** From the order to switch it on until it was heard, and until it was ready to take over. */
  readonly heardMs: number;
  readonly readyMs: number;
}

const goneWithinMs = 120_000;
const backWithinMsDefault = 600_000;

export async function drillTakeover(
  context: Context,
  args: Arguments,
  command: Command,
  drill: TakeoverDrill,
): Promise<number> {
  const here = await readFencing(context);
  const { peer } = here;
  checkName(context, args, command, here, drill.name);
  await assertMayBegin(context, here);
  await context.interruptible((signal) => assertReadsOn(here, signal));
  const assertion = `The power of ${peer} is cut at once, as in a power failure, and given back when it reads off. What ${here.self} runs goes on, and nothing protects it until ${peer} is back.`;
  await confirm(context, args, assertion, peer);
  await assertMayBegin(context, here);
  const began = `drill: the power of ${peer}, which holds nothing, is cut and given back (asked for by ${whoTyped()})`;
  const next = `if this is the last that is said of it: battito fence on ${peer}`;
  await keep(context, drill.json, { code: 'takeover-drill', severity: 'warning', message: began, next });
  const startedAt = performance.now();
  const times = await context.interruptible((signal) => cutAndReturn(context, here, { ...drill, signal }));
  const tookMs = Math.round(performance.now() - startedAt);
  const message = `drill: ${peer} was switched off and is back: ${timesText(times)}`;
  await keep(context, drill.json, { code: 'takeover-drill', severity: 'info', message, tookMs });
  if (drill.json) printJson(context.output, { node: peer, done: true, tookMs, ...times });
  else context.output.line(`${peer} was switched off and is back; it took ${formatTook(tookMs)}`);
  return exitCodes.ok;
}

function timesText({ offMs, goneMs, onMs, heardMs, readyMs }: Times): string {
  const took = formatTook;
  return `read off after ${took(offMs)}, concluded gone after ${took(goneMs)}; read on after ${took(onMs)}, heard after ${took(heardMs)}, ready to take over after ${took(readyMs)}`;
}

function checkName(
  context: Context,
  args: Arguments,
  command: Command,
  { self, peer }: FencingHere,
  name: string | undefined,
): void {
  const right = `battito drill takeover ${peer}`;
  if (name === self) throw usageError(`${self} is this node: it does not cut its own power`, command, right);
  if (name !== undefined && name !== peer)
    throw usageError(`"${name}" is not the other node; that is ${peer}`, command, right);
  if (flag(args, 'yes') && name === undefined)
    throw usageError('--yes needs the name of the node that is switched off', command, `${right} --yes`);
  assertCanConfirm(context, args, command, { name: peer, deed: powerCut, words: right });
}

/** @throws BattitoError `drill-refused` */
async function assertMayBegin({ client, settings }: Context, { peer }: FencingHere): Promise<void> {
  const status = await client.status();
  if (status.peer.name !== peer) {
    const message = `the daemon here has the peer ${status.peer.name}, ${settings.configPath} has ${peer}`;
    throw drillRefused({ message, next: 'restart the daemon with this configuration', isDeliberate: false });
  }
  const obstacle = takeoverObstacle(status);
  if (obstacle !== null) throw drillRefused(obstacle);
}

/** A device that does not tell now, in its share of the time, is not tried on a node that one wants back. */
async function assertReadsOn(here: FencingHere, signal: AbortSignal): Promise<void> {
  const { peer } = here;
  for (const [{ name, status }, { readingMs }] of sharesOf(levelsOf(here, peer), here.fencing.timeoutMs)) {
    const state = await status({ timeoutMs: readingMs, signal });
    if (state.kind === 'on') continue;
    const message = `${name} does not say that ${peer} is on: its power is ${powerText(state)}`;
    throw drillRefused({ message, next: `mend it; then: battito drill fence`, isDeliberate: false });
  }
}

async function cutAndReturn(context: Context, here: FencingHere, drill: BegunDrill): Promise<Times> {
  const { peer } = here;
  const tell = (line: string) => {
    if (!drill.json) context.output.line(line);
  };
  const cutAt = performance.now();
  const { timeoutMs: deadlineMs } = here.fencing;
  const { signal } = drill;
  const off = await powerOff(levelsOf(here, peer), { node: peer, deadlineMs, signal });
  if (off.kind === 'failed') {
    const next = `battito fence status ${peer} tells its power; if it is off: battito fence on ${peer}; mend the device, then: battito drill fence`;
    throw await failed(context, drill, 'alarm', `${peer} is not proven off: ${off.message}`, next);
  }
  const offMs = since(cutAt);
  const offAt = performance.now();
  tell(`${peer} reads off after ${formatTook(offMs)}`);
  await until(context, drill, goneWithinMs, `to bring it back: battito fence on ${peer}`, () =>
    notGoneYet(context, drill, peer, offAt),
  );
  const goneMs = since(cutAt);
  tell(`${here.self} is sure that it is gone after ${formatTook(goneMs)}, and goes on with all that it runs`);
  const onAt = performance.now();
  const failures = await powerOn(here, peer, signal);
  if (failures.length > 0) {
    const next = `mend the device, or press the power button of ${peer}; then: battito fence status ${peer}`;
    const message = `${peer} is off, and not switched on by every device: ${failures.join('; ')}`;
    throw await failed(context, drill, 'alarm', message, next);
  }
  const onMs = since(onAt);
  tell(`${peer} reads on after ${formatTook(onMs)}`);
  const { timeoutMs: backWithinMs = backWithinMsDefault } = drill;
  const look = `look at its console; battito fence status ${peer} tells its power`;
  await until(context, drill, backWithinMs, look, async () => notHeard(await context.client.status()));
  const heardMs = since(onAt);
  tell(`${peer} is heard ${formatTook(heardMs)} after it was told to switch on`);
  await until(context, drill, backWithinMs, '`battito status` says what it waits for', async () => {
    const status = await context.client.status();
    return notHeard(status) ?? takeoverObstacle(status)?.message ?? null;
  });
  const readyMs = since(onAt);
  tell(`${peer} is ready to take over after ${formatTook(readyMs)}`);
  return { offMs, goneMs, onMs, heardMs, readyMs };
}

const since = (at: number) => Math.round(performance.now() - at);

/**
 * Null: it is concluded to be gone, what runs here goes on, and nobody is switching it off any more. A daemon whose DRBD
 * holds writes back has the peer switched off by itself, which must be over before the peer is switched on.
 */
async function notGoneYet(
  context: Context,
  drill: BegunDrill,
  peer: string,
  offAt: number,
): Promise<string | null> {
  const { client } = context;
  const status = await client.status();
  const { verdict, timings } = status;
  // Heard long after it read off: a packet that was under way does not take that long.
  if ((verdict.silentMs ?? Infinity) + timings.deadtimeMs < since(offAt)) {
    const message = `${peer} reads off, but is heard: the device has another host, or lies`;
    const next = `find out what it has switched off, and: battito fence on ${peer}; then mend the device`;
    throw await failed(context, drill, 'alarm', message, next);
  }
  if (verdict.kind !== 'dead' && verdict.kind !== 'fenced') {
    const signs = verdict.signs.length === 0 ? '' : ` (${verdict.signs.join('; ')})`;
    return `for this node ${peer} is ${verdict.kind}${signs}`;
  }
  const lost = status.groups.find(({ phase }) => phase !== 'active');
  if (lost !== undefined) return `${lost.name} is ${lost.phase} on ${status.self.name}`;
  const disks = status.groups.flatMap(({ resources }) => resources.filter(({ kind }) => kind === 'drbd'));
  const held = disks.find(({ storage }) => storage?.suspended !== 'no' || storage.connection === 'connected');
  if (held !== undefined) return `${held.id} does not go on without its mirror yet`;
  const { fence } = await client.state();
  return fence.operation === null ? null : `the daemon is still switching ${peer} off`;
}

function notHeard({ verdict, peer }: Status): string | null {
  return verdict.kind === 'alive' ? null : `${peer.name} is ${verdict.kind}`;
}

/** Looks until `lacking` says null. @throws BattitoError `drill-unfinished`, kept in the history */
async function until(
  context: Context,
  drill: BegunDrill,
  patienceMs: number,
  next: string,
  lacking: () => Promise<string | null>,
): Promise<void> {
  const { signal } = drill;
  const startedAt = performance.now();
  for (;;) {
    const lack = await lacking().catch((error: unknown) => {
      if (!(error instanceof BattitoError) || error.code === 'drill-unfinished') throw error;
      return error.message; // The daemon may be away for a moment; the node's power is not to be forgotten for that.
    });
    if (lack === null) return;
    const late = performance.now() - startedAt >= patienceMs;
    const why = late ? `not done after ${formatTook(patienceMs)}` : 'no longer waiting';
    if (late || signal.aborted)
      throw await failed(context, drill, 'alarm', `${why}: ${lack}`, next, exitCodes.timedOut);
    await sleep(context.pollMs, undefined, { signal }).catch(() => {}); // Interrupted: said above.
  }
}

async function failed(
  context: Context,
  drill: TakeoverDrill,
  severity: Severity,
  why: string,
  next: string,
  exitCode: number = exitCodes.failed,
): Promise<BattitoError> {
  const message = `the drill failed: ${why}`;
  await keep(context, drill.json, { code: 'takeover-drill', severity, message, next });
  return new BattitoError('drill-unfinished', message, { exitCode, next });
}
