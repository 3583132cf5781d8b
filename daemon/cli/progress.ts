// How a move goes on: what is under way now. On a terminal a few lines that change in place, below the steps that are
// done; elsewhere a line whenever there is something new to say.

import type { GroupView, ResourceView, Status } from '../control/api.ts';
import { progressOf } from '../control/storage.ts';
import { resourceWords } from '../control/words.ts';
import { drbdNameOf } from '../core/resource.ts';
import { progressText } from '../drivers/drbd/progress.ts';
import { type Output, paint } from './output.ts';
import { openLiveLines } from './screen.ts';
import { hanging } from './status/picture.ts';

export interface UnderWay {
  /** The same of the same work in each look. */
  readonly key: string;
  readonly text: string;
  /** Where it can only be told line by line: another step is worth a line. */
  readonly step: string;
  /** Since when, as far as that is known; short work is not told before it is done. */
  readonly forMs: number | null;
  /** Another one in the next look: it moves on, so who waits by default may wait longer. */
  readonly measure: string | null;
}

const percentStep = 5;
const longMs = 5000;
const tellAgainMs = 30_000;

/** Of the named groups. Pure. */
export function underWayIn(status: Status, names: readonly string[]): readonly UnderWay[] {
  const groups = status.groups.filter(({ name }) => names.includes(name));
  return groups.flatMap((group) => [
    ...group.resources.flatMap((resource) => [
      ...operationOn(resource, groups.length > 1 ? `${group.name}  ` : ''),
      ...copyingOf(resource, status.peer.name),
    ]),
    ...atPeer(group, status),
  ]);
}

/** Guests take as long as they are configured to. */
const isPatient = ({ kind, operation }: ResourceView) =>
  kind === 'guest' && operation !== null && ['stop', 'save', 'migrate'].includes(operation.action);

function operationOn(resource: ResourceView, group: string): readonly UnderWay[] {
  const { id, operation } = resource;
  if (operation === null) return [];
  const { action, forMs, leftMs } = operation;
  const measure = isPatient(resource) && (leftMs ?? 0) > 0 ? `${leftMs}` : null;
  const text = `${group}${id} ${resourceWords(resource).text}`;
  return [{ key: `${id} ${action}`, text, step: '', forMs, measure }];
}

function copyingOf({ id, storage, resync }: ResourceView, peer: string): readonly UnderWay[] {
  const found = storage === null ? null : progressOf(storage, resync ?? null);
  if (found === null) return [];
  return [
    {
      key: `${id} resync`,
      text: copiedText(id, found, peer),
      step: String(Math.floor(found.percent / percentStep)),
      forMs: null,
      measure: `${found.percent} ${found.leftKib}`,
    },
  ];
}

/** `r0 is copied from secondary: 48 %, 524 MiB left at 7 MiB/s, about 71 s` */
export function copiedText(
  id: string,
  found: NonNullable<ReturnType<typeof progressOf>>,
  peer: string,
): string {
  const way = found.direction === 'target' ? `from ${peer}` : `to ${peer}`;
  return `${drbdNameOf(id)} is copied ${way}: ${progressText(found)}`;
}

/** The other node says no more than how much of it is up. */
function atPeer({ name, peer }: GroupView, { verdict, peer: node }: Status): readonly UnderWay[] {
  const isHeard = verdict.kind === 'alive' || verdict.kind === 'late';
  if (!isHeard || (peer?.phase !== 'starting' && peer?.phase !== 'stopping')) return [];
  const { phase, up, total } = peer;
  if (phase === 'starting' && up === total) return [];
  const text =
    phase === 'starting'
      ? `${node.name} starts ${name}: ${up} of ${total} up`
      : `${node.name} stops ${name}: ${up} of ${total} still up`;
  return [{ key: `${name} ${phase}`, text, step: String(up), forMs: null, measure: null }];
}

export interface ProgressView {
  /** A step that is done. */
  readonly tell: (line: string) => void;
  /** `waitingFor`: what is said where nothing is seen to be under way. */
  readonly show: (items: readonly UnderWay[], waitingFor: string) => void;
  readonly close: () => void;
}

export function openProgress(output: Output): ProgressView {
  return output.canRedraw ? inPlace(output) : lineByLine(output);
}

function inPlace(output: Output): ProgressView {
  const live = openLiveLines(output);
  return {
    tell: live.print,
    show: (items, waitingFor) =>
      live.show(() => {
        const look = output.look();
        const texts = items.length === 0 ? [waitingFor] : items.map(({ text }) => text);
        const mark = look.unicode ? '  ◐ ' : '  ~ ';
        const lines = texts.flatMap((text) => hanging(mark, text, look.columns));
        return lines.map((line) => paint(look, 'yellow', line)).join('\n');
      }),
    close: live.close,
  };
}

function lineByLine(output: Output): ProgressView {
  const told = new Map<string, { readonly step: string; readonly at: number }>();
  return {
    tell: output.line,
    show(items) {
      for (const { key, text, step, forMs } of items) {
        const before = told.get(key);
        const at = performance.now();
        const isNew = before?.step !== step || at - before.at >= tellAgainMs;
        if (!isNew || (forMs !== null && forMs < longMs)) continue;
        told.set(key, { step, at });
        output.line(`  ${text}`);
      }
    },
    close: () => {},
  };
}
