// A real Prometheus with the rules of config/ reads two real daemons through a takeover; and the textfile of a daemon that
// ends in order, and of one that is killed.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { stringify } from 'yaml';
import { prometheusProgram, promtool } from '../prometheus.ts';
import { waitFor } from '../support.ts';
import { type HostName, hostNames } from './support/hosts.ts';
import { type Office, useOffice } from './support/office.ts';

const rulesFile = resolve(import.meta.dirname, '../../config/prometheus-rules.yml');

/** A port of this machine at which the daemon of a host is asked for its metrics. */
async function listenFor(t: ExecutionContext, office: Office, host: HostName, types: Set<string>) {
  const server = createServer((incoming, outgoing) => {
    const { accept = '' } = incoming.headers;
    const options = { socketPath: office.socket(host), path: '/v1/metrics', headers: { accept } };
    const call = request({ ...options, timeout: 10_000 }, (answer) => {
      types.add(answer.headers['content-type'] ?? '');
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    call.on('error', () => outgoing.writeHead(502).end()).end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

interface Answer<T> {
  readonly status: string;
  readonly data: T;
}
interface Vector {
  readonly result: readonly {
    readonly metric: Readonly<Record<string, string>>;
    readonly value: readonly [number, string];
  }[];
}
interface RulesAnswer {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly name: string;
      readonly health: string;
      readonly lastError?: string;
    }[];
  }[];
}

class Prometheus {
  readonly #url: string;
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.#url = url;
    this.#child = child;
  }

  /** Looks at every target once a second; returns when it answers. */
  static async start(directory: string, ports: Readonly<Record<string, number>>): Promise<Prometheus> {
    await mkdir(directory, { recursive: true });
    const targets = Object.entries(ports).map(([instance, port]) => ({
      targets: [`127.0.0.1:${port}`],
      labels: { instance },
    }));
    const config = {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: [rulesFile],
      scrape_configs: [{ job_name: 'battito', static_configs: targets }],
    };
    const file = join(directory, 'prometheus.yml');
    await writeFile(file, stringify(config));
    const address = `127.0.0.1:${await freePort()}`;
    const child = spawn(
      prometheusProgram('prometheus'),
      [
        `--config.file=${file}`,
        `--storage.tsdb.path=${join(directory, 'data')}`,
        `--web.listen-address=${address}`,
      ],
      { cwd: directory, stdio: 'ignore' },
    );
    const prometheus = new Prometheus(`http://${address}`, child);
    await waitFor('Prometheus answers', async () => (await fetch(`http://${address}/-/ready`)).ok);
    return prometheus;
  }

  async #get<T>(path: string): Promise<T> {
    const response = await fetch(`${this.#url}/api/v1/${path}`, { signal: AbortSignal.timeout(10_000) });
    const { status, data } = (await response.json()) as Answer<T>;
    if (status !== 'success') throw new Error(`${path}: ${status}`);
    return data;
  }

  /** Values by instance. */
  async ask(query: string): Promise<Readonly<Record<string, number>>> {
    const { result } = await this.#get<Vector>(`query?query=${encodeURIComponent(query)}`);
    return Object.fromEntries(
      result.map(({ metric, value }) => [metric['instance'] ?? '', Number(value[1])]),
    );
  }

  async until(query: string, wanted: Readonly<Record<string, number>>): Promise<void> {
    await waitFor(`${query} is ${JSON.stringify(wanted)}`, async () => {
      const seen = await this.ask(query);
      if (JSON.stringify(seen, Object.keys(seen).sort()) === JSON.stringify(wanted)) return true;
      throw new Error(JSON.stringify(seen));
    });
  }

  rules(): Promise<RulesAnswer> {
    return this.#get<RulesAnswer>('rules');
  }

  async stop(): Promise<void> {
    const ended = new Promise((done) => this.#child.once('exit', done));
    if (!this.#child.kill('SIGTERM')) return;
    await ended;
  }
}

test('Prometheus reads two daemons through a takeover, understands all it reads, and alerts', async (t) => {
  const office = await useOffice(t);
  const types = new Set<string>();
  const ports = {
    primary: await listenFor(t, office, 'primary', types),
    secondary: await listenFor(t, office, 'secondary', types),
  };
  const prometheus = await Prometheus.start(join(office.network.root, 'prometheus'), ports);
  t.teardown(() => prometheus.stop());
  await office.settled('primary');

  await prometheus.until('up', { primary: 1, secondary: 1 });
  await prometheus.until('battito_group_runs{group="office",node="primary"}', { primary: 1, secondary: 1 });
  await prometheus.until('battito_peer_verdict{verdict="alive"}', { primary: 1, secondary: 1 });
  await prometheus.until('battito_group_phase{node="secondary",phase="stopped"}', {
    primary: 1,
    secondary: 1,
  });
  await prometheus.until('battito_resource_up{resource="mail"}', { primary: 1, secondary: 0 });
  await prometheus.until(
    'rate(battito_link_heartbeat_gap_seconds_count{link="eth1 broadcast"}[10s]) > bool 1',
    {
      primary: 1,
      secondary: 1,
    },
  );
  await prometheus.until('battito_process_proportional_memory_bytes > bool 10e6', {
    primary: 1,
    secondary: 1,
  });
  t.deepEqual([...types], ['application/openmetrics-text; version=1.0.0; charset=utf-8']);
  for (const host of hostNames) {
    const shown = await office.battito(host, 'metrics');
    t.is(shown.exitCode, 0, shown.stderr);
    t.is(promtool(['check', 'metrics'], shown.stdout), '');
  }
  const { groups } = await waitFor('every rule was looked at', async () => {
    const answer = await prometheus.rules();
    return answer.groups.every(({ rules }) => rules.every(({ health }) => health !== 'unknown')) && answer;
  });
  for (const { name, health, lastError } of groups.flatMap(({ rules }) => rules))
    t.is(health, 'ok', `${name}: ${lastError}`);
  t.deepEqual(
    await prometheus.ask('ALERTS{alertname=~"BattitoTookOver|BattitoDaemonGone|BattitoGroupDown"}'),
    {},
  );

  await office.network.powerLoss('primary');
  await office.waitForPhase('secondary', 'active');
  await prometheus.until('up', { primary: 0, secondary: 1 });
  await prometheus.until('battito_group_runs{group="office",node="secondary"}', { secondary: 1 });
  await prometheus.until('battito_group_transitions_total{rule="take-over"}', { secondary: 1 });
  await prometheus.until('battito_group_last_move_duration_seconds{move="start"} > bool 0', { secondary: 1 });
  await prometheus.until('ALERTS{alertname="BattitoTookOver",alertstate="firing"}', { secondary: 1 });
  await prometheus.until('ALERTS{alertname="BattitoDaemonGone",alertstate="pending"}', { primary: 1 });
});

test('the textfile is whole and for others to read; it goes with the daemon, and stays when that is killed', async (t) => {
  const office = await useOffice(t, { idle: true });
  const directory = join(office.network.root, 'textfiles');
  const path = join(directory, 'battito.prom');
  const config = `${office.configText()}metrics: { textfile: ${path}, interval: 5s }\n`;
  await writeFile(office.configFile, config);
  await office.startDaemon('primary');
  const item = await waitFor('what is missing is said', async () => {
    const { attention } = await office.status('primary');
    return attention.find(({ code }) => code === 'metrics-not-written');
  });
  t.true(item.message.includes(path), item.message);
  await mkdir(directory);
  await waitFor('it is written', () => existsSync(path));
  const text = await readFile(path, 'utf8');
  t.is(promtool(['check', 'metrics'], text), '');
  t.regex(text, /^battito_cluster_info\{cluster="office",node="primary",peer="secondary"\} 1$/m);
  t.is((await stat(path)).mode & 0o777, 0o644);
  const [, made] = /^battito_metrics_timestamp_seconds (.*)$/m.exec(text) ?? [];
  await waitFor('it is written again', async () => !(await readFile(path, 'utf8')).includes(` ${made}\n`));
  await waitFor('nothing is said any more', async () =>
    (await office.status('primary')).attention.every(({ code }) => code !== 'metrics-not-written'),
  );

  office.daemon('primary').signal('SIGKILL');
  await office.daemon('primary').exited;
  t.true(existsSync(path), 'the alert goes by its time');
  await office.startDaemon('primary');
  office.daemon('primary').signal('SIGTERM');
  t.is((await office.daemon('primary').exited).exitCode, 0);
  t.false(existsSync(path));
});
