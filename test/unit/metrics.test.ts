// What is measured, as text: what promtool thinks of it, what it says of a pair that is well and of one that is not, and
// that the dashboard and the alert rules of config/ ask for nothing that is not there.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { parse, stringify } from 'yaml';
import { contentTypes, formatFor, renderFamilies } from '../../daemon/metrics/exposition.ts';
import { gauge, info } from '../../daemon/metrics/family.ts';
import { createHistogram } from '../../daemon/metrics/histogram.ts';
import { metricFamilies, renderMetrics } from '../../daemon/metrics/metrics.ts';
import { readProcessFacts } from '../../daemon/metrics/process-facts.ts';
import { promtool } from '../prometheus.ts';
import { temporaryDirectory } from '../support.ts';
import { status } from './fixtures/cli/statuses.ts';
import { metricsSource, troubledSource } from './support/metrics.ts';

const configFile = (name: string) => readFileSync(new URL(`../../config/${name}`, import.meta.url), 'utf8');

const lines = (text: string) => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
const bodyOf = (source = metricsSource()) => renderMetrics(source).body;
/** The value of one sample, as it stands in the text. */
function sampleOf(text: string, series: string): string | undefined {
  return lines(text)
    .find((line) => line.startsWith(`${series} `))
    ?.slice(series.length + 1);
}

test('promtool finds nothing to say against the text, in good days and in bad ones', (t) => {
  for (const source of [metricsSource(), troubledSource(), metricsSource({ gaps: new Map() })]) {
    t.is(promtool(['check', 'metrics'], bodyOf(source)), '');
  }
  t.throws(() => promtool(['check', 'metrics'], 'battito_wrong{a="b" 1\n'), undefined, 'it would');
});

test('no two samples have the same name and labels, and every metric has one when everything is wrong', (t) => {
  for (const source of [metricsSource(), troubledSource()]) {
    const series = lines(bodyOf(source)).map((line) => line.slice(0, line.lastIndexOf(' ')));
    t.deepEqual(
      series.filter((each, index) => series.indexOf(each) !== index),
      [],
    );
  }
  const unseen = metricFamilies(troubledSource()).filter((family) =>
    family.kind === 'histogram' ? family.series.length === 0 : family.samples.length === 0,
  );
  t.deepEqual(
    unseen.map(({ name }) => name),
    [],
  );
});

test('names follow the conventions: one prefix, base units, _total for what only rises and for nothing else', (t) => {
  const families = metricFamilies(troubledSource());
  for (const { name, kind, help } of families) {
    t.regex(name, /^battito_[a-z]+(_[a-z0-9]+)*$/);
    t.is(name.endsWith('_total'), kind === 'counter', name);
    t.is(name.endsWith('_info'), kind === 'info', name);
    t.notRegex(name, /_(ms|millis|milliseconds|minutes|hours|kib|mib|kb|mb|percent)(_|$)/, name);
    t.regex(help, /^[A-Z`].*\.$/, name);
  }
  t.is(new Set(families.map(({ name }) => name)).size, families.length);
});

test('a pair that is well', (t) => {
  const text = bodyOf();
  const is = (series: string, value: string) => t.is(sampleOf(text, series), value, series);
  is('battito_cluster_info{cluster="office",node="primary",peer="secondary"}', '1');
  is('battito_peer_verdict{verdict="alive"}', '1');
  is('battito_peer_verdict{verdict="dead"}', '0');
  is('battito_tier{tier="evidence"}', '1');
  is('battito_tier_effective', '1');
  is('battito_protected', '1');
  is('battito_peer_silence_seconds', '0.12');
  is('battito_group_runs{group="office",node="primary"}', '1');
  is('battito_group_runs{group="office",node="secondary"}', '0');
  is('battito_group_phase{group="office",node="primary",phase="active"}', '1');
  is('battito_group_phase{group="office",node="secondary",phase="stopped"}', '1');
  is('battito_group_phase_age_seconds{group="office"}', '180');
  is('battito_resource_up{group="office",kind="address",resource="192.168.1.1/24"}', '1');
  is('battito_resource_up{group="office",kind="guest",resource="mail"}', '1');
  is('battito_link_packets_refused_total{link="eth1 broadcast",reason="bad-signature"}', '0');
  is('battito_attention_items{severity="alarm"}', '0');
  is('battito_safeguard_configured{safeguard="witness"}', '0');
  is('battito_group_transitions_total{group="office",rule="take-over"}', '0');
  is('battito_metrics_timestamp_seconds', '1772330000.5');
  t.notRegex(text, /^battito_(watchdog_armed|witness_usable|drbd_role|attention\{)/m, 'what is not there');
});

test('a pair where everything is wrong', (t) => {
  const text = bodyOf(troubledSource());
  const is = (series: string, value: string | undefined) => t.is(sampleOf(text, series), value, series);
  is('battito_tier_effective', '0');
  is('battito_protected', '0');
  is('battito_attention{severity="warning",code="link-silent"}', '2');
  is('battito_attention_items{severity="warning"}', '2');
  is('battito_link_packets_refused_total{link="eth1 broadcast",reason="bad-signature"}', '7');
  is('battito_link_usable{link="eth1 broadcast (2)"}', '0');
  is('battito_link_silence_seconds{link="eth1 broadcast (2)"}', undefined);
  is('battito_drbd_split_brain{group="office",resource="r0"}', '1');
  is('battito_drbd_alone_seconds{group="office",resource="r0"}', '90');
  is('battito_drbd_out_of_sync_bytes{group="office",resource="r0"}', '2097152');
  is('battito_drbd_disk_state{group="office",resource="r0",node="secondary",state="outdated"}', '1');
  is('battito_drbd_resync_ratio{group="office",resource="r1",direction="source"}', '0.125');
  is('battito_drbd_resync_remaining_seconds{group="office",resource="r1"}', '30');
  is('battito_drbd_io_suspended{group="office",resource="r1"}', '1');
  is('battito_drbd_in_sync{group="office",resource="r1"}', '0');
  is('battito_drbd_seen{group="office",resource="r2"}', '0');
  is('battito_drbd_in_sync{group="office",resource="r2"}', undefined);
  is('battito_guest_ready{group="office",guest="mail"}', '0');
  is('battito_resource_given_up{group="office",kind="guest",resource="we\\"ird\\\\name"}', '1');
  is('battito_resource_operation_seconds{group="office",kind="guest",resource="mail",action="stop"}', '0.9');
  is('battito_group_handover_undone{group="files"}', '1');
  is('battito_witness_lease_held', '1');
  is('battito_readiness_score_ratio', '0.6');
  is('battito_readiness_ready', '0');
  is('battito_task_last_result{task="verify",result="failed"}', '1');
  is('battito_task_last_duration_seconds{task="verify"}', '90');
  is('battito_task_next_timestamp_seconds{task="verify"}', '1772938800');
  is('battito_group_transitions_total{group="office",rule="take-over"}', '1');
  is('battito_operations_total{group="office",result="failed"}', '2');
  is('battito_notes_total{severity="warning"}', '11');
  is('battito_group_last_move_timestamp_seconds{group="office",move="takeover"}', '1772334000');
  is('battito_group_last_move_duration_seconds{group="office",move="start"}', '2.5');
  is('battito_drill_last_duration_seconds{drill="handover",result="success"}', '3');
  is('battito_drill_last_duration_seconds{drill="handover",result="failure"}', '0.1');
  is('battito_drill_last_timestamp_seconds{drill="fence",result="success"}', '1772334764.081');
  t.notRegex(text, /group="gone"/, 'a group that the configuration does not have');
});

test('a guest that is gone is gone from the next text', (t) => {
  const without = status({ groups: [] });
  t.regex(bodyOf(), /resource="mail"/);
  t.notRegex(bodyOf(metricsSource({ status: without })), /mail|group=/);
});

test('a histogram counts what is at most as long as each bound, and everything at the end', (t) => {
  const text = bodyOf();
  const name = 'battito_link_heartbeat_gap_seconds';
  t.is(sampleOf(text, `${name}_bucket{link="eth1 broadcast",le="0.1"}`), '0');
  t.is(sampleOf(text, `${name}_bucket{link="eth1 broadcast",le="0.2"}`), '1');
  t.is(sampleOf(text, `${name}_bucket{link="eth1 broadcast",le="0.5"}`), '2');
  t.is(sampleOf(text, `${name}_bucket{link="eth1 broadcast",le="1.0"}`), '2');
  t.is(sampleOf(text, `${name}_bucket{link="eth1 broadcast",le="+Inf"}`), '3');
  t.is(sampleOf(text, `${name}_count{link="eth1 broadcast"}`), '3');
  t.is(sampleOf(text, `${name}_sum{link="eth1 broadcast"}`), '3.41');
  const none = createHistogram([1]).read();
  t.deepEqual(none, { bounds: [1], cumulative: [0], count: 0, sum: 0, longest: 0 });
});

test('who asks for OpenMetrics gets it, everybody else the plain format', (t) => {
  t.is(formatFor(undefined), 'prometheus');
  t.is(formatFor('*/*'), 'prometheus');
  t.is(formatFor('text/html,application/xhtml+xml,*/*;q=0.8'), 'prometheus');
  const prometheus =
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
  t.is(formatFor(prometheus), 'openmetrics');
  t.is(formatFor('application/openmetrics-text; version=0.0.1, text/plain'), 'prometheus');
  t.is(formatFor('application/openmetrics-text;q=0.2,text/plain;q=0.8'), 'prometheus');
  t.is(formatFor('application/openmetrics-text;q=0'), 'prometheus');
  const open = renderMetrics(troubledSource(), prometheus);
  t.is(open.contentType, contentTypes.openmetrics);
  t.true(open.body.endsWith('\n# EOF\n'));
  t.regex(open.body, /^# TYPE battito_notes counter\nbattito_notes_total\{/m);
  t.regex(open.body, /^# TYPE battito_build info\nbattito_build_info\{/m);
  t.is(renderMetrics(metricsSource()).contentType, contentTypes.prometheus);
});

test('labels and help are escaped as each format wants it', (t) => {
  const families = [gauge('battito_x', 'A "quoted" \\ help.\nTwo.', [[{ a: 'q"b\\c\nd' }, 1]])];
  const sample = 'battito_x{a="q\\"b\\\\c\\nd"} 1';
  t.is(
    renderFamilies(families, 'prometheus'),
    `# HELP battito_x A "quoted" \\\\ help.\\nTwo.\n# TYPE battito_x gauge\n${sample}\n`,
  );
  t.regex(renderFamilies(families, 'openmetrics'), /^# HELP battito_x A \\"quoted\\" \\\\ help\.\\nTwo\.$/m);
  const odd = gauge('battito_y', 'Numbers.', [
    [{ n: 'nan' }, Number.NaN],
    [{ n: 'inf' }, Number.POSITIVE_INFINITY],
    [{ n: 'minus' }, Number.NEGATIVE_INFINITY],
    [{ n: 'none' }, null],
    [{ n: 'yes' }, true],
  ]);
  t.deepEqual(lines(renderFamilies([odd, info('battito_z_info', 'Z.', [])], 'prometheus')), [
    'battito_y{n="nan"} NaN',
    'battito_y{n="inf"} +Inf',
    'battito_y{n="minus"} -Inf',
    'battito_y{n="yes"} 1',
  ]);
});

test('what the process costs is what the kernel says; what cannot be read is not guessed', async (t) => {
  const now = Date.now();
  const facts = await readProcessFacts(now);
  t.true(facts.residentBytes > 1e6 && (facts.proportionalBytes ?? 0) > 1e6);
  t.true((facts.openFiles ?? 0) > 2 && facts.cpuUserS > 0);
  t.true(facts.startedAt <= now / 1000 && facts.startedAt > now / 1000 - 86_400);
  const blind = await readProcessFacts(now, '/nowhere');
  t.is(blind.proportionalBytes, null);
  t.is(blind.openFiles, null);
});

// ---- what config/ asks for ----

interface Panel {
  readonly title: string;
  readonly id: number;
  readonly type: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string }[];
  readonly fieldConfig?: {
    readonly defaults: {
      readonly mappings?: readonly {
        readonly options: Readonly<Record<string, { readonly text: string }>>;
      }[];
      readonly thresholds?: {
        readonly steps: readonly { readonly color: string; readonly value: number | null }[];
      };
    };
  };
}
interface Dashboard {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}

const dashboard = JSON.parse(configFile('grafana-dashboard.json')) as Dashboard;
const ruleExpressions = (
  parse(configFile('prometheus-rules.yml')) as { groups: { rules: { expr: string }[] }[] }
).groups.flatMap(({ rules }) => rules.map(({ expr }) => expr));
const panelExpressions = [
  ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  ...dashboard.annotations.list.map(({ expr }) => expr),
];
const variableQueries = dashboard.templating.list.flatMap(({ definition }) => definition ?? []);

/** The labels of each name that a sample may have. */
function known(): ReadonlyMap<string, ReadonlySet<string>> {
  const labels = new Map<string, Set<string>>();
  for (const line of lines(bodyOf(troubledSource()))) {
    const [, name = '', inner = ''] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    const names = labels.get(name) ?? new Set(['job', 'instance']);
    for (const [, label = ''] of inner.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)) names.add(label);
    labels.set(name, names);
  }
  return labels;
}

test('the dashboard and the alerts ask only for metrics, and labels of them, that there are', (t) => {
  const all = known();
  for (const expr of [...panelExpressions, ...ruleExpressions, ...variableQueries]) {
    const selectors = [...expr.matchAll(/\b(battito_\w+)(?:\{([^}]*)\})?/g)];
    t.true(selectors.length > 0, expr);
    for (const [, name = '', inner = ''] of selectors) {
      const labels = all.get(name);
      t.truthy(labels, `${name} in ${expr}`);
      for (const [, label = ''] of inner.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g))
        t.true(labels?.has(label), `${name}{${label}} in ${expr}`);
    }
  }
});

test('the dashboard opens with whether there is protection, for each node, and has when there was none', (t) => {
  const selected = 'battito_protected{job=~"$job", instance=~"$instance"}';
  const panels = dashboard.panels.filter(({ targets = [] }) => targets.some(({ expr }) => expr === selected));
  t.deepEqual(
    panels.map(({ type, title }) => [type, title]),
    [
      ['stat', 'Protected'],
      ['state-timeline', 'When a failure of either node would not have been made good'],
    ],
  );
  const [now, then] = panels;
  const first = dashboard.panels.find(({ type }) => type !== 'row');
  t.is(first?.id, now?.id, 'nothing stands before it');
  t.deepEqual(now?.gridPos, { h: 4, w: 4, x: 0, y: 1 });
  // As the gauge has it: 0 is bad.
  const words = (panel: Panel | undefined) => {
    const [mapping] = panel?.fieldConfig?.defaults.mappings ?? [];
    return [mapping?.options['0']?.text, mapping?.options['1']?.text];
  };
  t.deepEqual(words(now), ['no', 'yes']);
  t.deepEqual(now?.fieldConfig?.defaults.thresholds?.steps, [
    { color: 'red', value: null },
    { color: 'green', value: 1 },
  ]);
  t.deepEqual(words(then), ['not protected', 'protected']);
});

test('Prometheus understands every question of the dashboard', (t) => {
  const rules = panelExpressions.map((expr, index) => ({
    record: `battito:panel:${index}`,
    expr: expr.replaceAll('$__rate_interval', '5m'),
  }));
  t.true(rules.length > 40);
  const text = stringify({ groups: [{ name: 'dashboard', rules }] });
  const directory = temporaryDirectory(t);
  const file = join(directory, 'rules.yml');
  writeFileSync(file, text);
  t.regex(promtool(['check', 'rules', file]), new RegExp(`SUCCESS: ${rules.length} rules`));
});

test('the panels of the dashboard lie beside each other, each with its own number', (t) => {
  const { panels } = dashboard;
  t.is(new Set(panels.map(({ id }) => id)).size, panels.length);
  for (const [index, a] of panels.entries()) {
    t.true(a.gridPos.x + a.gridPos.w <= 24, a.title);
    t.true(a.type === 'row' || (a.targets ?? []).length > 0, a.title);
    for (const b of panels.slice(index + 1)) {
      const [p, q] = [a.gridPos, b.gridPos];
      const apart = p.x + p.w <= q.x || q.x + q.w <= p.x || p.y + p.h <= q.y || q.y + q.h <= p.y;
      t.true(apart, `${a.title} and ${b.title}`);
    }
  }
});
