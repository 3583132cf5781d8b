// The daemon: puts configuration, drivers, core and control together, and takes them down again.

import manifest from '../../package.json' with { type: 'json' };
import { loadConfig } from '../config/load.ts';
import type { Attention } from '../control/api.ts';
import { attentionOfLibvirt } from '../control/attention-libvirt.ts';
import { startControlServer } from '../control/server.ts';
import { nodeRunning, statusOf } from '../control/view.ts';
import type { OpenWebPage, WebSource } from '../control/web.ts';
import { isEchoed } from '../core/membership.ts';
import { initialState } from '../core/state.ts';
import { refusalOf } from '../core/step.ts';
import { openNeighbours } from '../drivers/address/neighbours.ts';
import { createLibvirt } from '../drivers/libvirt/connection.ts';
import type { Link } from '../drivers/link/link.ts';
import { createNetworkMonitor } from '../drivers/network.ts';
import { exitCodes } from '../errors.ts';
import { monotonicMs } from './clock.ts';
import { createDefinitions } from './definitions/definitions.ts';
import { createEffects, createRequests, createTell } from './effects.ts';
import { createGuests } from './guests/guests.ts';
import { usesLibvirt } from './guests/known-guests.ts';
import { openGaps } from './heartbeat/gaps-file.ts';
import { createHeartbeatEncoder } from './heartbeat/heartbeat-codec.ts';
import { openLinks } from './heartbeat/links.ts';
import { createPeerRemarks } from './heartbeat/peer-remarks.ts';
import { createProbes } from './heartbeat/probes.ts';
import { loadKeys } from './keys.ts';
import { createLogger } from './logger.ts';
import type { Loop } from './loop.ts';
import { latenessView, startLoop } from './loop.ts';
import { openMetrics } from './metrics.ts';
import { openNotifications } from './notifications.ts';
import { plansOf } from './plans.ts';
import { buildPolicy, selfAndPeer } from './policy.ts';
import { assertHostFits } from './preflight.ts';
import { openHistory } from './records/history.ts';
import { openJournal } from './records/journal.ts';
import { claimStateDir, openStateFile, stateDirUnusable, tornNote } from './records/state-file.ts';
import { reload } from './reload.ts';
import { createResources } from './resources.ts';
import { createRunbooks } from './runbooks.ts';
import { createSafeguards } from './safeguards/safeguards.ts';
import { openSchedule } from './schedule.ts';
import { catchSignals } from './signals.ts';
import { openStandbyEnd } from './standby-end.ts';
import { createOutdatings } from './storage/outdatings.ts';
import { connectServiceManager } from './systemd.ts';
import { openWeb } from './web.ts';
import { createWishes } from './wishes.ts';

export interface DaemonOptions {
  readonly configPath: string;
  /** Name of this node in the configuration. */
  readonly node: string;
  readonly stateDir: string;
  readonly socketPath: string;
  /** For sockets and pid files that outlive the daemon, not the host. */
  readonly runDir: string;
  /** The program that this is, with its options, as an argv: what a command of an operator begins with. */
  readonly command: readonly string[];
  /** Brings the program of the web page, which most daemons never need. */
  readonly loadWebPage: () => Promise<OpenWebPage>;
}

/** The drivers watch by themselves; this is for what they may have missed. */
const observeEveryMs = 60_000;

const softwareVersion = manifest.version;

/** Runs until it is told to stop, or its invariants break. Returns the exit code. */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  const config = loadConfig(options.configPath);
  const policy = buildPolicy(config, options.node, softwareVersion);
  const keys = loadKeys(config);
  assertHostFits(config);
  const { self, peer } = selfAndPeer(config, options.node);
  const { logger, flush } = createLogger(self.name);
  const serviceManager = await connectServiceManager(logger);

  const deferred: { loop?: Loop } = {};
  const post: Loop['post'] = (event) => deferred.loop?.post(event);
  const links: Link[] = [];
  const requests = createRequests(post);

  const wishes = createWishes({
    ...{ toCore: requests.ask, prepare: () => tending.prepare(), tell: (note) => tell(note) },
    ...{ isStandby: () => loop.state().standby, standbyEnd: () => standbyEnd },
  });

  const peerRemarks = createPeerRemarks();
  const sights = () => ({
    state: loop.state(),
    nowMs: monotonicMs(),
    storage: resources.storage(),
    guestsUpForMs: resources.guestsUpForMs(),
  });

  const status = (notices: readonly Attention[]) =>
    statusOf({
      ...sights(),
      ...{ config, readinessOf: resources.readinessOf, definitions: definitions.source.list() },
      ...{ witness: safeguards.witness(), fencingLacks: safeguards.fencingLacks() },
      counters: links.map((link) => link.counters()),
      peerRemarks: peerRemarks.latest(),
      safeguards: [safeguards.attention(), attentionOfLibvirt(libvirt), schedule.attention(), notices].flat(),
      ...schedule.view(),
      ...{ gaps: gaps.view(), lateness: latenessView(loop.lateness()) },
      standbyLeftMs: standbyEnd.leftMs(),
    });

  const ready = Promise.withResolvers<void>();
  const surface: WebSource = {
    status: () => status([...notifications.attention(), ...metrics.attention(), ...web.attention()]),
    history: (limit) => history.latest(limit),
    plan: async (action, name, guestsBy) => {
      if (action === 'stop') await tending.prepare();
      const groups = loop.state().policy.groups.filter((group) => name === null || group.name === name);
      return plansOf({ groups, peer: peer.name, driver: resources.driver }, action, guestsBy);
    },
    request: wishes.ask,
    note(note) {
      history.add(note, monotonicMs());
      notifications.note(note);
    },
    metrics: (accept) => metrics.render(accept),
    minutes: () => gaps.minutes(),
  };
  const control = await startControlServer(
    options.socketPath,
    {
      ...surface,
      ready: ready.promise,
      state: () => loop.state(),
      outdating: (resource, gone) => outdatings.ask(resource, gone),
      guests: () => definitions.source,
      schedule: () => schedule.source,
    },
    logger,
  );
  let releaseStateDir = () => {};
  const closing = async (error: unknown): Promise<never> => {
    releaseStateDir();
    await control.close();
    throw error;
  };
  const { stateDir } = options;
  releaseStateDir = await claimStateDir(stateDir).catch(closing);
  const own = { stateDir, cluster: config.cluster, node: self.name };
  const stateFile = await openStateFile(own).catch(closing);
  const unusable = (error: unknown) => closing(stateDirUnusable(stateDir, error));
  const standbyEnd = await openStandbyEnd(stateDir).catch(unusable);
  const history = await openHistory(stateDir, logger).catch(unusable);
  const journal = await openJournal({ stateDir, cluster: config.cluster, logger }).catch(unusable);
  const gaps = await openGaps(stateDir, logger);
  const notifications = await openNotifications({
    ...{ config, self: self.name, stateDir, configPath: options.configPath, logger },
    needs: () => status([]).attention,
  });
  const definitions = await createDefinitions({
    ...{ config, self, peer, stateDir, logger },
    ring: () => keys.channel,
    activeNode: (group) => (deferred.loop ? nodeRunning(deferred.loop.state(), group) : null),
    isPeerAlive: () => deferred.loop?.state().verdict.kind === 'alive',
  }).catch(unusable);
  const about = { config, node: options.node, software: softwareVersion, definitions, logger };
  const guests = await createGuests(about).catch(closing);
  const { node, socketPath } = options;
  const runbooks = createRunbooks(config, { node, stateDir, socketPath, known: guests.known, logger });
  definitions.onChange(() => runbooks.refresh());
  const libvirt = usesLibvirt(config) ? createLibvirt({ ...config.libvirt, node: self.name, logger }) : null;
  const encoder = createHeartbeatEncoder({ sender: self.name, receiver: peer.name });
  let finish: (exitCode: number) => void = () => {};
  const finished = new Promise<number>((resolve) => {
    finish = resolve;
  });

  const tell = createTell(logger, history, notifications);
  if (stateFile.tornPath !== null) tell(tornNote(stateFile.tornPath, peer.name));

  const schedule = await openSchedule({
    ...{ config, self: self.name, peer: peer.name, stateDir, command: options.command, logger, tell },
    ...{ definitions, history, notifications, status: () => status([]), ready: ready.promise },
  });

  const network = createNetworkMonitor({
    logger,
    onChange: (snapshot) => {
      for (const name of new Set(policy.groups.flatMap(({ interfaces }) => interfaces))) {
        if (snapshot === undefined) continue;
        const carrier = snapshot.find((view) => view.name === name)?.carrier ?? false;
        post({ kind: 'carrier-observed', interface: name, carrier });
      }
    },
  });
  const neighbours = await openNeighbours();
  const resources = createResources({
    ...{ config, network, neighbours, libvirt, definitions, logger, post },
    ...{ runDir: options.runDir, guests: guests.known(), peer: peer.name },
  });
  const outdatings = createOutdatings(policy.groups, post);
  const probes = createProbes({ config, peer, logger, post });
  const safeguards = await createSafeguards({
    ...{ config, self: self.name, peer: peer.name, runDir: options.runDir, logger, post, tell },
    isPeerAlive: () => deferred.loop?.state().verdict.kind === 'alive',
  }).catch(closing);

  const carryOut = createEffects({
    ...{ post, tell, requests, links, encoder, stateFile, probes, resources, outdatings, safeguards, sights },
    state: () => loop.state(),
    finish: (exitCode) => finish(exitCode),
  });

  const loop = startLoop({
    initial: initialState({
      at: monotonicMs(),
      policy: guests.policy(),
      incarnation: stateFile.incarnation,
      ledger: stateFile.ledger,
      watchdogRuns: safeguards.watchdogRuns,
    }),
    record: (event, state) => {
      const refusal = refusalOf(state, event);
      if (refusal === null || isEchoed(state, refusal)) journal.record(event, state);
      else if ('link' in event) journal.countRefusal(event.link, refusal);
      if (refusal === null) notifications.event(event, state);
    },
    recordEffects: (effects) => journal.recordEffects(effects),
    carryOut,
    onDecided: serviceManager.decided,
    onBroken: (error) => {
      logger.fatal({ err: error }, 'an invariant of the core is broken; the daemon ends and touches nothing');
      finish(exitCodes.failed);
    },
  });
  deferred.loop = loop;
  wishes.watchStandby();
  const metrics = openMetrics({ config, status: surface.status, loop, gaps, history, logger });
  const web = openWeb(options.loadWebPage, {
    ...{ source: surface, config: config.web, address: self.address, nodes: [self.name, peer.name] },
    ...{ command: options.command, logger },
  });
  ready.resolve();

  const opened = openLinks({
    ...{ config, self, peer, post, gaps, peerRemarks, logger },
    ring: () => keys.ring,
    state: () => loop.state(),
    learn: (index, from) => {
      probes.learn(index, from);
      definitions.learn(index, from);
    },
  });
  links.push(...opened);

  const tending = guests.tend({ libvirt, resources, state: () => loop.state(), post });
  safeguards.watch();
  const observing = setInterval(() => {
    tending.refresh();
    resources.observeAll();
  }, observeEveryMs);
  resources.observeAll();
  const releaseSignals = catchSignals({
    stop: () => post({ kind: 'stop-requested' }),
    stopAtOnce: () => finish(exitCodes.failed),
    reload: () => {
      const reloaded = reload(options.configPath, config, keys, logger);
      web.reload(reloaded?.web);
      if (reloaded === null) return;
      guests.reload(reloaded);
      runbooks.refresh(reloaded);
      notifications.reload(reloaded.notify);
      metrics.reload(reloaded.metrics);
    },
    logger,
  });
  logger.info({ version: softwareVersion, cluster: config.cluster, peer: peer.name }, 'started');
  post({ kind: 'time-passed' });
  serviceManager.ready();

  const exitCode = await finished;
  serviceManager.stopping();
  loop.stop();
  clearInterval(observing);
  standbyEnd.close();
  releaseSignals();
  await schedule.close();
  await web.close();
  await control.close();
  await tending.close();
  const open = [
    ...links,
    probes,
    resources,
    safeguards,
    definitions,
    runbooks,
    metrics,
    ...(libvirt === null ? [] : [libvirt]),
  ];
  await Promise.all(open.map((one) => one.close()));
  await network.close();
  neighbours.close();
  await Promise.all([journal.close(), history.close(), gaps.close(), notifications.close()]).catch(
    (error: unknown) => {
      logger.warn({ err: error }, 'the last records were not written');
    },
  );
  releaseStateDir();
  logger.info('ended');
  flush();
  return exitCode;
}
