// The order of a bench: in each run every configuration in turn, so that whatever else the machine does falls on all of
// them alike. What could not be measured is said, and the rest goes on.

import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { describeMachine } from '../machine.ts';
import { type Cost, measureCost, measureUnderLoad, type UnderLoad } from './cost.ts';
import { ensureRoot } from './debian-root.ts';
import { describeOutcome, type FaultName, type FaultOutcome, faultNames, suffer } from './faults.ts';
import type { PeerBenchOptions } from './options.ts';
import type { Configuration, PeerName } from './peer.ts';
import { peers } from './peers.ts';
import type { ConfigurationResult, Results } from './results.ts';
import { Stage } from './stage.ts';

type Tell = (line: string) => void;

interface Installed {
  readonly root: string | null;
  readonly version: string;
}

interface Entry {
  readonly configuration: Configuration;
  readonly installed: Installed | null;
  readonly outcomes: Record<FaultName, FaultOutcome[]>;
  cost: Cost | null;
  underLoad: UnderLoad | null;
  readonly failures: string[];
}

const packageFile = join(import.meta.dirname, '../../../package.json');

export async function runBench(options: PeerBenchOptions, tell: Tell): Promise<Results> {
  const entries = await prepare(options.only, tell);
  const machine = describeMachine();
  const date = new Date().toISOString().slice(0, 10);
  for (let run = 1; run <= options.runs; run += 1) {
    for (const entry of entries) await oneRun(entry, run, options, tell);
  }
  for (const entry of entries) await standing(entry, options, tell);
  return {
    date,
    machine,
    loadAfter: loadavg()[0] ?? 0,
    runs: options.runs,
    faults: options.faults,
    loadSeconds: options.loadSeconds,
    costSeconds: options.costSeconds,
    results: entries.map(
      ({ installed, ...entry }): ConfigurationResult => ({
        ...entry,
        version: installed?.version ?? 'missing',
      }),
    ),
  };
}

async function prepare(only: readonly Configuration[], tell: Tell): Promise<Entry[]> {
  const installed = new Map<PeerName, Installed | string>();
  for (const name of new Set(only.map(({ peer }) => peer))) {
    try {
      installed.set(name, await install(name, tell));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      tell(`${name} is missing: ${message}`);
      installed.set(name, message);
    }
  }
  return only.map((configuration) => {
    const found = installed.get(configuration.peer) ?? 'not installed';
    const failed = typeof found === 'string';
    return {
      configuration,
      installed: failed ? null : found,
      outcomes: { 'segment-cut': [], handover: [], killed: [], frozen: [], 'power-loss': [] },
      cost: null,
      underLoad: null,
      failures: failed ? [found] : [],
    };
  });
}

async function install(name: PeerName, tell: Tell): Promise<Installed> {
  const { packages } = peers[name];
  if (packages.length === 0) {
    const { version } = JSON.parse(readFileSync(packageFile, 'utf8')) as { readonly version: string };
    return { root: null, version };
  }
  const { folder, version } = await ensureRoot(packages, tell);
  return { root: folder, version };
}

/** Faults after which a peer is as it was before, but for who has the address, come first. */
const keepsGoing: readonly FaultName[] = ['segment-cut'];

async function oneRun(entry: Entry, run: number, options: PeerBenchOptions, tell: Tell): Promise<void> {
  const faults = faultNames.filter((name) => options.faults.includes(name));
  if (faults.length === 0) return;
  const { configuration, outcomes } = entry;
  await onStage(entry, `run ${run}`, tell, async (stage) => {
    let isFresh = false;
    for (const name of faults) {
      // One that does not come up now will not for the next fault either: the other configurations have their turn.
      if (!isFresh) await stage.begin();
      isFresh = false;
      await attempt(entry, `run ${run}, ${name}`, tell, stage, async () => {
        const outcome = await suffer(stage, name);
        outcomes[name].push(outcome);
        tell(`${configuration.id}, run ${run}, ${name}: ${describeOutcome(outcome)}`);
        isFresh = keepsGoing.includes(name) && outcome.takings === 0;
      });
    }
  });
}

async function standing(entry: Entry, options: PeerBenchOptions, tell: Tell): Promise<void> {
  const { loadSeconds, costSeconds } = options;
  if (loadSeconds + costSeconds === 0) return;
  await onStage(entry, 'cost and load', tell, async (stage) => {
    await stage.begin();
    if (loadSeconds > 0) {
      tell(`${entry.configuration.id}: four busy loops for ${loadSeconds} s`);
      entry.underLoad = await measureUnderLoad(stage, loadSeconds);
    }
    if (costSeconds === 0) return;
    if (entry.underLoad !== null && entry.underLoad.takeovers > 0) await stage.begin();
    await stage.client.stop(); // What it sends is no cost of the peer's.
    tell(`${entry.configuration.id}: its cost for ${costSeconds} s`);
    entry.cost = await measureCost(stage, costSeconds);
  });
}

async function onStage(
  entry: Entry,
  what: string,
  tell: Tell,
  work: (stage: Stage) => Promise<void>,
): Promise<void> {
  const { configuration, installed, failures } = entry;
  if (installed === null) return;
  let stage: Stage;
  try {
    stage = await Stage.open(peers[configuration.peer], configuration, installed.root);
  } catch (error) {
    failures.push(`${what}: ${describeError(error)}`);
    return tell(`${configuration.id}, ${what}: ${describeError(error)}`);
  }
  try {
    await attempt(entry, what, tell, stage, () => work(stage));
  } finally {
    await stage.close();
  }
}

/** What fails is kept in the results, without this machine's paths, and told with the daemons' last words. */
async function attempt(
  { configuration, failures }: Entry,
  what: string,
  tell: Tell,
  stage: Stage,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    const message = describeError(error).replaceAll(`${stage.network.root}/`, '');
    failures.push(`${what}: ${message}`);
    tell(`${configuration.id}, ${what}: ${message}\n${await stage.lastWords()}`);
  }
}

const describeError = (error: unknown): string => (error instanceof Error ? error.message : String(error));
