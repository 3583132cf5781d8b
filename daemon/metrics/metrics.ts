// What is measured, as Prometheus reads it: a pure function of what the daemon says of itself. It asks nobody, waits for
// nothing and keeps nothing. Names: https://prometheus.io/docs/practices/naming/

import type { HistoryEntry, Status } from '../control/api.ts';
import { contentTypes, formatFor, renderFamilies } from './exposition.ts';
import { attentionFamilies } from './families/attention.ts';
import { groupFamilies } from './families/groups.ts';
import { historyFamilies } from './families/history.ts';
import { linkFamilies } from './families/links.ts';
import { nodeFamilies } from './families/node.ts';
import { processFamilies } from './families/process.ts';
import { safeguardFamilies } from './families/safeguards.ts';
import { scheduleFamilies } from './families/schedule.ts';
import { storageFamilies } from './families/storage.ts';
import type { Family } from './family.ts';
import type { HistogramReading } from './histogram.ts';
import type { ProcessFacts } from './process-facts.ts';

/** How often a note was written since the daemon started. */
export interface NoteCount {
  readonly severity: HistoryEntry['severity'];
  readonly code: string;
  readonly group: string | null;
  readonly count: number;
}

export interface MetricsSource {
  readonly status: Status;
  /** The newest notes, oldest first, also of earlier runs. */
  readonly history: readonly HistoryEntry[];
  readonly noteCounts: readonly NoteCount[];
  /** Time between two heartbeats since the daemon started, by link. */
  readonly gaps: ReadonlyMap<string, HistogramReading>;
  /** How much later than it wished the daemon got to run. */
  readonly lateness: HistogramReading;
  /** Heartbeats given up because the queue was full. */
  readonly dropped: number;
  readonly process: ProcessFacts;
  /** Milliseconds since 1970. */
  readonly wallMs: number;
}

export interface RenderedMetrics {
  readonly contentType: string;
  readonly body: string;
}

export function metricFamilies(source: MetricsSource): readonly Family[] {
  return [
    ...nodeFamilies(source),
    ...attentionFamilies(source),
    ...linkFamilies(source),
    ...groupFamilies(source),
    ...storageFamilies(source),
    ...safeguardFamilies(source),
    ...scheduleFamilies(source),
    ...historyFamilies(source),
    ...processFamilies(source),
  ];
}

/** `accept`: the header of who asks; absent: the format that a textfile has. */
export function renderMetrics(source: MetricsSource, accept?: string): RenderedMetrics {
  const format = formatFor(accept);
  return { contentType: contentTypes[format], body: renderFamilies(metricFamilies(source), format) };
}
