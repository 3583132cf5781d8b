// What `battito explain` and `battito simulate` answer: plain data, printed as it is with --json. Times are
// milliseconds and count from the fault, or from where `measuredFrom` says.

import type { Severity } from '../core/events.ts';
import type { GroupName, NodeName, ResourceId } from '../core/policy.ts';

/** Over the runs; all have the same value where they agree. */
export interface Range {
  readonly lowMs: number;
  readonly middleMs: number;
  readonly highMs: number;
}

export interface ResourceOutcome {
  readonly id: ResourceId;
  /** Was it served before? */
  readonly wasUp: boolean;
  readonly isUp: boolean;
  /** Was it served without a gap all the time? */
  readonly untouched: boolean;
  /** When it was served for good (again), after the fault; null: never, or it had no gap. */
  readonly backAfter: Range | null;
}

/**
 * untouched: same node, no gap. moved: another node has it. back: same node, with a gap. started: nobody had it before.
 * lost: nobody has it any more. absent: nobody had it, nobody has it. frozen: paused where it was. unreached: it runs,
 * but its clients do not reach it. doubled: both nodes run it, which must never be.
 */
export type GroupFate =
  | 'untouched'
  | 'moved'
  | 'back'
  | 'started'
  | 'lost'
  | 'absent'
  | 'frozen'
  | 'unreached'
  | 'doubled';

/** Why a node that is there does not run the group, and what a person can do. */
export interface Hindrance {
  readonly node: NodeName;
  /** An obstacle of the core, or `standby`, `maintenance`, `no-daemon`, `other`. */
  readonly code: string;
  readonly why: string;
  readonly next: string;
}

export interface GroupOutcome {
  readonly name: GroupName;
  readonly fate: GroupFate;
  readonly from: NodeName | null;
  readonly to: NodeName | null;
  /** For how long a guest of it ran on both nodes at once, which must never be; null: it never did. */
  readonly doubledFor: Range | null;
  /** For how long a guest of it ran on one node while the other one was starting it; null: it never did. */
  readonly overlapFor: Range | null;
  /** Does a daemon look after it where it runs? */
  readonly attended: boolean;
  /** When the new owner began to start it; null: nobody did. */
  readonly takenAfter: Range | null;
  readonly addresses: readonly ResourceOutcome[];
  readonly guests: readonly ResourceOutcome[];
  /** What was started, in the order in which it was begun; parts that begin together in the order of the plan. */
  readonly order: readonly ResourceId[];
  readonly hindrances: readonly Hindrance[];
}

/** What `battito status` says then and did not say before. */
export interface Notice {
  readonly node: NodeName;
  readonly severity: Severity;
  readonly code: string;
  readonly message: string;
  readonly next: string;
}

export interface TimelineEntry {
  readonly atMs: number;
  /** null: it happened to the world. */
  readonly node: NodeName | null;
  readonly severity: Severity;
  readonly code: string;
  readonly group: GroupName | null;
  readonly message: string;
  readonly next: string | null;
}

/** What most runs came to. */
export interface Ending {
  /** In a sentence, beginning with the verdict. */
  readonly verdict: string;
  readonly groups: readonly GroupOutcome[];
  readonly notices: readonly Notice[];
  /** Runs that ended so. */
  readonly runs: number;
  /** False: the world had not come to rest when it was left. */
  readonly atRest: boolean;
}

export interface ScenarioReport {
  readonly id: string;
  readonly title: string;
  /** As `simulate --fault` takes them. */
  readonly faults: readonly string[];
  /** What times count from, when it is not the first fault. */
  readonly measuredFrom: string | null;
  readonly ending: Ending;
  /** Other endings, with how many runs had them; empty: all runs agree. */
  readonly otherEndings: readonly Ending[];
  /** What a loss of power of whoever has it after the first fault would do. */
  readonly secondFault: { readonly title: string; readonly verdict: string } | null;
  /** Of the first run. */
  readonly timeline: readonly TimelineEntry[];
}

export interface DurationSource {
  readonly resource: ResourceId;
  readonly action: string;
  readonly ms: number;
  /** recorded: median of `count` times here. assumed: none was recorded. given: on the command line. */
  readonly from: 'recorded' | 'assumed' | 'given';
  readonly count: number;
}

export interface WhatIfReport {
  readonly basis: {
    readonly kind: 'live' | 'configuration';
    readonly seeds: readonly number[];
    /** How long a start takes, of each resource. */
    readonly durations: readonly DurationSource[];
    /** What was taken for granted since this node cannot know it. */
    readonly assumptions: readonly string[];
    /** What is different in the model although it should not be; empty: it begins as things are. */
    readonly differences: readonly string[];
  };
  readonly nodes: readonly [NodeName, NodeName];
  /** Which of them was asked; null: none. */
  readonly self: NodeName | null;
  readonly now: {
    readonly summary: string;
    readonly groups: readonly { readonly name: GroupName; readonly on: NodeName | null }[];
    readonly notices: readonly Notice[];
  };
  readonly scenarios: readonly ScenarioReport[];
}
