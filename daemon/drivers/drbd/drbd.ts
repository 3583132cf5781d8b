// Drives one DRBD resource: promoted is up, demoted is down.
// Guarantees: one action at a time; every action idempotent and ended by the caller's signal; what cannot be told is
// unknown; data that are not known to be good are promoted only when forced. Must not: decide who should be primary,
// resolve a split brain, or adjust a resource by itself.
// How each action behaves is also what the simulator models: daemon/sim/drbd*.ts and storage.ts.

import type { Logger } from 'pino';
import type { Outcome } from '../driver.ts';
import { assertNever } from '../never.ts';
import { ensureUp } from './bring-up.ts';
import { bringBack, demote, throwAway } from './demote.ts';
import type { DrbdMonitor } from './monitor.ts';
import { promote, promoteWords, reconnect, seekPeer } from './promote.ts';
import { aborted, carryOut, type DrbdContext, done, drbdadmArgv, seen, shown } from './tool.ts';
import { allowTwo, forbidTwo, twoPrimariesWords } from './two-primaries.ts';
import type { DrbdAction, DrbdDetail, DrbdView, ResyncProgress, StorageStatus, Trouble } from './types.ts';
import { isResourceName, troubleText, unknownStorage } from './types.ts';

export interface DrbdDriver {
  readonly resource: string;
  /** Looks at the real thing now, with a process of its own. Rejects only when `signal` aborts. */
  observe(signal: AbortSignal): Promise<StorageStatus>;
  /** Never rejects; an abort ends it with `unknown`. `forced`: of `start`, data that would be refused are used. */
  perform(action: DrbdAction, forced: boolean, signal: AbortSignal): Promise<Outcome>;
  /** The same action as shell commands, in order, as the resource is now. */
  commands(action: DrbdAction, forced: boolean): readonly string[];
  /** As the stream of events has it. */
  status(): StorageStatus;
  /** Null: the resource is not seen. */
  detail(): DrbdDetail | null;
  /** Why nothing is seen; null: it is. */
  trouble(): Trouble | null;
  /** Of a resync that runs, as last seen: how far, and for how long still. Null: none, or nothing is known yet. */
  resync(): ResyncProgress | null;
  /** Of a copy that is not connected: what its peer lacks of it, KiB, as last seen. Null: connected, or not known. */
  changedKib(): number | null;
  /** Null: no resync is under way. Never rejects. */
  progress(signal: AbortSignal): Promise<ResyncProgress | null>;
  /** Once when it is first known, then at every change; of a resync's percents whole ones. The result ends that. */
  onStorage(listener: (storage: StorageStatus, trouble: Trouble | null) => void): () => void;
  /**
   * Loads the module, brings the resource up where it is not, and gives it a few seconds to find its peer, which decides
   * what its data are worth; until then it is unknown, unless it is primary. Puts a forgotten `allow-two-primaries` back.
   */
  ensureUp(signal: AbortSignal): Promise<Outcome>;
  /** Stops telling. Leaves the resource, and the shared monitor, as they are. */
  close(): Promise<void>;
}

export interface DrbdDriverOptions {
  readonly monitor: DrbdMonitor;
  readonly logger: Logger;
  /** For tests; /proc/drbd when left out. */
  readonly procFile?: string;
  /** For tests; /dev/drbdN when left out. */
  readonly deviceOf?: (minor: number) => string;
}

const debtsEveryMs = 5000;
/** `down` and `up`, on a host that is busy with a failover. */
const attachTimeoutMs = 30_000;

type Act = (context: DrbdContext, forced: boolean, signal: AbortSignal) => Promise<Outcome>;

const actions: Readonly<Record<DrbdAction, Act>> = {
  start: promote,
  stop: (context, _, signal) => demote(context, signal),
  destroy: (context, _, signal) => throwAway(context, signal),
  freeze: (context, _, signal) => suspend(context, signal),
  resume: (context, _, signal) => carryOut(context, ['resume-io'], signal),
  outdate: (context, _, signal) => outdate(context, signal),
  connect: (context, _, signal) => connect(context, signal),
  discard: (context, _, signal) => discard(context, signal),
  'allow-two': (context, _, signal) => allowTwo(context, signal),
  'forbid-two': (context, _, signal) => forbidTwo(context, signal),
};

export function createDrbdDriver(resource: string, options: DrbdDriverOptions): DrbdDriver {
  if (!isResourceName(resource)) throw new TypeError(`"${resource}" is not the name of a DRBD resource`);
  const { monitor } = options;
  const logger = options.logger.child({ resource });
  const debts = { attach: false, connect: false };
  const context: DrbdContext = {
    resource,
    monitor,
    logger,
    procFile: options.procFile ?? '/proc/drbd',
    deviceOf: options.deviceOf ?? ((minor) => `/dev/drbd${minor}`),
    debts,
    rising: false,
    unloadable: null,
  };
  /** `drbdadm up` attaches the disk and makes the connection last: until then nothing of it says anything. */
  const asRising = ({ storage, trouble }: Pick<DrbdView, 'storage' | 'trouble'>) =>
    context.rising && storage.role !== 'primary'
      ? { storage: unknownStorage, trouble: null }
      : { storage, trouble };
  const current = () => asRising(monitor.current(resource));
  const tellings = new Set<() => void>();
  const endings = new Set<() => void>();
  let tail: Promise<unknown> = Promise.resolve();
  let told: string | null = null;

  /** One after the other, whoever asks. */
  function inTurn(act: () => Promise<Outcome>): Promise<Outcome> {
    const outcome = tail.then(act).catch((error: unknown): Outcome => {
      logger.error({ err: error }, 'an action on DRBD broke off');
      return { kind: 'unknown', message: `${resource}: ${String(error)}` };
    });
    tail = outcome;
    return outcome;
  }

  const sayTrouble = ({ trouble }: DrbdView) => {
    if (trouble !== null && trouble.code !== told) logger.warn({ next: trouble.next }, trouble.what);
    if (trouble === null && told !== null) logger.info('it is seen again');
    told = trouble?.code ?? null;
  };
  endings.add(monitor.subscribe(resource, sayTrouble));

  let isPaying = false;
  const payDebts = async () => {
    // While it is primary, a destroy has not come to its end, and takes care of it.
    const isDown = monitor.current(resource).storage.role !== 'primary';
    if (isPaying || !(debts.connect || (debts.attach && isDown))) return;
    isPaying = true;
    await inTurn(async () => {
      if (debts.attach && isDown) await bringBack(context, AbortSignal.timeout(attachTimeoutMs));
      else if (debts.connect) await reconnect(context);
      return done;
    });
    isPaying = false;
  };
  const paying = setInterval(() => void payDebts(), debtsEveryMs);
  paying.unref();

  return {
    resource,
    async observe(signal) {
      const view = await seen(context, signal);
      signal.throwIfAborted();
      return asRising(view).storage;
    },
    perform: (action, forced, signal) =>
      inTurn(async () =>
        signal.aborted ? aborted(context, action) : await actions[action](context, forced, signal),
      ),
    commands: (action, forced) => commandLines(resource, action, forced, monitor.current(resource)),
    status: () => current().storage,
    detail: () => monitor.current(resource).detail,
    trouble: () => {
      const { trouble } = current();
      // Why it cannot be loaded says more than that it is not.
      return trouble?.code === 'drbd-module-not-loaded' ? (context.unloadable ?? trouble) : trouble;
    },
    resync: () => monitor.resync(resource),
    changedKib: () => monitor.changedKib(resource),
    progress: (signal) => monitor.progress(resource, signal),
    onStorage(listener) {
      const tell = (view: DrbdView) => {
        const { storage, trouble } = asRising(view);
        listener(storage, trouble);
      };
      const tellAgain = () => tell(monitor.current(resource));
      const unsubscribe = monitor.subscribe(resource, tell);
      tellings.add(tellAgain);
      const end = () => {
        tellings.delete(tellAgain);
        unsubscribe();
      };
      endings.add(end);
      return end;
    },
    async ensureUp(signal) {
      const outcome = await inTurn(() => ensureUp(context, signal));
      for (const tell of tellings) tell();
      return outcome;
    },
    async close() {
      clearInterval(paying);
      for (const end of endings) end();
      await tail;
    },
  };
}

async function suspend(context: DrbdContext, signal: AbortSignal): Promise<Outcome> {
  const outcome = await carryOut(context, ['suspend-io'], signal);
  if (outcome.kind === 'done') await shown(context, ({ storage }) => storage.suspended === 'user', signal);
  return outcome;
}

async function outdate(context: DrbdContext, signal: AbortSignal): Promise<Outcome> {
  const { storage, trouble } = await seen(context, signal);
  if (trouble === null && storage.disk === 'outdated') return done;
  const outcome = await carryOut(context, ['outdate'], signal);
  if (outcome.kind === 'done') await shown(context, (view) => view.storage.disk === 'outdated', signal);
  return outcome;
}

/** DRBD looks for its peer by itself, except where it stands alone. */
async function connect(context: DrbdContext, signal: AbortSignal): Promise<Outcome> {
  const view = await seen(context, signal);
  if (view.trouble !== null) return notSeen(context, view.trouble, signal);
  if (view.storage.connection !== 'standalone') return done;
  const outcome = await seekPeer(context, ['connect'], signal);
  if (outcome.kind === 'done') context.debts.connect = false;
  return outcome;
}

async function discard(context: DrbdContext, signal: AbortSignal): Promise<Outcome> {
  const view = await seen(context, signal);
  if (view.trouble !== null) return notSeen(context, view.trouble, signal);
  if (view.storage.role === 'primary') {
    const message = `${context.resource}: a primary cannot discard its data; drbdadm secondary ${context.resource}`;
    return { kind: 'failed', code: 'drbd-discard-on-primary', message };
  }
  if (view.storage.connection !== 'standalone') {
    const left = await carryOut(context, ['disconnect'], signal, ['already-standalone']);
    if (left.kind !== 'done') return left;
  }
  const outcome = await carryOut(context, ['connect', '--discard-my-data'], signal);
  // It must not stand alone for ever because of this; without discarding, DRBD parts again at worst.
  context.debts.connect = outcome.kind !== 'done';
  return outcome;
}

function notSeen(context: DrbdContext, trouble: Trouble, signal: AbortSignal): Outcome {
  if (signal.aborted) return aborted(context, 'the look at it');
  return { kind: 'failed', code: trouble.code, message: troubleText(trouble) };
}

function commandLines(
  resource: string,
  action: DrbdAction,
  forced: boolean,
  { storage }: DrbdView,
): readonly string[] {
  const line = (...words: readonly string[]) => drbdadmArgv(resource, words).join(' ');
  const isAlone = storage.connection === 'standalone';
  // Where it is not known, a command that finds nothing to do must not end the script.
  const leave = storage.connection === 'unknown' ? `${line('disconnect')} || true` : line('disconnect');
  switch (action) {
    case 'start': {
      const promoting = line(...promoteWords(forced));
      if (storage.connection === 'connected') return [promoting];
      return [...(isAlone ? [] : [leave]), promoting, line('connect')];
    }
    case 'stop':
      return [line('secondary')];
    case 'destroy': {
      if (storage.suspended === 'no') return [line('secondary')];
      const cut = isAlone ? [] : [line('disconnect', '--force')];
      const steps = [line('resume-io'), line('secondary'), line('down'), line('up')];
      return [line('detach', '--force'), ...cut, ...steps];
    }
    case 'freeze':
      return [line('suspend-io')];
    case 'resume':
      return [line('resume-io')];
    case 'outdate':
      return [line('outdate')];
    case 'connect':
      return [line('connect')];
    case 'discard':
      return [...(isAlone ? [] : [leave]), line('connect', '--discard-my-data')];
    case 'allow-two':
    case 'forbid-two':
      return [line(...twoPrimariesWords(action === 'allow-two'))];
    default:
      return assertNever(action);
  }
}
