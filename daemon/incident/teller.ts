// Tells one node's journal as lines for a person: what the node noted, began, saw change, and heard its peer say.

import type { Effect, Event, Severity } from '../core/events.ts';
import type { HeartbeatContent } from '../core/heartbeat.ts';
import type { PeerState } from '../core/state.ts';
import type { Place, Visitor } from './read.ts';
import { textOfNote } from './words.ts';

/** One line of the story. */
export interface Told {
  readonly node: string;
  readonly boot: string;
  /** By the node's own monotonic clock. */
  readonly at: number;
  readonly place: Place;
  readonly severity: Severity;
  readonly group: string | null;
  /** The note's; null: the line is made from another record. */
  readonly code: string | null;
  readonly text: string;
  readonly next: string | null;
  readonly tookMs: number | null;
}

type HeartbeatEvent = Extract<Event, { readonly kind: 'heartbeat-received' }>;
type Line = Pick<Told, 'text'> & Partial<Pick<Told, 'severity' | 'group' | 'code' | 'next' | 'tookMs'>>;

/** A visitor of a journal; `emit` gets its lines, that of a silence a warntime late. */
export function createTeller(emit: (told: Told) => void): Visitor {
  let run: number | null = null;
  let last: Place | null = null;
  let exited = false;
  let now = 0;
  let seen = new Map<string, string>();

  const tell = (place: Place, at: number, line: Line) => {
    const { node, boot } = place.header;
    const defaults = { severity: 'info', group: null, code: null, next: null, tookMs: null } as const;
    emit({ node, boot, at, place, ...defaults, ...line });
  };

  /** Was it seen for the first time, or has it changed? */
  const isNews = (what: string, value: string): boolean => {
    if (seen.get(what) === value) return false;
    seen.set(what, value);
    return true;
  };

  const listener = createListener(tell);

  return {
    segment(place) {
      const { header } = place;
      const { state } = header;
      const isNewRun = run !== state.incarnation;
      if (isNewRun && last !== null && !exited) {
        const text = `the record of ${header.node} ends here: the daemon or its host ended without a word`;
        tell(last, now, { severity: 'alarm', text });
      }
      last = place;
      now = header.monotonicMs;
      if (header.lost > 0) {
        tell(place, now, {
          severity: 'warning',
          text: `${header.lost} events before this were not recorded`,
        });
      }
      if (!isNewRun) return;
      exited = false;
      run = state.incarnation;
      seen = new Map();
      listener.begin(state.peer);
      if (header.because === 'start') {
        tell(place, now, { text: `the daemon has started, version ${header.software}` });
      }
    },
    event(event, place) {
      now = event.at;
      last = place;
      listener.passTime(now, place);
      if (event.kind === 'heartbeat-received') return listener.hear(event, place);
      const line = lineOf(event, isNews);
      if (line !== null) tell(place, now, line);
    },
    effects(effects, place) {
      for (const effect of effects) {
        if (effect.kind === 'exit') exited = true;
        const line = lineOfEffect(effect);
        if (line !== null) tell(place, now, line);
      }
    },
    refused({ link, reason, count }, place) {
      const name = place.header.state.policy.links[link] ?? `link ${link + 1}`;
      tell(place, now, { text: `${count} packets on ${name} were refused: ${reason}` });
    },
    damaged(place) {
      tell(place, now, { severity: 'warning', text: 'a line of the record is cut off or damaged here' });
    },
    ended() {
      if (last !== null && !exited) tell(last, now, { text: `the record of ${last.header.node} ends here` });
    },
  };
}

/** Tells of what the peer says, and of its silences. */
function createListener(tell: (place: Place, at: number, line: Line) => void) {
  let lastHeardAt: number | null = null;
  let silenceTold = true;
  let content: HeartbeatContent | null = null;
  let newest = { incarnation: 0, sequence: 0 };
  return {
    /** What the daemon knew of its peer when it began. */
    begin(peer: PeerState) {
      content = peer.content;
      newest = { incarnation: peer.incarnation ?? 0, sequence: peer.lastSequence };
      lastHeardAt = peer.lastHeardAt;
      silenceTold = lastHeardAt === null;
    },
    hear({ at, incarnation, sequence, content: heard }: HeartbeatEvent, place: Place) {
      const { peer } = place.header;
      if (lastHeardAt === null || silenceTold) {
        tell(place, at, { text: `hears ${peer}${after(lastHeardAt, at)}` });
      }
      lastHeardAt = at;
      silenceTold = false;
      const isRenewed = incarnation > newest.incarnation;
      // Otherwise the other link was faster.
      const isNewer = isRenewed || (incarnation === newest.incarnation && sequence > newest.sequence);
      if (!isNewer) return;
      newest = { incarnation, sequence };
      if (heard === content) return;
      for (const { text, group } of changes(content, heard)) {
        tell(place, at, { text: `${peer} says: ${text}`, group });
      }
      content = heard;
    },
    passTime(at: number, place: Place) {
      const { warntimeMs } = place.header.state.policy.timings;
      if (silenceTold || lastHeardAt === null || at - lastHeardAt < warntimeMs) return;
      silenceTold = true;
      tell(place, lastHeardAt, { text: `the last packet of ${place.header.peer} before a silence` });
    },
  };
}

function after(lastHeardAt: number | null, at: number): string {
  return lastHeardAt === null ? '' : ` again, after ${((at - lastHeardAt) / 1000).toFixed(2)} s`;
}

/** What is of interest in an event beside what the core notes about it; null: nothing. */
function lineOf(event: Event, isNews: (what: string, value: string) => boolean): Line | null {
  switch (event.kind) {
    case 'time-passed':
    case 'heartbeat-received':
    case 'heartbeat-not-understood':
    case 'operation-finished':
    case 'operator-requested':
    case 'stop-requested':
      return null;
    case 'carrier-observed':
      return isNews(`carrier ${event.interface}`, String(event.carrier))
        ? { text: `${event.interface} has ${event.carrier ? 'carrier' : 'lost its carrier'}` }
        : null;
    case 'link-observed':
      return isNews(`link ${event.link}`, String(event.down))
        ? { text: `link ${event.link + 1}: ${event.down ?? 'usable'}` }
        : null;
    case 'probe-reported':
      return isNews(`probe ${event.target}`, event.result)
        ? { text: `asked whether it is there, ${event.target}: ${event.result}` }
        : null;
    case 'resource-observed':
      return isNews(`${event.group} ${event.resource}`, event.status.kind)
        ? { text: `${event.resource} is seen ${event.status.kind}`, group: event.group }
        : null;
    case 'ledger-persisted':
      return { text: `the ledger is on disk (revision ${event.revision})` };
    case 'policy-replaced':
      return { text: 'the configuration was read again' };
    default:
      return otherEvent(event, isNews);
  }
}

/** An event that needs no words of its own: its fields, when they are others than the last time. */
function otherEvent(event: Event, isNews: (what: string, value: string) => boolean): Line | null {
  const fields = Object.entries(event).filter(
    ([key]) => !['at', 'kind', 'id', 'operation', 'group'].includes(key),
  );
  const group = 'group' in event && typeof event.group === 'string' ? event.group : null;
  const named = fields.map(([key, value]) => `${key} ${words(value)}`).join(', ');
  const resource = 'resource' in event ? String(event.resource) : '';
  return isNews(`${event.kind} ${group} ${resource}`, named)
    ? { text: `${event.kind.replaceAll('-', ' ')}: ${named}`, group }
    : null;
}

function words(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([key, inner]) => (key === 'kind' ? words(inner) : `${key} ${words(inner)}`))
    .join(' ');
}

/** Effects that say nothing by themselves: they repeat, or something else tells of them. */
const silentEffects: readonly string[] = [
  'send-heartbeat',
  'pace-probes',
  'persist-ledger',
  'answer-request',
  'cancel-operation',
  'pet-watchdog',
  'request-lease',
];

function lineOfEffect(effect: Effect): Line | null {
  if (effect.kind === 'note') {
    const { message: _, ...rest } = effect.note;
    return { ...rest, text: textOfNote(effect.note) };
  }
  if (effect.kind === 'start-operation') {
    return { text: `${effect.action} ${effect.resource} begins`, group: effect.group };
  }
  if (effect.kind === 'exit') return { text: 'the daemon ends' };
  return silentEffects.includes(effect.kind) ? null : { text: effect.kind.replaceAll('-', ' ') };
}

interface Change {
  readonly text: string;
  readonly group: string | null;
}

/** What a heartbeat says that the one before it did not. */
function changes(before: HeartbeatContent | null, after: HeartbeatContent): readonly Change[] {
  const found: Change[] = [];
  const say = (text: string, group: string | null = null) => found.push({ text, group });
  if (before?.software !== after.software) say(`version ${after.software}`);
  if (before !== null && before.configDigest !== after.configDigest) say('another configuration');
  if ((before?.leaving ?? false) !== after.leaving) say(after.leaving ? 'leaving' : 'staying');
  if ((before?.standby ?? false) !== after.standby) say(after.standby ? 'standby' : 'no longer standby');
  if ((before?.lan ?? true) !== after.lan) say(after.lan ? 'has the LAN again' : 'has lost the LAN');
  const wasMaintained = (before?.maintenanceMinutes ?? 0) > 0;
  if (wasMaintained !== after.maintenanceMinutes > 0)
    say(wasMaintained ? 'end of maintenance' : 'maintenance');
  after.hears.forEach((hears, link) => {
    if (before !== null && before.hears[link] !== hears) {
      say(`${hears ? 'hears' : 'does not hear'} this node on link ${link + 1}`);
    }
  });
  for (const group of after.groups) {
    const was = before?.groups.find(({ name }) => name === group.name);
    const isMove = was !== undefined && was.phase !== group.phase;
    const phase = isMove ? `${was.phase} -> ${group.phase}` : group.phase;
    const generation = `generation ${group.generation}${group.owner === null ? '' : ` of ${group.owner}`}`;
    if (was?.phase !== group.phase || was.generation !== group.generation)
      say(`${phase}, ${generation}`, group.name);
    else if (was.offer !== group.offer && group.offer) say('offers it', group.name);
    else if (was.grant === null && group.grant !== null) say('agrees', group.name);
  }
  return found;
}
