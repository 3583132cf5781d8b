// Drives one guest that is a libvirt domain, by virsh. Works the same with libvirtd and with virtqemud.
// Guarantees: a libvirt that does not answer makes a guest `unknown`, never `down`, and never leads to a second start;
// every action idempotent and with an end. Must not: decide when a guest may run.

import path from 'node:path';
import type { Logger } from 'pino';
import type { LibvirtGuestConfig } from '../../config/config.ts';
import type { BasicAction, GuestAction, Outcome, ResourceDriver, ResourceStatus } from '../driver.ts';
import { createWatch } from '../watch.ts';
import { expectArrival, forgetArrival, letGo, rejectArrival } from './arrival.ts';
import type { Libvirt } from './connection.ts';
import { freezeDomain, resumeDomain } from './freeze.ts';
import { dropImages } from './images.ts';
import { type DefinitionSource, type Domain, type Look, lookAtDomain } from './look.ts';
import { migrateDomain, type Passage } from './migrate.ts';
import { createDomainProcess, processAgeMs } from './process.ts';
import { saveDomain } from './save.ts';
import { describeCommands } from './shell.ts';
import { startDomain } from './start.ts';
import type { Condition } from './state.ts';
import { destroyDomain, stopDomain } from './stop.ts';

export type { DefinitionSource } from './look.ts';

/** What was last seen, in more words than a status has. `said`: libvirt's own, e.g. `paused (I/O error)`. */
export interface DomainDetail {
  readonly condition: Condition;
  readonly said: string | null;
}

export interface LibvirtDriver extends ResourceDriver {
  /** Since its QEMU was started, as last seen; null: there is none. */
  upForMs(): number | null;
  /** Null before the first look. */
  detail(): DomainDetail | null;
  /** Its memory goes to the save directory and it is off then; the next start lets it go on. Never rejects. */
  save(signal: AbortSignal): Promise<Outcome>;
  /** To the other node while it runs; ends what came from there and was not let go of. Never reject. */
  migrate(signal: AbortSignal): Promise<Outcome>;
  reject(signal: AbortSignal): Promise<Outcome>;
  /** For the other node: may it come in here now? From then on it is `incoming` until it is let go of. */
  expectArrival(signal: AbortSignal): Promise<boolean>;
  letGo(signal: AbortSignal): Promise<Outcome>;
  guestCommands(action: 'save' | 'migrate'): readonly string[];
}

export interface LibvirtDriverOptions {
  /** The group that the guest belongs to, for the log. */
  readonly group: string;
  readonly libvirt: Libvirt;
  /** Directory whose `guests/` holds the mark of a guest that was frozen; must outlive the daemon, not the host. */
  readonly runDir: string;
  /** What libvirt is to know of the domain; absent: what it knows. */
  readonly definitions?: DefinitionSource;
  /** Where memory images are kept, on the group's storage. Null or absent: nowhere. */
  readonly saveDirectory?: string | null;
  /** How it gets to the other node while it runs. Null or absent: not at all. */
  readonly passage?: Passage | null;
  readonly logger: Logger;
  /** Called when the guest is seen in another state than before, whoever brought that about. */
  readonly onStatus: (status: ResourceStatus) => void;
  /** How often the guest is looked at when nothing is heard of it. */
  readonly reconcileMs?: number;
  /** Where libvirt writes the pids of QEMU. */
  readonly pidDirectory?: string;
}

const defaultReconcileMs = 5000;

type Action = BasicAction | GuestAction | 'let-go';

const operations: Readonly<Record<Action, (domain: Domain, signal: AbortSignal) => Promise<Outcome>>> = {
  start: startDomain,
  stop: stopDomain,
  destroy: destroyDomain,
  freeze: freezeDomain,
  resume: resumeDomain,
  save: saveDomain,
  migrate: migrateDomain,
  reject: rejectArrival,
  'let-go': letGo,
};

/** Watches the domain from the first `observe` or `perform` on, until `close`. */
export function createLibvirtDriver(
  config: LibvirtGuestConfig,
  options: LibvirtDriverOptions,
): LibvirtDriver {
  const { libvirt } = options;
  const domain: Domain = {
    config,
    libvirt,
    process: createDomainProcess(config.name, options.pidDirectory),
    logger: options.logger.child({ group: options.group, guest: config.name }),
    frozenFile: path.join(path.resolve(options.runDir, 'guests'), `${config.name}.libvirt-frozen`),
    saveDirectory: options.saveDirectory ?? null,
    passage: options.passage ?? null,
    arrivalFile: path.join(path.resolve(options.runDir, 'guests'), `${config.name}.arrival`),
    definitions: options.definitions ?? { adopt: async () => 'none' },
    startUnderWay: false,
    killed: null,
    uuidKnown: false,
  };
  let seen: Look | undefined;
  let unsubscribe: (() => void) | undefined;
  let closed = false;
  let tidying = Promise.resolve();
  let turn = Promise.resolve();

  async function see(scan: boolean, signal: AbortSignal): Promise<ResourceStatus> {
    seen = await lookAtDomain(domain, { scan, signal });
    const isOther = seen.process !== undefined && seen.process.startTicks !== domain.killed?.startTicks;
    if (isOther || seen.failure?.code !== 'libvirt-silent') domain.killed = null;
    // Operations still ask libvirt: where it is silent nothing is started, nor comes in.
    const hasEnded = domain.killed !== null && seen.process === undefined && !domain.startUnderWay;
    return hasEnded ? { kind: 'down' } : seen.status;
  }
  const watch = createWatch(
    (status) => {
      if (status.kind === 'up') tidying = tidyImages(domain);
      options.onStatus(status);
    },
    options.reconcileMs ?? defaultReconcileMs,
    (lastKnown, signal) => see(lastKnown !== 'down', signal),
  );

  function startWatching(): void {
    if (closed) return;
    watch.start();
    unsubscribe ??= libvirt.subscribe(config.name, (event) => {
      if (event?.detail.startsWith('Undefined') === true) domain.uuidKnown = false;
      watch.look();
    });
  }

  /** The other node's word and this node's doing must not meet. */
  function inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = turn.then(act);
    turn = result.then(
      () => {},
      () => {},
    );
    return result;
  }

  async function perform(action: Action, signal: AbortSignal): Promise<Outcome> {
    startWatching();
    watch.pause();
    try {
      await tidying;
      signal.throwIfAborted();
      return await operations[action](domain, signal);
    } catch (error) {
      if (!signal.aborted) domain.logger.error({ err: error, action }, 'an operation on the guest broke off');
      const why = signal.aborted ? 'aborted' : String(error);
      return { kind: 'unknown', message: `guest ${config.name}: ${action}: ${why}` };
    } finally {
      watch.resume();
    }
  }

  return {
    async observe(signal) {
      startWatching();
      const epoch = watch.epoch();
      const status = await see(true, signal);
      watch.report(status, epoch);
      return status;
    },
    perform,
    save: (signal) => perform('save', signal),
    migrate: (signal) => perform('migrate', signal),
    reject: (signal) => inTurn(() => perform('reject', signal)),
    // What is tidied up after the guest ran here last must not take the new mark away.
    expectArrival: (signal) => inTurn(() => tidying.then(() => expectArrival(domain, signal))),
    letGo: (signal) => inTurn(() => perform('let-go', signal)),
    commands: (action) => describeCommands(domain, action),
    guestCommands: (action) => describeCommands(domain, action),
    upForMs() {
      const process = domain.process.known();
      return process === undefined ? null : processAgeMs(process);
    },
    detail: () => (seen === undefined ? null : { condition: seen.condition, said: seen.said }),
    async close() {
      closed = true;
      unsubscribe?.();
      await watch.stop();
    },
  };
}

/** A guest that runs has changed its disk since an image of it was made, whoever started it. */
async function tidyImages(domain: Domain): Promise<void> {
  try {
    await Promise.all([dropImages(domain, 'the guest runs without it'), forgetArrival(domain)]);
  } catch (error) {
    domain.logger.error(
      { err: error },
      'a memory image that is too old cannot be deleted; delete it by hand',
    );
  }
}
