// The key `metrics` of the configuration: what it takes, what is refused with what words, and that it is off by default.

import test from 'ava';
import { formatProblem, parseConfig } from '../../daemon/config/load.ts';
import { planReload } from '../../daemon/runtime/reload.ts';

function parsed(metrics: string) {
  const text = `cluster: office
nodes: { primary: { address: 192.168.1.2 }, secondary: { address: 192.168.1.3 } }
heartbeat: { links: [{ interface: eth1 }] }
groups: { office: { preferred: primary } }
${metrics}
`;
  return parseConfig(text, 'battito.yaml');
}

function configOf(metrics: string) {
  const result = parsed(metrics);
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join('\n'));
  return result.config;
}

function problems(metrics: string): readonly string[] {
  const result = parsed(metrics);
  return result.ok ? [] : result.problems.map((problem) => formatProblem(problem).replace(/^[^ ]+ /, ''));
}

test('no file is written unless the configuration says so', (t) => {
  t.is(configOf('').metrics, null);
  t.deepEqual(configOf('metrics: { textfile: /srv/a.prom }').metrics, {
    textfile: '/srv/a.prom',
    intervalMs: 15_000,
  });
  t.is(configOf('metrics: { textfile: /srv/a.prom, interval: 1m }').metrics?.intervalMs, 60_000);
});

test('the file has a name that node_exporter reads, and the interval is one that the alerts bear', (t) => {
  const path = 'an absolute path that ends in .prom, such as /var/lib/prometheus/node-exporter/battito.prom';
  t.deepEqual(problems('metrics: { textfile: /srv/a.txt }'), [
    `metrics.textfile: expected ${path}, found "/srv/a.txt"`,
  ]);
  t.is(problems('metrics: { textfile: a.prom }').length, 1);
  t.is(problems('metrics: { textfile: /srv/.prom }').length, 1);
  t.is(problems('metrics: {}').length, 1);
  const interval = 'metrics.interval: expected a duration from 5s to 1m, such as 15s';
  t.deepEqual(problems('metrics: { textfile: /srv/a.prom, interval: 1s }'), [`${interval}, found "1s"`]);
  t.deepEqual(problems('metrics: { textfile: /srv/a.prom, interval: 2m }'), [`${interval}, found "2m"`]);
});

test('a running daemon takes another file at once', (t) => {
  const one = configOf('metrics: { textfile: /srv/a.prom }');
  const other = configOf('metrics: { textfile: /srv/b.prom }');
  t.not(one.digest, other.digest);
  t.deepEqual(planReload(one, other), { applied: ['metrics.textfile'], needsRestart: [] });
  t.deepEqual(planReload(configOf(''), one), { applied: ['metrics'], needsRestart: [] });
});
