// What can go wrong, each entry one physical cause. Used singly (evidence tier) and mixed (every other). How they are
// drawn is in drawing.ts.

import { type Action, otherSide, sides } from '../../daemon/sim/action.ts';
import {
  between,
  cutOff,
  type Episode,
  effectsMs,
  episode,
  type Fault,
  hasDevice,
  hasDisk,
  hasLease,
  host,
  pick,
  resources,
  segments,
  while_,
} from './drawing.ts';

const hourMs = 3_600_000;

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
    name: 'wall clock',
    isSingle: true,
    draw: (draw) => {
      const byMs = pick(draw.chance, [1000, 60_000, hourMs, 24 * hourMs]);
      const isBack = draw.chance() < 0.6;
      return episode({ kind: 'step-clock', host: host(draw), ms: isBack ? -byMs : byMs });
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
      const begin: Action = { kind: 'cut', host: at, segment, direction };
      return episode(begin, { kind: 'mend', host: at, segment }, while_(draw));
    },
  },
  {
    name: 'cut off',
    isSingle: true,
    draw: (draw) => cutOff([host(draw)], segments, while_(draw)),
  },
  {
    name: 'switch',
    isSingle: true,
    draw: (draw) => cutOff(sides, [pick(draw.chance, segments)], while_(draw)),
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
  { name: 'forged packets', isSingle: true, draw: (draw) => episode({ kind: 'forge', host: host(draw) }) },
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
    name: 'guest dies or crashes',
    isSingle: true,
    draw: (draw) => {
      const crashes = draw.setup.guests === 'ordered' && draw.guestChance() < 0.5;
      const kind = crashes ? 'crash-guest' : 'guest-dies';
      return episode({ kind, host: host(draw), guest: resources(draw, ['guest']) });
    },
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
          { kind: 'replace-disk', host: at },
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
      () => cutOff([at], segments, ms),
      () => cutOff([at], segments, ms, 'out'),
    ])();
  },
};

export const faults: readonly Fault[] = [...power, ...daemon, ...network, ...things, ...guardsOfBoth];
