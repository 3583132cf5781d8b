// What must have happened to the two hosts so that the live state is as it is: cut cables, a gateway or a witness that
// does not answer, a guest that cannot start, a node that a person has set aside, a peer that is gone. Pure.

import type { State } from '../core/state.ts';
import { peerReport } from '../core/state.ts';
import type { Action, Segment, Side } from '../sim/action.ts';
import { modelPolicy } from './modelled.ts';
import type { Situation } from './situation.ts';

const self: Side = 'primary';
const peer: Side = 'secondary';
const segments: readonly Segment[] = ['dedicated', 'lan'];

type Holders = Situation['holders'];

const cut = (host: Side, segment: Segment, direction: 'both' | 'out' | 'in' = 'both'): Action => ({
  kind: 'cut',
  host,
  segment,
  direction,
});

export const sameTimes = (list: readonly string[]): readonly string[] => [...new Set(list)];

/** Of this node, before its daemon looks: what cannot be started here, and a state file that cannot be written. */
export function selfFirst(state: State): readonly Action[] {
  const broken = state.groups.flatMap(({ resources }) =>
    resources
      .filter(({ quarantined, failures }) => quarantined !== null || failures > 1)
      .map(({ id }): Action => ({ kind: 'break', host: self, resource: id, how: 'fails' })),
  );
  const gateway: readonly Action[] = gatewayIsGone(state) ? [{ kind: 'gateway', condition: 'off' }] : [];
  return [...broken, ...gateway];
}

/** Every gateway, for both nodes as far as this one can tell. */
function gatewayIsGone(state: State): boolean {
  const { own, all } = gatewaysLost(state);
  const isSilent = all.length > 0 && own.length === all.length;
  const isForPeer = state.verdict.kind !== 'alive' || state.peer.content?.lan === false;
  return isSilent && isForPeer && state.verdict.kind !== 'isolated';
}

function gatewaysLost({ policy, probes }: State) {
  const all = policy.probes.filter(({ kind }) => kind === 'gateway').map(({ id }) => id);
  const own = all.filter((id) => probes.find(({ target }) => target === id)?.last === 'unanswered');
  return { all, own };
}

/** Gateways that only one of two living nodes reaches, or that both do not among others that answer. */
function waysOut(state: State): readonly Action[] {
  const { content } = state.peer;
  if (state.verdict.kind !== 'alive' || content === null || gatewayIsGone(state)) return [];
  const { all, own } = gatewaysLost(state);
  // An older version does not count one gateway alone: that it has no LAN says it then; a cable that is out says so, too.
  const reached = content.gateways ?? (content.lan ? all.length : 0);
  // It says how many, not which ones: those that are lost here first.
  const ofPeer = [...own, ...all.filter((id) => !own.includes(id))].slice(0, all.length - reached);
  const shut = (host: Side) => (gateway: string) =>
    ({ kind: 'way-out', host, gateway, condition: 'shut' }) as const;
  return [...own.map(shut(self)), ...ofPeer.map(shut(peer))];
}

export function selfConditions(state: State, holders: Holders): readonly Action[] {
  const list: Action[] = [];
  const operator = (request: Extract<Action, { kind: 'operator' }>['request']) =>
    list.push({ kind: 'operator', host: self, request });
  const holds = holders.some(({ on }) => on === self);
  if (state.standby && holds) operator({ kind: 'standby', on: true });
  if (state.maintenanceUntil !== null) {
    operator({ kind: 'maintenance', durationMs: Math.max(60_000, state.maintenanceUntil - state.now) });
  }
  if (state.ledgerFailing !== null) list.push({ kind: 'state-disk', host: self, condition: 'full' });
  if (state.policy.witness !== null && state.lease.validUntil === null && isUnanswered(state)) {
    list.push({ kind: 'witness', condition: 'down' });
  }
  if (state.fence.lastError !== null) list.push({ kind: 'fence-device', host: peer, condition: 'failing' });
  return [...list, ...cables(state), ...waysOut(state)];
}

function isUnanswered({ lease }: State): boolean {
  return lease.lastError !== null && !lease.lastError.endsWith(' holds it');
}

/** While the peer is heard; of a silent one the cables tell nothing. */
function cables(state: State): readonly Action[] {
  const { links } = modelPolicy(state.policy);
  if (state.verdict.kind !== 'alive') return noCarrierOnLan(state) ? [cut(self, 'lan')] : [];
  return segments.flatMap((segment): Action[] => {
    const members = state.policy.links.flatMap((name, index) =>
      links[segment].includes(name) ? [{ link: state.links[index], index }] : [],
    );
    if (members.length === 0) return [];
    if (members.every(({ link }) => link?.down != null)) return [cut(self, segment)];
    const heard = members.some(({ link }) => link?.fresh === true);
    const hearsUs = members.some(({ index }) => state.peer.content?.hears[index] === true);
    if (heard && hearsUs) return segment === 'lan' && noCarrierOnLan(state) ? [cut(self, segment)] : [];
    if (heard) return [cut(self, segment, 'out')];
    return [hearsUs ? cut(peer, segment, 'out') : cut(peer, segment)];
  });
}

function noCarrierOnLan({ policy, carriers }: State): boolean {
  return policy.groups.some(({ interfaces }) => interfaces.some((name) => carriers[name]?.up === false));
}

export function peerConditions(state: State, holders: Holders): readonly Action[] {
  const { content } = state.peer;
  if (content === null) return [];
  const list: Action[] = [];
  const operator = (request: Extract<Action, { kind: 'operator' }>['request']) =>
    list.push({ kind: 'operator', host: peer, request });
  if (content.standby && holders.some(({ on }) => on === peer)) operator({ kind: 'standby', on: true });
  const maintenanceMs = (state.peerMaintenanceUntil ?? 0) - state.now;
  if (maintenanceMs > 0) operator({ kind: 'maintenance', durationMs: Math.max(60_000, maintenanceMs) });
  const isSetAside = content.standby || content.leaving || maintenanceMs > 0 || !content.lan;
  const cannotRun = state.groups.some(
    ({ policy: { name, resources } }) =>
      peerReport(state, name)?.willing === false && !resources.some(({ kind }) => kind === 'drbd'),
  );
  const isHeard = state.verdict.kind === 'alive';
  const isIdle = holders.every(({ on }) => on !== peer);
  if (isHeard && cannotRun && !isSetAside && isIdle) {
    // Whatever keeps it from running anything; this does, once it has something to write down.
    list.push({ kind: 'state-disk', host: peer, condition: 'full' });
    operator({ kind: 'standby', on: true });
    operator({ kind: 'standby', on: false });
  }
  return list;
}

/** By its own cables; or somewhere beyond them, where it has carrier. */
function cutOff(state: State): readonly Action[] {
  if (noCarrierOnLan(state)) return [cut(self, 'dedicated'), cut(self, 'lan')];
  return [{ kind: 'partition' }, cut(self, 'lan', 'in')];
}

export interface Loss {
  readonly lost: Situation['lost'];
  readonly actions: readonly Action[];
  /** How long it has been so at the least, milliseconds; and what happened then. */
  readonly waitMs: number;
  readonly last: readonly Action[];
  readonly assumption: string | null;
}

/** What has become of a peer that is silent: what the verdict on it says. */
export function peerLoss(state: State): Loss {
  const { verdict, policy, ledger } = state;
  const name = policy.peer;
  const { soleAfterMs, deadtimeMs } = policy.timings;
  const isSole = ledger.groups.some(({ sole }) => sole);
  const waitMs = isSole ? soleAfterMs + deadtimeMs : 0;
  switch (verdict.kind) {
    case 'alive':
    case 'late':
    case 'listening':
      return { lost: null, actions: [], waitMs: 0, last: [], assumption: null };
    case 'departed':
      return {
        lost: { side: peer, how: 'left' },
        actions: [{ kind: 'stop-daemon', host: peer }],
        waitMs,
        last: [],
        assumption: null,
      };
    case 'dead':
    case 'fenced': {
      const request = { kind: 'confirm-peer-off', node: name, force: false } as const;
      const isDead = verdict.kind === 'dead';
      return {
        lost: { side: peer, how: 'power' },
        actions: [{ kind: 'power-loss', host: peer }],
        waitMs: isDead ? waitMs : Math.max(waitMs, 2 * deadtimeMs),
        // Whoever vouched for it: an owner does not ask its device, since nothing waits for that.
        last: isDead ? [] : [{ kind: 'operator', host: self, request }],
        assumption: isDead ? `${name} is without power, as all evidence says` : null,
      };
    }
    case 'unresponsive':
      return {
        lost: { side: peer, how: 'daemon' },
        actions: [{ kind: 'kill-daemon', host: peer, staysDown: true }],
        waitMs,
        last: [],
        assumption: `the host of ${name} lives and only its daemon is dead`,
      };
    case 'isolated':
      return {
        lost: { side: peer, how: 'cut-off' },
        // A node that does not freeze has lost its peer long before.
        actions: isSole ? [{ kind: 'power-loss', host: peer }] : cutOff(state),
        waitMs,
        last: isSole ? cutOff(state) : [],
        assumption: `only ${policy.self} is cut off, and ${name} goes by its rules`,
      };
  }
}
