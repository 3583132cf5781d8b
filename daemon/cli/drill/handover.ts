// `battito drill handover`: a group goes to the other node and comes back, each way by the request that a person makes
// for it, from this node: what is here is handed over, what is there is taken over.
// Guarantees: nothing is asked of the daemon while anything stands in the way; whatever fails, where the group is and
// what brings it back is said.

import { setTimeout as sleep } from 'node:timers/promises';
import type { GroupView, HistoryEntry, OperatorRequest, Plan, Status } from '../../control/api.ts';
import { type DrillObstacle, handoverObstacle, pairObstacle } from '../../control/drill.ts';
import { BattitoError, exitCodes } from '../../errors.ts';
import type { Command, Context } from '../command.ts';
import { printPlans } from '../dry-run.ts';
import { chooseGroups, sameGroups } from '../groups.ts';
import { judgeGivenAway } from '../handover.ts';
import { stepOf } from '../notes.ts';
import { printJson } from '../output.ts';
import { judgeRunningHere } from '../running-here.ts';
import { formatTook } from '../time.ts';
import { beginMove, type Judgement } from '../wait.ts';
import { whoTyped } from '../who.ts';
import { drillRefused, keep } from './refusal.ts';

export interface HandoverDrill {
  /** Undefined: every group. */
  readonly name: string | undefined;
  readonly json: boolean;
  /** For each way; undefined: by default. */
  readonly timeoutMs: number | undefined;
  readonly dry: boolean;
}

interface BegunDrill extends HandoverDrill {
  /** Aborted when the operator interrupts: where the group is then is told. */
  readonly signal: AbortSignal;
}

/** One way of a group, with what was measured. */
interface Leg {
  readonly group: string;
  readonly from: string;
  readonly to: string;
  /** From the request until the last guest runs there. */
  readonly tookMs: number;
  /** From the request until nothing of it ran any more where it was; null: that was not seen. */
  readonly letGoMs: number | null;
  /** What this node did of it, as its daemon measured it. */
  readonly steps: readonly { readonly what: string; readonly tookMs: number }[];
  /** What was given up there; null: nothing. */
  readonly attention: string | null;
}

const readyWithinMsDefault = 120_000;

export async function drillHandover(
  context: Context,
  command: Command,
  drill: HandoverDrill,
): Promise<number> {
  const status = await context.client.status();
  const groups = chooseGroups(status, drill.name === undefined ? [] : [drill.name], command);
  const obstacle = obstacleTo(status, groups);
  if (obstacle !== null) throw drillRefused(obstacle);
  if (drill.dry) return showPlan(context, status, groups, drill.json);
  const legs = await context.interruptible(async (signal) => {
    const done: Leg[] = [];
    for (const [index, group] of groups.entries()) {
      const begun = { ...drill, signal };
      if (index > 0) await untilReady(context, begun, group);
      done.push(...(await thereAndBack(context, begun, status, group)));
    }
    return done;
  });
  const attention = legs.flatMap((leg) => leg.attention ?? []).join('\n');
  if (drill.json) {
    printJson(context.output, { done: true, legs, attention: attention === '' ? null : attention });
  } else {
    for (const leg of legs) context.output.line(`${leg.group}  ${legText(leg)}`);
    if (attention !== '') context.output.problem(attention);
  }
  return attention === '' ? exitCodes.ok : exitCodes.degraded;
}

function obstacleTo(status: Status, groups: readonly GroupView[]): DrillObstacle | null {
  const pair = pairObstacle(status);
  if (pair !== null) return pair;
  for (const group of sameGroups(status, groups)) {
    const found = handoverObstacle(status, group);
    if (found !== null) return found;
  }
  return null;
}

/** Both ways. @throws BattitoError `drill-failed` (it did not go), `drill-unfinished` (it did not come back) */
async function thereAndBack(
  context: Context,
  drill: BegunDrill,
  status: Status,
  group: GroupView,
): Promise<readonly Leg[]> {
  const { name } = group;
  const [self, peer] = [status.self.name, status.peer.name];
  const [home, away] = group.phase === 'active' ? [self, peer] : [peer, self];
  const begun = `drill: ${name} goes from ${home} to ${away} and back (asked for by ${whoTyped()})`;
  await keep(context, drill.json, note(name, 'info', begun));
  let there: Leg | null = null;
  try {
    there = await runLeg(context, drill, { group, from: home, to: away, self });
    await keep(context, drill.json, legNote(there));
    await untilReady(context, drill, group);
    const back = await runLeg(context, drill, { group, from: away, to: home, self });
    await keep(context, drill.json, legNote(back));
    return [there, back];
  } catch (error) {
    if (!(error instanceof BattitoError)) throw error;
    throw await failed(context, drill, { name, home, self, hasGone: there !== null }, error);
  }
}

const note = (group: string, severity: HistoryEntry['severity'], message: string) =>
  ({ code: 'handover-drill', group, severity, message }) as const;

function legNote(leg: Leg) {
  const { group, tookMs, attention } = leg;
  if (attention === null) return { ...note(group, 'info', `drill: ${group}: ${legText(leg)}`), tookMs };
  const [what = '', next] = attention.split('\nnext: ');
  const said = note(group, 'warning', `drill: ${group}: ${legText(leg)}; ${what}`);
  return { ...said, tookMs, ...(next === undefined ? {} : { next }) };
}

/** `primary -> secondary: 3.1 s, let go after 1.2 s; guest:mail stopped 0.9 s, address:192.168.1.1/24 stopped 12 ms`. */
function legText({ from, to, tookMs, letGoMs, steps }: Leg): string {
  const letGo = letGoMs === null ? '' : ` (${from} had let go after ${formatTook(letGoMs)})`;
  const each = steps.map(({ what, tookMs: stepMs }) => `${what} ${formatTook(stepMs)}`);
  const ways = `${from} -> ${to}: runs there after ${formatTook(tookMs)}${letGo}`;
  return each.length === 0 ? ways : `${ways}; ${each.join(', ')}`;
}

async function runLeg(
  context: Context,
  drill: BegunDrill,
  leg: { readonly group: GroupView; readonly from: string; readonly to: string; readonly self: string },
): Promise<Leg> {
  const { group, from, to, self } = leg;
  const isHere = to === self;
  const request: OperatorRequest = { kind: isHere ? 'takeover' : 'handover', groups: [group.name] };
  let letGoMs: number | null = null;
  const startedAt = performance.now();
  const judge = (status: Status): Judgement => {
    const seen = sameGroups(status, [group])[0];
    const giver = isHere ? seen?.peer?.phase : seen?.phase;
    if (giver === 'stopped') letGoMs ??= Math.round(performance.now() - startedAt);
    return isHere ? judgeRunningHere(status, [group]) : judgeGivenAway(status, [group]);
  };
  const said = `battito drill handover ${group.name} (${whoTyped()})`;
  const begun = await beginMove(context, { requests: [request], judge, said }, drill.json);
  const moved = await begun.wait({ timeoutMs: drill.timeoutMs, signal: drill.signal });
  const { message, tookMs, attention, notes } = moved;
  if (!drill.json) context.output.line(`${message}; it took ${formatTook(tookMs)}`);
  const steps = notes.filter((entry) => entry.group === group.name).flatMap((entry) => stepOf(entry) ?? []);
  return { group: group.name, from, to, tookMs, letGoMs, steps, attention };
}

/** The move before has left things as a drill wants them: the mirror is in step, both nodes are willing. */
async function untilReady(context: Context, drill: BegunDrill, group: GroupView): Promise<void> {
  const { timeoutMs = readyWithinMsDefault, signal } = drill;
  const startedAt = performance.now();
  for (;;) {
    const obstacle = obstacleTo(await context.client.status(), [group]);
    if (obstacle === null) return;
    const { message, next } = obstacle;
    // What a person has set meanwhile does not end by itself.
    if (obstacle.isDeliberate) throw new BattitoError('drill-not-ready', message, { next });
    if (signal.aborted || performance.now() - startedAt >= timeoutMs) {
      const why = signal.aborted ? 'no longer waiting' : `not ready after ${formatTook(timeoutMs)}`;
      throw new BattitoError('drill-not-ready', `${why}: ${message}`, { exitCode: exitCodes.timedOut, next });
    }
    await sleep(context.pollMs, undefined, { signal }).catch(() => {}); // Interrupted: said above.
  }
}

/** Says where the group is now and what brings it back; kept in the history, too. */
async function failed(
  context: Context,
  drill: BegunDrill,
  way: { readonly name: string; readonly home: string; readonly self: string; readonly hasGone: boolean },
  error: BattitoError,
): Promise<BattitoError> {
  const { name, home, self, hasGone } = way;
  const runsOn = await whereItRuns(context, name);
  const where = runsOn === null ? `${name} runs on neither node now` : `${name} runs on ${runsOn}`;
  const isHome = runsOn === home;
  const bringBack = home === self ? `battito takeover ${name}` : `battito handover ${name}`;
  const what = hasGone ? `${name} did not come back to ${home}` : `${name} did not go`;
  const message = `the drill failed: ${what}: ${error.message}; ${where}`;
  const first = error.next === undefined ? '' : `${error.next}; `;
  const next = isHome
    ? `${first}then run the drill again`
    : `${first}to bring it back to ${home}: ${bringBack}`;
  const severity = runsOn === null ? 'alarm' : 'warning';
  await keep(context, drill.json, { ...note(name, severity, message), next });
  const { exitCode } = error;
  return new BattitoError(hasGone ? 'drill-unfinished' : 'drill-failed', message, { exitCode, next });
}

async function whereItRuns({ client }: Context, name: string): Promise<string | null> {
  try {
    const { groups } = await client.status();
    return groups.find((group) => group.name === name)?.runsOn ?? null;
  } catch (error) {
    if (!(error instanceof BattitoError)) throw error;
    return null; // The daemon is gone: what failed says so.
  }
}

/** The commands of both ways on this node. Nothing is asked of the daemon but to tell them. */
async function showPlan(
  context: Context,
  { self, peer }: Status,
  groups: readonly GroupView[],
  json: boolean,
): Promise<number> {
  const ways = groups.flatMap(({ name, phase }) => {
    const isHere = phase === 'active';
    const give = { action: 'stop' as const, group: name, from: self.name, to: peer.name };
    const take = { action: 'start' as const, group: name, from: peer.name, to: self.name };
    return isHere ? [give, take] : [take, give];
  });
  const told: ((typeof ways)[number] & { readonly plans: readonly Plan[] })[] = [];
  for (const way of ways) told.push({ ...way, plans: await context.client.plan(way.action, way.group) });
  if (json) {
    printJson(
      context.output,
      told.map(({ group, from, to, plans }) => ({ group, from, to, plans })),
    );
    return exitCodes.ok;
  }
  context.output.line('# nothing stands in the way of the drill now; on this node it would run:');
  for (const { group, from, to, plans } of told) {
    context.output.line(`# ${group}: ${from} -> ${to}`);
    printPlans(context.output, plans);
  }
  return exitCodes.ok;
}
