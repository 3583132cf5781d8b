// What can go wrong, each entry one physical cause or one act of a person: how it begins, how it ends, and for how
// long it lasts. Used singly (evidence tier) and mixed (every other).

import type { OperatorRequest } from '../../daemon/core/events.ts';
import { type Action, otherSide, type Segment, type Side, sides } from '../../daemon/sim/action.ts';
import type { Chance } from '../../daemon/sim/engine.ts';
import { groupsOf, type Setup } from './setups.ts';

export interface Episode {
  readonly begin: readonly Action[];
  readonly end: readonly Action[];
  readonly lastsMs: number;
}

export interface Draw {
  readonly chance: Chance;
  readonly setup: Setup;
  /** Whose disk may fail: with both gone there is nothing left to run. */
  readonly brittle: Side;
  /** Whom most of it hits, so that faults meet on one host; null: either. */
  readonly victim: Side | null;
}

export interface Fault {
  readonly name: string;
  /** Is it one physical cause that the evidence tier promises to survive? */
  readonly isSingle: boolean;
  readonly applies?: (setup: Setup) => boolean;
  readonly draw: (draw: Draw) => Episode;
}

export const pick = <T>(chance: Chance, values: readonly T[]): T =>
  values[Math.floor(chance() * values.length)] as T;

/** Whole milliseconds, small ones more often. */
export const between = (chance: Chance, low: number, high: number): number =>
  Math.round(low + (high - low) * chance() ** 2);

const host = ({ chance, victim }: Draw): Side =>
  victim !== null && chance() < 0.8 ? victim : pick(chance, sides);
const segments: readonly Segment[] = ['dedicated', 'lan'];

const episode = (
  begin: Action | readonly Action[],
  end: Action | readonly Action[] = [],
  lastsMs = 0,
): Episode => ({ begin: [begin].flat(), end: [end].flat(), lastsMs });

const cut = (at: Side, segment: Segment): Action => ({ kind: 'cut', host: at, segment, direction: 'both' });
const mend = (at: Side, segment: Segment): Action => ({ kind: 'mend', host: at, segment });

/** Long enough for a takeover, or hardly noticed. */
const while_ = ({ chance, setup }: Draw) => between(chance, 100, 4 * setup.deadtimeMs);

/** In this time a daemon that has nothing else to do has sent twenty heartbeats. */
const effectsMs = 5000;

const hasLease = ({ guard }: Setup) => guard === 'witness' || guard === 'lease' || guard === 'both';
const hasDevice = ({ guard }: Setup) => guard === 'device' || guard === 'both';
const hasDisk = ({ drbd }: Setup) => drbd !== 'none';

const resources = ({ chance, setup }: Draw, kinds: readonly string[]) =>
  pick(
    chance,
    groupsOf(setup).flatMap((group) => group.resources.filter(({ kind }) => kinds.includes(kind))),
  ).id;

const power: readonly Fault[] = [
  {
    name: 'power',
    isSingle: true,
    draw: (draw) => {
      const at = host(draw);
      return episode({ kind: 'power-loss', host: at }, { kind: 'power-on', host: at }, while_(draw));
    },
  },
  {
    name: 'power of both',
    isSingle: true,
    draw: (draw) => {
      const first = host(draw);
      return episode(
        sides.map((at) => ({ kind: 'power-loss', host: at }) as const),
        pick(draw.chance, [[first], [first, otherSide(first)]]).map((at) => ({ kind: 'power-on', host: at })),
        while_(draw),
      );
    },
  },
  {
    name: 'power at effect',
    isSingle: true,
    draw: (draw) => {
      const at = host(draw);
      const begin: Action = { kind: 'power-loss-at-effect', host: at, count: between(draw.chance, 1, 20) };
      return episode(begin, { kind: 'power-on', host: at }, effectsMs + while_(draw));
    },
  },
  {
    name: 'host stands still',
    isSingle: false,
    draw: (draw) => {
      const ms = while_(draw);
      return episode({ kind: 'pause-host', host: host(draw), ms }, [], ms);
    },
  },
];

const daemon: readonly Fault[] = [
  {
    name: 'daemon killed',
    isSingle: true,
    draw: (draw) => episode({ kind: 'kill-daemon', host: host(draw), staysDown: false }),
  },
  {
    name: 'daemon gone',
    isSingle: true,
    draw: (draw) => {
      const at = host(draw);
      const begin: Action = { kind: 'kill-daemon', host: at, staysDown: true };
      return episode(begin, { kind: 'start-daemon', host: at }, while_(draw));
    },
  },
  {
    name: 'daemon stopped',
    isSingle: true,
    draw: (draw) => {
      const at = host(draw);
      return episode({ kind: 'stop-daemon', host: at }, { kind: 'start-daemon', host: at }, while_(draw));
    },
  },
  {
    name: 'daemon stalls',
    isSingle: true,
    draw: (draw) => {
      const ms = while_(draw);
      return episode({ kind: 'pause-daemon', host: host(draw), ms }, [], ms);
    },
  },
  {
    name: 'daemon dies at effect',
    isSingle: true,
    draw: (draw) => {
      const begin: Action = { kind: 'crash-at-effect', host: host(draw), count: between(draw.chance, 1, 20) };
      return episode(begin, [], effectsMs);
    },
  },
  {
    name: 'state file',
    isSingle: true,
    draw: (draw) => {
      const at = host(draw);
      const condition = pick(draw.chance, ['lost', 'old'] as const);
      return episode([
        { kind: 'state-file', host: at, condition },
        { kind: 'kill-daemon', host: at, staysDown: false },
      ]);
    },
  },
  {
    name: 'state disk',
    isSingle: true,
    draw: (draw) => {
      const at = host(draw);
      const full: Action = { kind: 'state-disk', host: at, condition: 'full' };
      return episode(full, { kind: 'state-disk', host: at, condition: 'ok' }, while_(draw));
    },
  },
];

const network: readonly Fault[] = [
  {
    name: 'cable',
    isSingle: true,
    draw: (draw) => {
      const at = host(draw);
      const segment = pick(draw.chance, segments);
      const direction = pick(draw.chance, ['both', 'both', 'out', 'in'] as const);
      return episode({ kind: 'cut', host: at, segment, direction }, mend(at, segment), while_(draw));
    },
  },
  {
    name: 'cut off',
    isSingle: true,
    draw: (draw) => {
      const at = host(draw);
      return episode(
        segments.map((segment) => cut(at, segment)),
        segments.map((segment) => mend(at, segment)),
        while_(draw),
      );
    },
  },
  {
    name: 'switch',
    isSingle: true,
    draw: (draw) => {
      const segment = pick(draw.chance, segments);
      return episode(
        sides.map((at) => cut(at, segment)),
        sides.map((at) => mend(at, segment)),
        while_(draw),
      );
    },
  },
  {
    name: 'partition',
    isSingle: false,
    draw: (draw) => episode({ kind: 'partition' }, { kind: 'heal' }, while_(draw)),
  },
  {
    name: 'gateway',
    isSingle: true,
    draw: (draw) =>
      episode(
        { kind: 'gateway', condition: 'off' },
        { kind: 'gateway', condition: 'on' },
        while_(draw) + pick(draw.chance, [0, 0, 6000]),
      ),
  },
  {
    name: 'bad segment',
    isSingle: true,
    draw: (draw) => {
      const { chance, setup } = draw;
      const segment = pick(chance, segments);
      const { loss, duplicate, late, delayMs } = setup;
      const bad = { loss: pick(chance, [0.2, 0.5, 0.9]), duplicate: 0.2, late: 0.3 } as const;
      return episode(
        { kind: 'network', segment, ...bad, delayMs: between(chance, 10, setup.deadtimeMs) },
        { kind: 'network', segment, loss, duplicate, late, delayMs },
        while_(draw),
      );
    },
  },
  { name: 'replay', isSingle: true, draw: (draw) => episode({ kind: 'replay', host: host(draw) }) },
  {
    name: 'late packets',
    isSingle: true,
    draw: (draw) => episode({ kind: 'deliver-late', host: host(draw) }),
  },
];

const things: readonly Fault[] = [
  {
    name: 'operation',
    isSingle: true,
    draw: (draw) => {
      const at = host(draw);
      const resource = resources(draw, ['address', 'drbd', 'guest']);
      const how = pick(draw.chance, ['fails', 'hangs', 'late', 'stuck'] as const);
      return episode(
        { kind: 'break', host: at, resource, how },
        { kind: 'break', host: at, resource, how: 'ok' },
        2000 + while_(draw),
      );
    },
  },
  {
    name: 'drivers',
    isSingle: true,
    draw: (draw) => {
      const at = host(draw);
      const silent: Action = { kind: 'drivers', host: at, condition: 'silent' };
      return episode(silent, { kind: 'drivers', host: at, condition: 'ok' }, while_(draw));
    },
  },
  {
    name: 'guest dies',
    isSingle: true,
    draw: (draw) => episode({ kind: 'guest-dies', host: host(draw), guest: resources(draw, ['guest']) }),
  },
  {
    name: 'by hand',
    isSingle: true,
    draw: (draw) => {
      const kind = pick(draw.chance, ['start-by-hand', 'stop-by-hand'] as const);
      return episode({ kind, host: host(draw), resource: resources(draw, ['address', 'guest']) });
    },
  },
  {
    name: 'disk',
    isSingle: true,
    applies: hasDisk,
    draw: (draw) => {
      const at = draw.brittle;
      return episode(
        { kind: 'disk-failure', host: at },
        [
          { kind: 'power-loss', host: at },
          { kind: 'power-on', host: at },
        ],
        while_(draw),
      );
    },
  },
];

const guardsOfBoth: readonly Fault[] = [
  {
    name: 'witness',
    isSingle: true,
    applies: hasLease,
    draw: (draw) => {
      const condition = pick(draw.chance, ['down', 'answers-lost'] as const);
      return episode({ kind: 'witness', condition }, { kind: 'witness', condition: 'up' }, while_(draw));
    },
  },
  {
    name: 'fence device',
    isSingle: true,
    applies: hasDevice,
    draw: (draw) => {
      const at = host(draw);
      const condition = pick(draw.chance, ['slow', 'failing', 'dead-with-host'] as const);
      return episode(
        { kind: 'fence-device', host: at, condition },
        { kind: 'fence-device', host: at, condition: 'ok' },
        2 * while_(draw),
      );
    },
  },
];

/** A device that lies together with a full partition looks like an honest one: measured, never promised. */
export const lyingDevice: Fault = {
  name: 'lying device',
  isSingle: false,
  applies: hasDevice,
  draw: (draw) => {
    const at = host(draw);
    const lying: Action = { kind: 'fence-device', host: at, condition: 'lying' };
    return episode(lying, { kind: 'fence-device', host: at, condition: 'ok' }, 8000);
  },
};

/** A host is lost, in one way or another, for long enough that what protects from it comes to its end. */
export const lostHost: Fault = {
  name: 'host lost',
  isSingle: false,
  draw: (draw) => {
    const at = host(draw);
    const ms = Math.round(4000 + draw.chance() * 8000);
    return pick<() => Episode>(draw.chance, [
      () => episode({ kind: 'power-loss', host: at }, { kind: 'power-on', host: at }, ms),
      () => episode({ kind: 'pause-host', host: at, ms }, [], ms),
      () =>
        episode({ kind: 'kill-daemon', host: at, staysDown: true }, { kind: 'start-daemon', host: at }, ms),
      () => episode({ kind: 'partition' }, { kind: 'heal' }, ms),
      () =>
        episode(
          segments.map((segment) => cut(at, segment)),
          segments.map((segment) => mend(at, segment)),
          ms,
        ),
      () =>
        episode(
          segments.map((segment) => ({ kind: 'cut', host: at, segment, direction: 'out' }) as const),
          segments.map((segment) => mend(at, segment)),
          ms,
        ),
    ])();
  },
};

export const faults: readonly Fault[] = [...power, ...daemon, ...network, ...things, ...guardsOfBoth];

/** What a person may want at the worst moment. `confirm-peer-off` is said only of a host that has no power. */
export function operatorAction(draw: Draw): Action {
  const { chance, setup } = draw;
  const at = host(draw);
  const names = groupsOf(setup).map(({ name }) => name);
  const groups = pick(chance, [[], [], [pick(chance, names)]]);
  const request = pick<OperatorRequest>(chance, [
    { kind: 'takeover', groups },
    { kind: 'takeover', groups },
    { kind: 'handover', groups },
    { kind: 'handover', groups },
    { kind: 'standby', on: true },
    { kind: 'standby', on: false },
    { kind: 'maintenance', durationMs: pick(chance, [3000, 60_000]) },
    { kind: 'maintenance', durationMs: pick(chance, [0, 60_000]) },
    { kind: 'retry', groups },
    { kind: 'confirm-peer-off', node: otherSide(at), force: chance() < 0.3 },
    { kind: 'accept-data', groups: names },
  ]);
  return { kind: 'operator', host: at, request };
}
