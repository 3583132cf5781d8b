// One floating address on this host: added, removed, announced, watched.
// Guarantees: every action is idempotent and ends by its deadline; what the kernel shows decides, not what a command
// said; the first announcement is out before the result of `start` is told; an address that is shown to be gone is announced no
// more. Must not decide who should hold the address. Source: ip-address(8), arping(8), ndptool(8).

import { readFileSync, writeFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { AddressConfig } from '../../config/config.ts';
import { type CommandResult, describeFailure, runCommand } from '../command.ts';
import type { BasicAction, Outcome, ResourceDriver, ResourceStatus } from '../driver.ts';
import { type InterfaceState, type NetworkMonitor, readInterfaces } from '../network.ts';
import { assertNever } from '../never.ts';
import { shellLine } from '../shell.ts';
import { type AddressConflict, announcements, createAddressAnnouncer } from './announcer.ts';
import type { IpBatch } from './ip-batch.ts';
import type { Neighbours } from './neighbours.ts';

export interface AddressDriverOptions {
  readonly network: NetworkMonitor;
  /** The fast way; whatever does not come out of it as wanted is done again by a process of its own. */
  readonly batch: IpBatch;
  readonly neighbours: Pick<Neighbours, 'tell'>;
  readonly logger: Logger;
  /** The status as the network monitor sees it, once when first known and then only when it changes. */
  readonly onStatus: (status: ResourceStatus) => void;
  /** Another host answers for the address while we hold it (IPv4 only). */
  readonly onConflict?: (conflict: AddressConflict) => void;
  /** Milliseconds between announcements while held; 30 s when left out. */
  readonly announceRefreshMs?: number;
}

const announceRefreshMsDefault = 30_000;
const commandTimeoutMs = 2000;
const done: Outcome = { kind: 'done' };

/** What one fresh look at the interface gave. */
type Look =
  | { readonly kind: 'seen'; readonly interface: InterfaceState }
  | { readonly kind: 'interface-missing' }
  | { readonly kind: 'unknown'; readonly message: string };

/** Announces and defends the address only after its own `start` or `resume`, so a restarted daemon starts what it adopts. */
export function createAddressDriver(config: AddressConfig, options: AddressDriverOptions): ResourceDriver {
  const { network, batch, neighbours, onStatus } = options;
  const logger = options.logger.child({ address: config.address, interface: config.interface });
  const announcer = createAddressAnnouncer({
    address: config,
    neighbours,
    refreshMs: options.announceRefreshMs ?? announceRefreshMsDefault,
    logger,
    isHere: () => isConfirmed || readStatus().kind !== 'down',
    ownMacs: () => new Set((network.current() ?? []).flatMap(({ mac }) => (mac === undefined ? [] : [mac]))),
    onConflict: (conflict) => options.onConflict?.(conflict),
  });
  let held = false; // Between a `start` that was done and the next `stop`.
  let isConfirmed = false; // By a `start`; the monitor's picture is older than that.
  let hadCarrier = true;
  let reported: ResourceStatus | undefined;
  let changing = 0; // Actions under way: what the monitor read before they ended is out of date.
  let tail: Promise<unknown> = Promise.resolve();
  let closed = false;

  batch.prepare(config.interface);
  const unsubscribe = network.subscribe(evaluate);
  evaluate();

  function readStatus(): ResourceStatus {
    const interfaces = network.current();
    if (interfaces === undefined) {
      return { kind: 'unknown', message: 'the network interfaces cannot be read' };
    }
    return statusOf(
      config,
      interfaces.find(({ name }) => name === config.interface),
    );
  }

  function evaluate(): void {
    if (closed || changing > 0) return;
    const interfaces = network.current();
    if (interfaces === undefined && reported === undefined) return; // Nothing was read yet.
    const status = readStatus();
    const carrier = interfaces?.find(({ name }) => name === config.interface)?.carrier ?? hadCarrier;
    const isPluggedIn = carrier && !hadCarrier;
    hadCarrier = carrier;
    // What is down may be given away without a `stop`. What is unknown may not, so it is announced as before.
    if (status.kind === 'down') announcer.stop();
    if (JSON.stringify(status) !== JSON.stringify(reported)) {
      if (held && status.kind === 'down') logger.warn('the address was removed by someone else');
      reported = status;
      onStatus(status);
    }
    // Whoever was told has the first word: what somebody put back here may have been given away.
    if (!held || status.kind !== 'up' || changing > 0) return;
    // A switch that saw the link come back has forgotten us.
    if (isPluggedIn || !announcer.isAnnouncing()) announcer.start();
  }

  async function carryOut(action: BasicAction, signal: AbortSignal): Promise<Outcome> {
    switch (action) {
      case 'start':
      case 'resume': {
        const outcome = await addAddress(config, batch, signal);
        if (outcome.kind !== 'done') announcer.stop();
        else if (!closed) {
          held = true;
          isConfirmed = true;
          announcer.start();
        }
        return outcome;
      }
      case 'stop':
      case 'destroy':
      case 'freeze':
        held = false;
        isConfirmed = false;
        announcer.stop();
        return await removeAddress(config, batch, signal, logger);
      default:
        return assertNever(action);
    }
  }

  return {
    async observe(signal) {
      const look = await lookAt(config, signal);
      signal.throwIfAborted();
      switch (look.kind) {
        case 'seen':
          return statusOf(config, look.interface);
        case 'interface-missing':
          return { kind: 'down' };
        case 'unknown':
          return look;
        default:
          return assertNever(look);
      }
    },
    perform(action, signal) {
      changing += 1;
      const outcome = tail.then(() => carryOut(action, signal));
      // Whoever waits for the outcome has it first: to start the process that reads takes milliseconds.
      tail = outcome
        .then(() => nextTurn())
        .then(() => network.refresh())
        .finally(() => {
          changing -= 1;
          isConfirmed = false;
          evaluate();
        });
      return outcome;
    },
    commands: (action) => addressCommands(config, action),
    async close() {
      closed = true;
      unsubscribe();
      await announcer.close();
    },
  };
}

/** An address that duplicate address detection refused is listed by the kernel but does not answer: it is down. */
function statusOf(config: AddressConfig, networkInterface: InterfaceState | undefined): ResourceStatus {
  const entries = (networkInterface?.addresses ?? []).filter(({ address }) =>
    isSame(address, config.address),
  );
  if (entries.some(({ dadFailed, tentative }) => !dadFailed && !tentative)) return { kind: 'up' };
  if (entries.some(({ dadFailed }) => !dadFailed)) {
    return { kind: 'unknown', message: `${config.address} is still tentative on ${config.interface}` };
  }
  return { kind: 'down' };
}

async function lookAt(config: AddressConfig, signal: AbortSignal): Promise<Look> {
  const argv = ['ip', '-j', 'addr', 'show', 'dev', config.interface];
  const read = await readInterfaces(argv, { timeoutMs: commandTimeoutMs, signal });
  if (read.kind === 'failed' && saysInterfaceMissing(read.result)) return { kind: 'interface-missing' };
  if (read.kind !== 'parsed') return { kind: 'unknown', message: read.message };
  const [seen] = read.interfaces;
  return seen === undefined ? { kind: 'interface-missing' } : { kind: 'seen', interface: seen };
}

async function addAddress(config: AddressConfig, batch: IpBatch, signal: AbortSignal): Promise<Outcome> {
  const argv = addArgv(config);
  const shown = await batch.perform(argv.slice(1), config.interface, signal);
  if (shown !== null && statusOf(config, shown).kind === 'up') return done;
  const result = await runCommand(argv, { timeoutMs: commandTimeoutMs, signal });
  if (result.exitCode === 0) return done;
  if (result.exitCode === null) return withoutExitCode(argv, result);
  // "Already assigned" is worded differently by every kernel, so look instead.
  const look = await lookAt(config, signal);
  if (look.kind === 'seen') {
    const status = statusOf(config, look.interface);
    if (status.kind === 'up') return done;
    const refused = look.interface.addresses.find(
      ({ address, dadFailed }) => dadFailed && isSame(address, config.address),
    );
    if (refused === undefined) return failure(config, argv, result);
    await runCommand(deleteArgv(config, refused.prefix), { timeoutMs: commandTimeoutMs, signal });
    const again = await runCommand(argv, { timeoutMs: commandTimeoutMs, signal });
    if (again.exitCode === 0) return done;
    return again.exitCode === null ? withoutExitCode(argv, again) : failure(config, argv, again);
  }
  return failure(config, argv, result);
}

async function removeAddress(
  config: AddressConfig,
  batch: IpBatch,
  signal: AbortSignal,
  logger: Logger,
): Promise<Outcome> {
  if (config.family === 4) keepSecondaries(config.interface, logger);
  const argv = deleteArgv(config, config.prefix);
  const shown = await batch.perform(argv.slice(1), config.interface, signal);
  if (shown !== null && matches(config, shown).length === 0) return done;
  const result = await runCommand(argv, { timeoutMs: commandTimeoutMs, signal });
  if (result.exitCode === null) return withoutExitCode(argv, result);
  // The same address may be there once more with another prefix: it would go on answering.
  let last = { argv: argv as readonly string[], result };
  let look = await lookAt(config, signal);
  if (look.kind === 'seen') {
    for (const { prefix } of matches(config, look.interface)) {
      const rest = deleteArgv(config, prefix);
      last = { argv: rest, result: await runCommand(rest, { timeoutMs: commandTimeoutMs, signal }) };
    }
    if (matches(config, look.interface).length > 0) look = await lookAt(config, signal);
  }
  if (look.kind === 'unknown') return look;
  if (look.kind === 'interface-missing' || matches(config, look.interface).length === 0) return done;
  return failure(config, last.argv, last.result);
}

/**
 * Where `promote_secondaries` is 0 and the floating address came first, deleting it takes the host's own addresses
 * of that subnet with it (ip-sysctl, kernel documentation). systemd's default is 1; make sure of it.
 */
function keepSecondaries(networkInterface: string, logger: Logger): void {
  const file = `/proc/sys/net/ipv4/conf/${networkInterface}/promote_secondaries`;
  try {
    // Of the kernel's, so it waits for no disk; and the peer waits for what follows.
    if (readFileSync(file, 'utf8').trim() === '1') return;
    writeFileSync(file, '1');
    logger.info({ file }, 'set to 1, so that removing the address leaves the host its own');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') logger.warn({ reason: message }, 'promote_secondaries could not be set');
  }
}

function matches(config: AddressConfig, networkInterface: InterfaceState): InterfaceState['addresses'] {
  return networkInterface.addresses.filter(({ address }) => isSame(address, config.address));
}

function failure(config: AddressConfig, argv: readonly string[], result: CommandResult): Outcome {
  if (saysInterfaceMissing(result)) {
    const message = `interface ${config.interface} does not exist, so it cannot carry ${config.address}`;
    return { kind: 'failed', code: 'interface-missing', message };
  }
  const message = describeFailure(argv, result);
  if (result.stderr.includes('Operation not permitted')) {
    return { kind: 'failed', code: 'no-permission', message: `${message} (needs root or CAP_NET_ADMIN)` };
  }
  return { kind: 'failed', code: 'address-command-failed', message };
}

/** Killed by its deadline or by an abort: nobody knows what it did. Never started: it did nothing. */
function withoutExitCode(argv: readonly string[], result: CommandResult): Outcome {
  const message = describeFailure(argv, result);
  if (result.startError === 'ENOENT') return { kind: 'failed', code: 'command-missing', message };
  return { kind: 'unknown', message };
}

function saysInterfaceMissing({ stderr }: CommandResult): boolean {
  return /Cannot find device|does not exist/.test(stderr);
}

function addArgv({ address, prefix, family, interface: name }: AddressConfig): readonly string[] {
  const argv = ['ip', 'address', 'add', `${address}/${prefix}`, 'dev', name];
  // nodad: answers at once. preferred_lft 0: never a source address. noprefixroute: no second route.
  return family === 4 ? argv : [...argv, 'nodad', 'preferred_lft', '0', 'noprefixroute'];
}

function deleteArgv({ address, interface: name }: AddressConfig, prefix: number): readonly string[] {
  return ['ip', 'address', 'del', `${address}/${prefix}`, 'dev', name];
}

/** Its actions as a person would type them. */
export function addressCommands(config: AddressConfig, action: BasicAction): readonly string[] {
  const remove = deleteArgv(config, config.prefix);
  const keep = ['sysctl', '-q', '-w', `net/ipv4/conf/${config.interface}/promote_secondaries=1`];
  const lines: Readonly<Record<BasicAction, readonly (readonly string[])[]>> = {
    start: [addArgv(config), ...announcements(config)],
    resume: [addArgv(config), ...announcements(config)],
    stop: config.family === 4 ? [keep, remove] : [remove],
    destroy: config.family === 4 ? [keep, remove] : [remove],
    freeze: config.family === 4 ? [keep, remove] : [remove],
  };
  return lines[action].map(shellLine);
}

/** Configurations may write an IPv6 address in any of its forms; the kernel shows one. */
function isSame(left: string, right: string): boolean {
  return left === right || (left.includes(':') && canonicalIpv6(left) === canonicalIpv6(right));
}

function canonicalIpv6(address: string): string {
  const url = `http://[${address}]/`;
  return URL.canParse(url) ? new URL(url).hostname : address.toLowerCase();
}
