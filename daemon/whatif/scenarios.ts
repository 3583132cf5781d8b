// The faults that are worth asking about in a situation, each with a name for the command line. Pure.

import { type Action, otherSide, type Segment, type Side, sides, type TimedAction } from '../sim/action.ts';
import { interfaceOf, modelPolicy } from './modelled.ts';
import type { Situation } from './situation.ts';

export interface Scenario {
  /** Words by which it can be asked for, e.g. `power primary`. */
  readonly id: string;
  readonly title: string;
  /** Times count from the beginning of the story. */
  readonly faults: readonly TimedAction[];
  /** What outages count from; null: the first fault. */
  readonly measuredFrom: { readonly atMs: number; readonly what: string } | null;
  /** Is it worth asking what a loss of power of whoever has it then would do? */
  readonly isDegrading: boolean;
}

/** How long both hosts are without power. */
const outageMs = 10_000;

const once = (id: string, title: string, ...actions: readonly Action[]): Scenario => ({
  id,
  title,
  faults: actions.map((action) => ({ atMs: 0, action })),
  measuredFrom: null,
  isDegrading: false,
});

const degrading = (scenario: Scenario): Scenario => ({ ...scenario, isDegrading: true });

export function scenariosOf(situation: Situation): readonly Scenario[] {
  const { lost } = situation;
  if (lost !== null) return withoutPeer(situation, lost);
  const of = (side: Side) => label(situation, side);
  const sidesToKill = situation.self === null ? sides : [situation.self];
  return [
    ...sides.map((side) =>
      once(`power ${situation.names[side]}`, `${of(side)} loses power`, { kind: 'power-loss', host: side }),
    ),
    ...links(situation).map(degrading),
    ...sidesToKill.flatMap((side) => daemonDies(situation, side)),
    ...outside(situation).map(degrading),
    bothLosePower(situation),
  ];
}

function label({ names, self }: Situation, side: Side): string {
  return side === self ? `${names[side]} (this node)` : names[side];
}

function daemonDies(situation: Situation, side: Side): readonly Scenario[] {
  const name = situation.names[side];
  const dies = `the daemon on ${label(situation, side)} dies`;
  const kill = (staysDown: boolean) => ({ kind: 'kill-daemon', host: side, staysDown }) as const;
  return [
    once(`daemon ${name}`, `${dies} and systemd starts it again`, kill(false)),
    degrading(once(`daemon ${name} stays-down`, `${dies} and does not come back`, kill(true))),
  ];
}

function links(situation: Situation): readonly Scenario[] {
  const { dedicated, lan } = modelPolicy(situation.policies.primary).links;
  const cut = (host: Side, segment: Segment) => ({ kind: 'cut', host, segment, direction: 'both' }) as const;
  const interfaces = [...new Set(lan.map(interfaceOf))];
  const served = situation.policies.primary.groups.flatMap((group) => group.interfaces);
  const lanName = (interfaces.length > 0 ? interfaces : [...new Set(served)]).join('+');
  const list: Scenario[] = [];
  if (dedicated.length > 0) {
    const cables = [...new Set(dedicated.map(interfaceOf))];
    const title =
      cables.length === 1
        ? `the dedicated cable (${cables.join('')}) fails`
        : `all dedicated cables (${cables.join(', ')}) fail at once`;
    list.push(once(`link ${cables.join('+')}`, title, cut('primary', 'dedicated')));
  }
  for (const side of sides) {
    const node = situation.names[side];
    const title = `the LAN cable (${lanName}) of ${label(situation, side)} fails`;
    list.push(once(`link ${lanName} ${node}`, title, cut(side, 'lan')));
  }
  return list;
}

function outside({ policies: { primary: policy }, names }: Situation): readonly Scenario[] {
  const list: Scenario[] = [];
  if (policy.probes.some(({ kind }) => kind === 'gateway')) {
    list.push(once('gateway', 'the gateway fails', { kind: 'gateway', condition: 'off' }));
  }
  if (policy.witness !== null) {
    list.push(once('witness', 'the witness fails', { kind: 'witness', condition: 'down' }));
  }
  if (policy.fencing !== null) {
    for (const side of sides) {
      const title = `the device that powers ${names[side]} off fails`;
      const action = { kind: 'fence-device', host: side, condition: 'failing' } as const;
      list.push(once(`fence-device ${names[side]}`, title, action));
    }
  }
  return list;
}

function bothLosePower(_situation: Situation): Scenario {
  const actions = (kind: 'power-loss' | 'power-on', atMs: number) =>
    sides.map((host) => ({ atMs, action: { kind, host } as const }));
  return {
    id: 'power both',
    title: `both hosts lose power and get it back ${outageMs / 1000} s later`,
    faults: [...actions('power-loss', 0), ...actions('power-on', outageMs)],
    measuredFrom: { atMs: outageMs, what: 'the return of the power' },
    isDegrading: false,
  };
}

function withoutPeer(situation: Situation, lost: NonNullable<Situation['lost']>): readonly Scenario[] {
  const side = otherSide(lost.side);
  const { names } = situation;
  const isAllHere = situation.holders.every(({ on }) => on === side);
  const powerCycle: Scenario = {
    id: `power ${names[side]}`,
    title: `${label(situation, side)} loses power and gets it back ${outageMs / 1000} s later, alone`,
    faults: [
      { atMs: 0, action: { kind: 'power-loss', host: side } },
      { atMs: outageMs, action: { kind: 'power-on', host: side } },
    ],
    measuredFrom: { atMs: outageMs, what: 'the return of the power' },
    isDegrading: false,
  };
  return [
    ...(isAllHere && lost.how !== 'cut-off' ? [] : [confirmOff(situation, lost)]),
    once(
      `return ${names[lost.side]}`,
      lost.how === 'cut-off' ? 'the network is mended' : `${names[lost.side]} comes back`,
      ...comesBack(lost),
    ),
    powerCycle,
    ...daemonDies(situation, side).map((scenario) => ({ ...scenario, isDegrading: false })),
    ...outside(situation),
  ];
}

function comesBack({ side, how }: NonNullable<Situation['lost']>): readonly Action[] {
  switch (how) {
    case 'power':
      return [{ kind: 'power-on', host: side }];
    case 'daemon':
    case 'left':
      return [{ kind: 'start-daemon', host: side }];
    case 'cut-off':
      return [
        { kind: 'heal' },
        { kind: 'mend', host: otherSide(side), segment: 'dedicated' },
        { kind: 'mend', host: otherSide(side), segment: 'lan' },
      ];
  }
}

/** A person powers the silent peer off and says so. */
function confirmOff({ names, policies }: Situation, { side, how }: NonNullable<Situation['lost']>): Scenario {
  // As soon as the daemon can see that nothing of it answers any more.
  const atMs = how === 'power' ? 0 : policies[side].timings.deadtimeMs + 1000;
  const request = { kind: 'confirm-peer-off', node: names[side], force: false } as const;
  const off: readonly TimedAction[] =
    how === 'power' ? [] : [{ atMs: 0, action: { kind: 'power-loss', host: side } }];
  return {
    id: `confirm ${names[side]}`,
    title: `${names[side]} is powered off and you say so (\`battito fence confirm ${names[side]}\`)`,
    faults: [...off, { atMs, action: { kind: 'operator', host: otherSide(side), request } }],
    measuredFrom: how === 'power' ? null : { atMs: 0, what: 'its loss of power' },
    isDegrading: false,
  };
}

/**
 * Those that have all these words in their names; `self` and `peer` stand for the nodes, and `peer-power` is the same
 * as `peer power`.
 */
export function chooseScenarios(
  situation: Situation,
  scenarios: readonly Scenario[],
  words: readonly string[],
): readonly Scenario[] {
  const { names, self } = situation;
  const real = (word: string) => {
    if (self !== null && word === 'self') return names[self];
    return self !== null && word === 'peer' ? names[otherSide(self)] : word;
  };
  const wanted = words
    .flatMap((text) => text.split(/\s+/))
    .flatMap((word) => /^(self|peer|both)-(.+)$/.exec(word)?.slice(1) ?? [word])
    .map(real);
  const wordsOf = (id: string) => id.split(/[ +]/);
  const exact = scenarios.filter(({ id }) => sameWords(wordsOf(id), wanted));
  if (exact.length > 0) return exact;
  return scenarios.filter(({ id }) => wanted.every((word) => wordsOf(id).includes(word)));
}

function sameWords(some: readonly string[], others: readonly string[]): boolean {
  return some.toSorted().join(' ') === others.toSorted().join(' ');
}
