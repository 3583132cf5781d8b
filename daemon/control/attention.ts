// What needs a person right now, most urgent first, each with what to do next. A pure reading of the state.

import { factsOf } from '../core/facts.ts';
import { isStartHeldUp } from '../core/mirror.ts';
import { describeSigns, nextWhenHeldUp } from '../core/notes.ts';
import { explainObstacle } from '../core/obstacles.ts';
import { awaitsWitness } from '../core/resumption.ts';
import type { GroupState, State } from '../core/state.ts';
import { peerReport } from '../core/state.ts';
import { formatRemaining } from '../incident/time.ts';
import type { Attention, Severity } from './api.ts';
import { attentionOfDefinitions } from './attention-definitions.ts';
import { item, restartInPlace } from './attention-item.ts';
import { attentionOfResource } from './attention-resource.ts';
import { attentionOfStorage } from './attention-storage.ts';
import { attentionOfVersions, unsupportedVersion } from './attention-versions.ts';
import type { GuestDefinitions } from './guests.ts';
import { type StorageNotes, storageText } from './storage.ts';

const rank: Readonly<Record<Severity, number>> = { alarm: 0, warning: 1, info: 2 };

export function attentionOf(
  state: State,
  /** Packets that the links refused, by reason. */
  refused: Readonly<Record<string, number>> = {},
  notes: StorageNotes = new Map(),
  definitions: Pick<GuestDefinitions, 'guests' | 'self' | 'peer'> | null = null,
  safeguards: readonly Attention[] = [],
  /** Until standby ends by itself; null: it has no end. */
  standbyLeftMs: number | null = null,
): readonly Attention[] {
  const all = [
    ...ofKeys(state, refused),
    ...attentionOfVersions(state, refused),
    ...ofPeer(state, refused),
    ...state.groups.flatMap((group) => ofGroup(state, group, notes)),
    ...(definitions === null ? [] : attentionOfDefinitions(definitions)),
    ...safeguards,
    ...ofNode(state, standbyLeftMs),
    ...ofLinks(state),
  ];
  return all.toSorted((a, b) => rank[a.severity] - rank[b.severity]);
}

/** Reasons that mean: the other node is there, but does not speak our language. */
const strangerReasons = ['unknown-key', 'bad-signature', 'foreign-cluster', 'unknown-sender'];

const strangers = (refused: Readonly<Record<string, number>>) =>
  strangerReasons.filter((reason) => (refused[reason] ?? 0) > 0);

const isRefused = (refused: Readonly<Record<string, number>>) =>
  strangers(refused).length > 0 || (refused[unsupportedVersion] ?? 0) > 0;

function ofKeys(state: State, refused: Readonly<Record<string, number>>): readonly Attention[] {
  const reasons = strangers(refused);
  if (reasons.length === 0 || state.verdict.kind === 'alive') return [];
  const counts = reasons.map((reason) => `${refused[reason]} ${reason}`).join(', ');
  return [
    item(
      'alarm',
      'packets-refused',
      `packets arrive, but are refused: ${counts}`,
      `compare the key file and the names of cluster and nodes on both hosts; ${state.policy.peer} may be well`,
    ),
  ];
}

function ofPeer(state: State, refused: Readonly<Record<string, number>>): readonly Attention[] {
  const { self, peer } = state.policy;
  const { verdict } = state;
  switch (verdict.kind) {
    case 'dead':
    case 'fenced':
      return [
        item(
          'warning',
          verdict.kind === 'dead' ? 'peer-dead' : 'peer-fenced',
          `${peer} is ${verdict.kind}: nothing protects ${self} until it is back`,
          `find out why ${peer} went down and start it; it comes back as standby by itself`,
        ),
      ];
    case 'departed':
      return [
        item(
          'warning',
          'peer-departed',
          `the daemon on ${peer} was stopped: nothing protects ${self}`,
          `on ${peer}: systemctl start battito`,
        ),
      ];
    case 'unresponsive':
      return [
        item(
          'alarm',
          'peer-unresponsive',
          `${peer} sends no heartbeats, but is not proven off: ${describeSigns(verdict.signs)}`,
          isRefused(refused)
            ? `see why its packets are refused`
            : `on ${peer}: systemctl restart battito; if it hangs, power it off, then here: battito fence confirm ${peer}`,
        ),
      ];
    case 'isolated':
      return [
        item(
          'alarm',
          'isolated',
          `${self} is cut off: neither ${peer} nor the outside answers`,
          `check the cables and the switch of ${self}`,
        ),
      ];
    default:
      return [];
  }
}

function ofFrozen(state: State, group: GroupState): Attention {
  const { name } = group.policy;
  const { peer } = state.policy;
  const what = `${name} is frozen: addresses released, guests paused, until`;
  if (state.verdict.kind !== 'alive' || !awaitsWitness(state, group)) {
    const next = `mend the network; or, if ${peer} is powered off: battito fence confirm ${peer}`;
    return item('alarm', 'frozen', `${what} ${peer} is heard`, next);
  }
  const next = `mend the witness; or give up what was written here and run on ${peer}: battito takeover ${name}`;
  return item('alarm', 'frozen', `${what} the witness says whether ${peer} has written since`, next);
}

/** Something of it is to be brought up, and by all that is known a peer that is silent may have it. */
function waitsForPeer(state: State, group: GroupState): boolean {
  const { phase, resources } = group;
  const isIncomplete =
    phase.kind === 'starting' ||
    (phase.kind === 'active' && resources.some(({ status }) => status?.kind === 'down'));
  return isIncomplete && state.verdict.kind !== 'alive' && factsOf(state, group).peerMayHoldRest;
}

function ofGroup(state: State, group: GroupState, notes: StorageNotes): readonly Attention[] {
  const { name } = group.policy;
  const { peer } = state.policy;
  const list: Attention[] = [];
  if (group.phase.kind === 'blocked') {
    const { why, next } = explainObstacle(group.phase.obstacle, state, group);
    const disks = disksOf(group, notes);
    const message = `${name} is not started here: ${why}${disks === '' ? '' : ` (${disks})`}`;
    list.push(item('alarm', `blocked-${group.phase.obstacle}`, message, next));
  }
  if (group.phase.kind === 'frozen') list.push(ofFrozen(state, group));
  if (waitsForPeer(state, group)) {
    const why =
      peerReport(state, name) === null
        ? `${peer} has not been heard since this daemon started, and may hold what is down here`
        : `${peer} fell silent before it had let go of everything`;
    const next = `power ${peer} off, then: battito fence confirm ${peer}`;
    list.push(item('alarm', 'waiting-for-peer', `${name} waits: ${why}`, next));
  }
  if (isStartHeldUp(state, group)) {
    const why = `without the mirror, only the witness knows whether ${peer} has newer data`;
    list.push(item('alarm', 'waiting-for-witness', `${name} waits: ${why}`, nextWhenHeldUp(state, group)));
  }
  const isPeerIdle =
    state.verdict.kind === 'alive'
      ? peerReport(state, name)?.phase === 'stopped'
      : ['dead', 'departed', 'fenced'].includes(state.verdict.kind);
  const nobody = group.phase.kind === 'stopped' && isPeerIdle;
  if (nobody) list.push(item('alarm', 'nobody-runs-it', `${name} runs on neither node`, nobodyNext(state)));
  if (group.takenBack !== null) {
    list.push(
      item(
        'alarm',
        'taken-back',
        `the handover of ${name} was undone, it goes on here: ${group.takenBack}`,
        `put that right, then: battito handover ${name}`,
      ),
    );
  }
  if (group.phase.kind === 'active' && group.phase.generation === 0) {
    list.push(
      item(
        'alarm',
        'unowned',
        `${name} runs here, but by the record ${peer} owns it; nothing of it is started or repaired`,
        `start ${peer}; or, if its newer data may be lost: battito takeover --accept-data ${name}`,
      ),
    );
  }
  for (const resource of group.resources) {
    const inStorage = attentionOfStorage(state, resource, notes.get(resource.id));
    const isUnseen = inStorage.some(({ code }) => code === 'storage-not-seen'); // That says why it is unknown.
    const ofItself = attentionOfResource(state, group, resource);
    list.push(...inStorage, ...ofItself.filter(({ code }) => !isUnseen || code !== 'resource-unknown'));
  }
  return list;
}

/** What its mirrored disks are, where the newest data may be elsewhere and the obstacle does not name them. */
function disksOf({ phase, resources }: GroupState, notes: StorageNotes): string {
  if (phase.kind !== 'blocked') return '';
  if (phase.obstacle !== 'unproven-data' && phase.obstacle !== 'unknown-data') return '';
  return resources
    .filter(({ id }) => id.startsWith('drbd:'))
    .map(({ id, storage }) => storageText(id, storage, notes.get(id)?.resync ?? null))
    .join('; ');
}

function nobodyNext(state: State): string {
  if (state.standby) return 'battito standby off';
  if (state.maintenanceUntil !== null) return 'battito maintenance off';
  return 'battito status on both nodes says what they wait for';
}

function ofNode(state: State, standbyLeftMs: number | null): readonly Attention[] {
  const { self, peer, configDigest } = state.policy;
  const list: Attention[] = [];
  if (state.standby) {
    const left = standbyLeftMs === null ? '' : ` for ${formatRemaining(standbyLeftMs)} more`;
    const message = `${self} is in standby${left} and takes nothing over`;
    list.push(item('warning', 'standby', message, 'battito standby off'));
  }
  if (state.maintenanceUntil !== null) {
    const minutes = Math.ceil((state.maintenanceUntil - state.now) / 60_000);
    list.push(
      item(
        'warning',
        'maintenance',
        `${self} is in maintenance for ${minutes} min more: nothing is looked after`,
        'battito maintenance off',
      ),
    );
  }
  const { content } = state.peer;
  if (content !== null && state.verdict.kind === 'alive') {
    if (content.standby)
      list.push(
        item(
          'warning',
          'peer-standby',
          `${peer} is in standby and takes nothing over`,
          `on ${peer}: battito standby off`,
        ),
      );
    if (content.maintenanceMinutes > 0)
      list.push(
        item(
          'warning',
          'peer-maintenance',
          `${peer} is in maintenance`,
          `on ${peer}: battito maintenance off`,
        ),
      );
    if (content.configDigest !== configDigest) {
      list.push(
        item(
          'alarm',
          'config-differs',
          `the configurations of ${self} and ${peer} differ`,
          `copy the right /etc/battito/battito.yaml to the other node; then on each node that runs with another one: systemctl reload battito, which takes timings, key, preferred and failback; for all else: ${restartInPlace}`,
        ),
      );
    }
    if (!content.lan)
      list.push(
        item(
          'warning',
          'peer-no-lan',
          `${peer} has no working LAN`,
          `check the LAN cable and the gateway of ${peer}`,
        ),
      );
  }
  if (state.sentContent?.lan === false)
    list.push(
      item('alarm', 'no-lan', `${self} has no working LAN`, `check the LAN cable and the gateway of ${self}`),
    );
  if (state.watchdog.lastError !== null) {
    list.push(
      item(
        'alarm',
        'watchdog-failed',
        `the watchdog cannot be armed, so nothing is started here: ${state.watchdog.lastError}`,
        'battito check says what mends it; it is tried again by itself',
      ),
    );
  }
  if (state.ledgerFailing !== null) {
    list.push(
      item(
        'alarm',
        'ledger-not-written',
        `the state file cannot be written: ${state.ledgerFailing}`,
        'free space or mend the file system of the state directory',
      ),
    );
  }
  if (state.links.some(({ refused }) => refused['stale-incarnation'] > 0) && state.verdict.kind !== 'alive') {
    list.push(
      item(
        'alarm',
        'stale-incarnation',
        `packets of an earlier run of ${peer} arrive: replayed, or ${peer} has lost its state file and its clock is behind`,
        `set the clock of ${peer} and restart its daemon`,
      ),
    );
  }
  return list;
}

function ofLinks(state: State): readonly Attention[] {
  if (state.verdict.kind !== 'alive') return [];
  const { peer, links } = state.policy;
  return state.links.flatMap((link, index) => {
    const name = links[index] ?? `link ${index + 1}`;
    if (!link.fresh) {
      const why = link.down ?? `${peer} is not heard there`;
      return [
        item(
          'warning',
          'link-silent',
          `${name}: ${why}; the other link still carries the heartbeats`,
          `check the cable of ${name.split(' ')[0]} on both nodes`,
        ),
      ];
    }
    if (
      state.peer.content?.hears[index] === false &&
      state.now - (state.peer.aliveSince ?? state.now) > state.policy.timings.deadtimeMs
    ) {
      return [
        item(
          'warning',
          'link-one-way',
          `${name}: ${peer} is heard, but does not hear us there`,
          `check the firewall of ${peer} (UDP) and the cable of ${name.split(' ')[0]}`,
        ),
      ];
    }
    return [];
  });
}
