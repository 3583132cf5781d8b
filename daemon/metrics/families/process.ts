// The daemon's own cost and pace. Its names begin with battito_ too: node_exporter, which may carry them as a textfile,
// has process_cpu_seconds_total and the like of its own, and refuses a second one.

import { counter, type Family, gauge, info, seconds } from '../family.ts';
import type { MetricsSource } from '../metrics.ts';

export function processFamilies(source: MetricsSource): readonly Family[] {
  const { process: facts, lateness, dropped, status, wallMs } = source;
  return [
    info('battito_build_info', 'The version of the daemon and of its runtime.', [
      { version: status.self.software ?? 'unknown', runtime: facts.runtime },
    ]),
    gauge('battito_metrics_timestamp_seconds', 'When this text was made, seconds since 1970.', [
      [{}, wallMs / 1000],
    ]),
    gauge('battito_process_start_time_seconds', 'When the daemon was started, seconds since 1970.', [
      [{}, facts.startedAt],
    ]),
    counter('battito_process_cpu_seconds_total', 'CPU time that the daemon has used.', [
      [{ mode: 'user' }, facts.cpuUserS],
      [{ mode: 'system' }, facts.cpuSystemS],
    ]),
    gauge('battito_process_resident_memory_bytes', 'Memory of the daemon, shared pages in full (RSS).', [
      [{}, facts.residentBytes],
    ]),
    gauge('battito_process_proportional_memory_bytes', 'Memory of the daemon, shared pages by share (PSS).', [
      [{}, facts.proportionalBytes],
    ]),
    gauge('battito_process_heap_bytes', 'Memory in use by the objects of the daemon.', [
      [{}, facts.heapBytes],
    ]),
    gauge('battito_process_open_fds', 'Open file descriptors of the daemon.', [[{}, facts.openFiles]]),
    {
      kind: 'histogram',
      name: 'battito_event_loop_lateness_seconds',
      help: 'How much later than it wished to the daemon got to run.',
      series: [{ labels: {}, reading: lateness }],
    },
    counter('battito_stalls_total', 'How often the daemon did not run for longer than a keepalive.', [
      [{}, status.stalls.count],
    ]),
    gauge('battito_last_stall_seconds', 'How long the last stall was; 0: there was none.', [
      [{}, seconds(status.stalls.lastMs)],
    ]),
    counter('battito_heartbeats_dropped_total', 'Heartbeats given up because too many came at once.', [
      [{}, dropped],
    ]),
  ];
}
