// How long operations take: as recorded in the history of this node, as told on the command line, or assumed. Pure.

import type { Note, ResourceAction } from '../core/events.ts';
import type { Policy, ResourceId, ResourceKind, ResourcePolicy } from '../core/policy.ts';
import { BattitoError, exitCodes } from '../errors.ts';
import { readDuration } from '../sim/action-text.ts';
import type { DurationSource } from './report.ts';

export interface Durations {
  readonly of: (resource: ResourcePolicy, action: ResourceAction) => number;
  /** Of the starts. */
  readonly sources: readonly DurationSource[];
}

/** By kind and action, milliseconds; what is not named takes `other`. */
const assumed: Readonly<Record<ResourceKind, Readonly<Record<string, number>> & { readonly other: number }>> =
  {
    address: { other: 50 },
    drbd: { start: 500, other: 200 },
    filesystem: { start: 1000, other: 300 },
    guest: { start: 5000, stop: 10_000, save: 10_000, migrate: 10_000, other: 50 },
  };

const recordedMax = 20;

/** Milliseconds by resource and action; `given` by resource, or by kind. */
export function durationsFrom(
  policy: Policy,
  notes: readonly Note[],
  given: Readonly<Record<string, number>> = {},
): Durations {
  const recorded = new Map<string, number[]>();
  for (const { code, message, tookMs } of notes) {
    if (code !== 'operation-done' || tookMs === null) continue;
    recorded.set(message, [...(recorded.get(message) ?? []), tookMs].slice(-recordedMax));
  }
  const sourceOf = (
    { id, kind, startMs, stopMs, guest }: ResourcePolicy,
    action: ResourceAction,
  ): DurationSource => {
    const told = action === 'start' ? (given[id] ?? given[kind]) : undefined;
    const times = recorded.get(`${action} ${id}`) ?? [];
    const base = { resource: id, action };
    if (told !== undefined) return { ...base, ms: told, from: 'given', count: 0 };
    if (times.length > 0) return { ...base, ms: median(times), from: 'recorded', count: times.length };
    const guess = assumed[kind][action] ?? assumed[kind].other;
    // Whoever gave it less time knows that it takes less.
    const deadlines: Partial<Record<ResourceAction, number | null | undefined>> = {
      stop: stopMs,
      save: guest?.saveMs ?? stopMs,
      migrate: guest?.migrateMs,
    };
    const deadlineMs = deadlines[action] ?? startMs;
    return { ...base, ms: Math.min(guess, deadlineMs / 2), from: 'assumed', count: 0 };
  };
  const resources = policy.groups.flatMap((group) => group.resources);
  return {
    of: (resource, action) => sourceOf(resource, action).ms,
    sources: resources.map((resource) => sourceOf(resource, 'start')),
  };
}

/** The model's times scatter by a half; that must not run into a deadline which the real ones keep. */
export function withRoom(policy: Policy, { of }: Durations): Policy {
  const room = (givenMs: number, tookMs: number) =>
    tookMs > givenMs ? givenMs : Math.max(givenMs, tookMs * 1.6);
  const savedWithin = (resource: ResourcePolicy): Pick<ResourcePolicy, 'guest'> => {
    const { guest } = resource;
    if (guest === undefined) return {};
    const { saveMs, migrateMs } = guest;
    return {
      guest: {
        ...guest,
        saveMs: saveMs === null ? null : room(saveMs, of(resource, 'save')),
        migrateMs: migrateMs === null ? null : room(migrateMs, of(resource, 'migrate')),
      },
    };
  };
  const resources = (all: readonly ResourcePolicy[]) =>
    all.map((resource) => ({
      ...resource,
      startMs: room(resource.startMs, of(resource, 'start')),
      stopMs: room(resource.stopMs, of(resource, 'stop')),
      ...savedWithin(resource),
    }));
  return {
    ...policy,
    groups: policy.groups.map((group) => ({ ...group, resources: resources(group.resources) })),
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** `guest:mail=40s,guest=10s`. Throws BattitoError `usage`. */
export function readDurations(text: string, policy: Policy): Readonly<Record<ResourceId, number>> {
  const resources = policy.groups.flatMap((group) => group.resources);
  const known = [...new Set([...resources.map(({ kind }) => kind), ...resources.map(({ id }) => id)])];
  const given: Record<string, number> = {};
  for (const part of text.split(',')) {
    const [, name = '', time = ''] = /^(.*)=([^=]*)$/.exec(part.trim()) ?? [];
    const ms = readDuration(time);
    if (ms === undefined || !known.some((one) => one === name)) {
      throw new BattitoError('usage', `--durations does not understand ${JSON.stringify(part.trim())}`, {
        exitCode: exitCodes.usage,
        next: `write such as ${known.at(-1) ?? 'guest'}=40s; the names are ${known.join(', ')}`,
      });
    }
    if (given[name] !== undefined) {
      throw new BattitoError('usage', `--durations says twice how long ${name} takes`, {
        exitCode: exitCodes.usage,
        next: 'say it once',
      });
    }
    given[name] = ms;
  }
  return given;
}
