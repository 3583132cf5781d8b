// The alert rules of config/, run by the real promtool: each one fires when it should, stays silent when all is well and
// in its own borderline case, and its words have every label that they name.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import test from 'ava';
import { parse, stringify } from 'yaml';
import { promtool } from '../prometheus.ts';
import { makeTemporaryDirectory } from '../support.ts';

const rulesFile = resolve(import.meta.dirname, '../../config/prometheus-rules.yml');

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

const rules = (parse(readFileSync(rulesFile, 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);

/** Series by name and labels, with values a minute apart as promtool writes them: `1+0x20` is 1 for twenty minutes. */
type Series = Readonly<Record<string, string>>;

const always = (value: number) => `${value}+0x2000`;
const instances = { primary: '192.168.1.2:8694', secondary: '192.168.1.3:8694' } as const;
type Node = keyof typeof instances;
const peerOf = { primary: 'secondary', secondary: 'primary' } as const;

/** One sample's name with the labels that a scrape adds. */
function on(node: Node, name: string, labels: Readonly<Record<string, string>> = {}): string {
  const all = { job: 'battito', instance: instances[node], ...labels };
  const text = Object.entries(all).map(([key, value]) => `${key}="${value}"`);
  return `${name}{${text.join(',')}}`;
}

const clusterOf = (node: Node) =>
  on(node, 'battito_cluster_info', { cluster: 'office', node, peer: peerOf[node] });
const known: Series = { [clusterOf('primary')]: always(1), [clusterOf('secondary')]: always(1) };

const one = (name: string, values: string, labels: Readonly<Record<string, string>> = {}): Series => ({
  [on('primary', name, labels)]: values,
});

const runs = (seenBy: Node, node: Node, values: string): Series => ({
  [on(seenBy, 'battito_group_runs', { group: 'office', node })]: values,
});
const active = (node: Node, of: Node, values: string): Series => ({
  [on(node, 'battito_group_phase', { group: 'office', node: of, phase: 'active' })]: values,
});
const transition = (rule: string, values: string) =>
  one('battito_group_transitions_total', values, { group: 'office', rule });
const attention = (severity: string, values: string) =>
  one('battito_attention', values, { severity, code: 'link-silent' });
const verdict = (kind: string, value: number) =>
  one('battito_peer_verdict', always(value), { verdict: kind });
const disk = { group: 'office', resource: 'r0' };
const fresh = (values: string) => one('battito_link_fresh', values, { link: 'eth1 broadcast' });
const drill = (result: string, values: string) =>
  one('battito_drill_last_timestamp_seconds', values, { drill: 'handover', result });
const lateness = (le: string, values: string) =>
  one('battito_event_loop_lateness_seconds_bucket', values, { le });
const refused = (reason: string, values: string) =>
  one('battito_link_packets_refused_total', values, { link: 'eth1 broadcast', reason });
const longestGap = (s: number) => ({
  ...one('battito_link_longest_gap_seconds', always(s), { link: 'eth1 broadcast' }),
  ...one('battito_timing_seconds', always(2), { timing: 'deadtime' }),
});

interface Case {
  /** When it is looked at. */
  readonly at: string;
  readonly fires: Series;
  /** How many alerts then; by default one. */
  readonly count?: number;
  /** The nearest thing that is no reason. */
  readonly silent: Series;
}

const cases: Readonly<Record<string, Case>> = {
  BattitoDaemonGone: {
    at: '30m',
    fires: { ...known, [clusterOf('secondary')]: '1+0x20 stale' },
    silent: { ...known, [clusterOf('secondary')]: '1+0x20 _ 1+0x20' },
  },
  BattitoMetricsStale: {
    at: '10m',
    fires: one('battito_metrics_timestamp_seconds', always(300)),
    silent: one('battito_metrics_timestamp_seconds', '0+60x20'),
  },
  BattitoAlarm: {
    at: '5m',
    fires: attention('alarm', always(1)),
    silent: { ...attention('alarm', '_x20'), ...attention('warning', always(1)) },
  },
  BattitoWarning: {
    at: '20m',
    fires: attention('warning', always(1)),
    silent: attention('warning', '_x10 1+0x20'),
  },
  BattitoGroupDown: {
    at: '10m',
    fires: { ...known, ...runs('primary', 'primary', always(0)), ...runs('primary', 'secondary', always(0)) },
    // Only one of the two nodes knows.
    silent: {
      ...known,
      ...runs('primary', 'primary', always(0)),
      ...runs('secondary', 'secondary', always(1)),
    },
  },
  BattitoGroupRunsTwice: {
    at: '10m',
    fires: {
      ...known,
      ...active('primary', 'primary', always(1)),
      ...active('secondary', 'secondary', always(1)),
    },
    // What a node says of the other one does not count, nor does a moment in which both were asked at a move.
    silent: {
      ...known,
      ...active('primary', 'primary', always(1)),
      ...active('primary', 'secondary', always(1)),
      ...active('secondary', 'primary', always(1)),
      ...active('secondary', 'secondary', '0+0x8 1 0+0x20'),
    },
  },
  BattitoTookOver: {
    at: '12m',
    fires: transition('take-over', '0+0x5 1+0x20'),
    silent: { ...transition('take-over', always(3)), ...transition('hand-over', '0+1x20') },
  },
  BattitoGroupRestless: {
    at: '60m',
    fires: { ...known, ...transition('started', '0+1x70') },
    silent: { ...known, ...transition('started', '0+0x30 2+0x40') },
  },
  BattitoPartGivenUp: {
    at: '5m',
    fires: one('battito_resource_given_up', always(1), { group: 'office', kind: 'guest', resource: 'mail' }),
    silent: one('battito_resource_given_up', always(0), { group: 'office', kind: 'guest', resource: 'mail' }),
  },
  BattitoGuestNotReady: {
    at: '15m',
    fires: one('battito_guest_ready', always(0), { group: 'office', guest: 'mail' }),
    silent: one('battito_guest_ready', '0+0x8 1+0x20', { group: 'office', guest: 'mail' }),
  },
  BattitoUnprotected: {
    at: '15m',
    fires: one('battito_protected', always(0)),
    silent: one('battito_protected', '0+0x9 1+0x20'),
  },
  BattitoTierNotEffective: {
    at: '10m',
    fires: one('battito_tier_effective', always(0)),
    silent: one('battito_tier_effective', '0+0x3 1+0x20'),
  },
  BattitoNotReady: {
    at: '20m',
    fires: one('battito_readiness_ready', always(0)),
    silent: one('battito_readiness_ready', '0+0x10 1+0x20'),
  },
  BattitoTaskFailed: {
    at: '5m',
    fires: one('battito_task_last_result', always(1), { task: 'verify', result: 'failed' }),
    silent: one('battito_task_last_result', always(1), { task: 'verify', result: 'left-out' }),
  },
  BattitoWatchdogFailed: {
    at: '5m',
    fires: one('battito_watchdog_failed', always(1)),
    silent: one('battito_watchdog_failed', always(0)),
  },
  BattitoWitnessUnusable: {
    at: '10m',
    fires: one('battito_witness_usable', always(0)),
    silent: one('battito_witness_usable', '0+0x2 1+0x20'),
  },
  BattitoStandbyForgotten: {
    at: '13h',
    // Both nodes say it: one alert.
    fires: {
      ...known,
      [on('primary', 'battito_node_standby', { node: 'primary' })]: always(1),
      [on('secondary', 'battito_node_standby', { node: 'primary' })]: always(1),
    },
    silent: { ...known, [on('primary', 'battito_node_standby', { node: 'primary' })]: '0+0x100 1+0x1000' },
  },
  BattitoConfigDiffers: {
    at: '20m',
    fires: one('battito_config_in_sync', always(0)),
    silent: one('battito_config_in_sync', '0+0x10 1+0x20'),
  },
  BattitoDrillFailed: {
    at: '5m',
    fires: { ...drill('failure', always(2000)), ...drill('success', always(1000)) },
    silent: { ...drill('failure', always(1000)), ...drill('success', always(2000)) },
  },
  BattitoLinkSilent: {
    at: '5m',
    fires: { ...fresh(always(0)), ...verdict('alive', 1) },
    // The peer is gone: that is another matter.
    silent: { ...fresh(always(0)), ...verdict('alive', 0), ...verdict('dead', 1) },
  },
  BattitoPacketsRefused: {
    at: '15m',
    fires: refused('bad-signature', '0+5x20'),
    silent: { ...refused('bad-signature', always(400)), ...refused('own-packet', '0+50x20') },
  },
  BattitoDeadtimeTight: { at: '15m', fires: longestGap(0.9), silent: longestGap(0.6) },
  BattitoDaemonLate: {
    at: '30m',
    fires: { ...lateness('0.2', '0+10x40'), ...lateness('0.5', '0+20x40'), ...lateness('+Inf', '0+20x40') },
    silent: {
      ...lateness('0.2', '0+1000x40'),
      ...lateness('0.5', '0+1001x40'),
      ...lateness('+Inf', '0+1001x40'),
    },
  },
  BattitoDaemonGrows: {
    at: '20m',
    fires: one('battito_process_proportional_memory_bytes', always(200e6)),
    silent: one('battito_process_proportional_memory_bytes', always(75e6)),
  },
  BattitoMirrorBroken: {
    at: '15m',
    fires: one('battito_drbd_in_sync', always(0), disk),
    silent: {
      ...one('battito_drbd_in_sync', always(0), disk),
      ...one('battito_drbd_resync_ratio', '0+0.01x90', { ...disk, direction: 'source' }),
    },
  },
  BattitoSplitBrain: {
    at: '2m',
    fires: one('battito_drbd_split_brain', always(1), disk),
    silent: one('battito_drbd_split_brain', always(0), disk),
  },
  BattitoResyncLong: {
    at: '13h',
    fires: one('battito_drbd_resync_ratio', always(0.3), { ...disk, direction: 'target' }),
    silent: one('battito_drbd_resync_ratio', '_x400 0.3+0x1000', { ...disk, direction: 'target' }),
  },
  BattitoIoSuspended: {
    at: '3m',
    fires: one('battito_drbd_io_suspended', always(1), disk),
    silent: one('battito_drbd_io_suspended', '1 0+0x20', disk),
  },
};

const work = makeTemporaryDirectory();
test.after.always(() => rmSync(work, { recursive: true, force: true }));

/** The firing alerts that have every label that their words name. */
function firing(rule: Rule): string {
  const words = Object.values(rule.annotations).join(' ');
  const labels = [...words.matchAll(/\$labels\.(\w+)/g)].map(([, name]) => `${name}!=""`);
  const all = [`alertname="${rule.alert}"`, 'alertstate="firing"', ...new Set(labels)];
  return `count(ALERTS{${all.join(',')}})`;
}

function evaluation(rule: Rule, { at }: Case, series: Series, count: number) {
  return {
    interval: '1m',
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    promql_expr_test: [
      {
        expr: firing(rule),
        eval_time: at,
        exp_samples: count === 0 ? [] : [{ labels: '{}', value: count }],
      },
    ],
  };
}

test('promtool accepts the rules, and each has a severity, a summary and what to do', (t) => {
  t.regex(promtool(['check', 'rules', rulesFile]), /SUCCESS: \d+ rules found/);
  for (const { alert, labels, annotations } of rules) {
    t.regex(alert, /^Battito[A-Z][A-Za-z]+$/);
    t.true(['critical', 'warning'].includes(labels.severity), alert);
    t.true(annotations.summary.length > 10 && annotations.description.length > 10, alert);
  }
  t.deepEqual(
    rules.map(({ alert }) => alert),
    Object.keys(cases),
    'every rule is tested',
  );
});

for (const rule of rules) {
  test(`${rule.alert} fires when it should, and not when it should not`, (t) => {
    const each = cases[rule.alert];
    if (each === undefined) throw new Error(`no case for ${rule.alert}`);
    const file = join(work, `${rule.alert}.yml`);
    const tests = [
      evaluation(rule, each, each.fires, each.count ?? 1),
      evaluation(rule, each, each.silent, 0),
      evaluation(rule, each, known, 0),
    ];
    // Alone: some are looked at over half a day.
    const alone = join(work, `${rule.alert}.rules.yml`);
    writeFileSync(alone, stringify({ groups: [{ name: 'battito', rules: [rule] }] }));
    writeFileSync(file, stringify({ rule_files: [alone], evaluation_interval: '1m', tests }));
    t.notThrows(() => promtool(['test', 'rules', file]));
  });
}
