// What a daemon measures, for tests: of a pair that is well, and of one where everything is wrong at once.

import type { Status } from '../../../daemon/control/api.ts';
import type { TaskRun } from '../../../daemon/control/schedule.ts';
import { createHistogram } from '../../../daemon/metrics/histogram.ts';
import type { MetricsSource } from '../../../daemon/metrics/metrics.ts';
import { entry, group, link, resource, status } from '../fixtures/cli/statuses.ts';

export function metricsSource(changes: Partial<MetricsSource> = {}): MetricsSource {
  const gap = createHistogram([0.1, 0.2, 0.5, 1]);
  for (const seconds of [0.2, 0.21, 3]) gap.observe(seconds);
  return {
    status: status(),
    history: [],
    noteCounts: [],
    gaps: new Map([['eth1 broadcast', gap.read()]]),
    lateness: gap.read(),
    dropped: 0,
    process: {
      startedAt: 1_772_000_000,
      cpuUserS: 1.5,
      cpuSystemS: 0.25,
      residentBytes: 80e6,
      proportionalBytes: 60e6,
      heapBytes: 20e6,
      openFiles: 30,
      runtime: '26.0.0',
    },
    wallMs: 1_772_330_000_500,
    ...changes,
  };
}

const parted = resource('drbd:r0', {
  kind: 'drbd',
  storage: {
    role: 'primary',
    disk: 'up-to-date',
    connection: 'standalone',
    peerRole: 'unknown',
    peerDisk: 'outdated',
    suspended: 'no',
    resync: null,
  },
  apart: { standsAlone: 'split-brain', aloneForMs: 90_000, aloneLonger: false, changedKib: 2048 },
});

const resynced = resource('drbd:r1', {
  kind: 'drbd',
  storage: {
    role: 'primary',
    disk: 'up-to-date',
    connection: 'connected',
    peerRole: 'secondary',
    peerDisk: 'inconsistent',
    suspended: 'fencing',
    resync: { direction: 'source', percent: 12 },
  },
  resync: { direction: 'source', percent: 12.5, leftKib: 1024, leftS: 30 },
});

const failedRun: TaskRun = {
  ...{ at: '2026-03-01T03:00:00.000Z', tookMs: 90_000, result: 'failed', message: 'it failed' },
  ...{ next: 'look', code: 'verify-failed', severity: 'warning' },
};

/** Every metric that there is has a sample here. */
export const troubled: Status = status({
  tier: 'fenced',
  tierLacks: 'fencing: it does not answer',
  verdict: { kind: 'unresponsive', forMs: 4000, silentMs: 6000, signs: ['its LAN address answers'] },
  links: [
    link('eth1 broadcast', { fresh: false, refused: { 'bad-signature': 7 } }),
    link('eth1 broadcast', { down: 'no carrier', ageMs: null, heardByPeer: null }),
  ],
  groups: [
    group({
      resources: [
        parted,
        resynced,
        resource('drbd:r2', {
          kind: 'drbd',
          trouble: { code: 'drbd-silent', what: 'not seen', next: 'look' },
        }),
        resource('guest:mail', {
          ready: false,
          upForMs: 5000,
          operation: { action: 'stop', forMs: 900, leftMs: null },
        }),
        resource('guest:we"ird\\name', { status: 'failed', quarantined: 'crashed', leftOut: true }),
      ],
    }),
    group({ name: 'files', phase: 'blocked', peer: null, runsOn: null, undone: 'held open' }),
  ],
  watchdog: { device: '/dev/watchdog', timeoutMs: 5000, armed: true, lastError: null },
  readiness: {
    ...{ at: '2026-03-01T03:00:00.000Z', by: 'primary', nodes: ['primary', 'secondary'] },
    ...{ score: 60, ready: false },
    losses: [
      { node: 'primary', area: 'disks', message: 'no room', mend: 'make some', points: 40, blocks: true },
    ],
  },
  schedule: [
    {
      ...{ name: 'verify', schedule: '0 3 * * 0', next: '2026-03-08T03:00:00.000Z' },
      running: { at: '2026-03-01T03:00:00.000Z', forMs: 2000, progress: null },
      last: failedRun,
      made: failedRun,
    },
  ],
  witness: { holder: 'primary', leftMs: 4000, answeredMs: 100, trouble: null, away: [] },
  gaps: {
    days: 2,
    links: [
      {
        name: 'eth1 broadcast',
        count: 900,
        largestMs: 420,
        usualMs: 210,
        cuts: { count: 1, longestMs: 9000 },
      },
    ],
    silences: { count: 1, longestMs: 2500 },
    stalls: { count: 2, longestMs: 700 },
  },
  attention: [
    { severity: 'alarm', code: 'peer-unresponsive', message: 'it does not answer', next: 'power it off' },
    { severity: 'warning', code: 'link-silent', message: 'one', next: 'the cable' },
    { severity: 'warning', code: 'link-silent', message: 'two', next: 'the cable' },
  ],
});

export const troubledSource = (): MetricsSource =>
  metricsSource({
    status: troubled,
    history: [
      entry('primary -> ...', { code: 'take-over', time: '2026-03-01T03:00:00.000Z' }),
      entry('starting -> active', { code: 'started', time: '2026-03-01T03:00:02.500Z', tookMs: 2500 }),
      entry('drill: office: primary -> secondary: runs there after 3 s', {
        code: 'handover-drill',
        tookMs: 3000,
      }),
      entry('the scheduled drill (handover) failed: no', { code: 'drill-failed', tookMs: 100, group: null }),
      entry('drill: secondary can be switched off from here', { code: 'fence-drill', group: null }),
    ],
    noteCounts: [
      { severity: 'alarm', code: 'take-over', group: 'office', count: 1 },
      { severity: 'info', code: 'operation-done', group: 'office', count: 6 },
      { severity: 'warning', code: 'operation-failed', group: 'office', count: 2 },
      { severity: 'warning', code: 'operation-failed', group: 'gone', count: 9 },
    ],
  });
