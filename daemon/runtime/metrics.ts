// The daemon's end of daemon/metrics: gathers what is measured when it is asked for, and keeps the textfile.
// Guarantee: it is run only then; where heartbeats come and go nothing but counters is touched.

import type { Logger } from 'pino';
import type { Config, MetricsConfig } from '../config/config.ts';
import type { Attention, Status } from '../control/api.ts';
import { type RenderedMetrics, renderMetrics } from '../metrics/metrics.ts';
import { readProcessFacts } from '../metrics/process-facts.ts';
import { createTextfile } from '../metrics/textfile.ts';
import type { GapsFile } from './heartbeat/gaps-file.ts';
import type { Loop } from './loop.ts';
import type { History } from './records/history.ts';

export interface Metrics {
  /** `accept`: the header of who asks, absent: plain text. For `/metrics` of any listener. */
  render(accept?: string): Promise<RenderedMetrics>;
  attention(): readonly Attention[];
  reload(config: MetricsConfig | null): void;
  /** Removes the textfile. */
  close(): Promise<void>;
}

export interface MetricsOptions {
  readonly config: Config;
  readonly status: () => Status;
  readonly loop: Loop;
  readonly gaps: GapsFile;
  readonly history: History;
  readonly logger: Logger;
}

/** As much of the history as is kept in memory. */
const historyMax = 1000;

export function openMetrics({ config, status, loop, gaps, history, logger }: MetricsOptions): Metrics {
  const render = async (accept?: string): Promise<RenderedMetrics> => {
    const wallMs = Date.now();
    const process = await readProcessFacts(wallMs);
    return renderMetrics(
      {
        ...{ status: status(), process, wallMs },
        ...{ history: history.latest(historyMax), noteCounts: history.counts() },
        ...{ gaps: gaps.histograms(), lateness: loop.lateness(), dropped: loop.dropped() },
      },
      accept,
    );
  };
  const textfile = createTextfile({
    config: config.metrics,
    render: async () => (await render()).body,
    logger,
  });
  return {
    render,
    attention: textfile.attention,
    reload: textfile.configure,
    close: textfile.close,
  };
}
