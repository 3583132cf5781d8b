// Drives one guest that is a QEMU process of ours: detached, so that it outlives the daemon, and found again by its
// pid file and command line. Guarantees: one QEMU per guest at most; every action idempotent and with an end;
// a state that cannot be told is `unknown`. Must not: decide when a guest may run.

import type { Logger } from 'pino';
import type { QemuGuestConfig } from '../../config/config.ts';
import type { BasicAction, Outcome, ResourceDriver, ResourceStatus } from '../driver.ts';
import { createWatch } from '../watch.ts';
import { guestPaths } from './command.ts';
import { type Guest, lookAtGuest } from './guest.ts';
import { createGuestMonitor } from './monitor.ts';
import { processAgeMs } from './process.ts';
import { describeCommands } from './shell.ts';
import { startGuest } from './start.ts';
import { destroyGuest, freezeGuest, resumeGuest, stopGuest } from './stop.ts';
import { guestUnit, systemdRuns } from './unit.ts';

export interface QemuDriver extends ResourceDriver {
  /** Since its QEMU was started, as last seen; null: there is none. */
  upForMs(): number | null;
}

export interface QemuDriverOptions {
  /** The group that the guest belongs to, for the log. */
  readonly group: string;
  /** Directory whose `guests/` holds sockets and pid files; must outlive the daemon, not the host. */
  readonly runDir: string;
  readonly logger: Logger;
  /** Called when the guest is seen in another state than before, whoever brought that about. */
  readonly onStatus: (status: ResourceStatus) => void;
  /** Has each guest a unit of its own? Absent: yes, where systemd runs. */
  readonly units?: boolean;
  /** How often the guest is looked at when nothing is heard of it. */
  readonly reconcileMs?: number;
}

const defaultReconcileMs = 5000;
/** Events of QMP after which the guest is looked at. */
const telling = ['STOP', 'RESUME', 'SHUTDOWN', 'BLOCK_IO_ERROR', 'GUEST_PANICKED', 'SUSPEND', 'WAKEUP'];

const operations: Readonly<Record<BasicAction, (guest: Guest, signal: AbortSignal) => Promise<Outcome>>> = {
  start: startGuest,
  stop: stopGuest,
  destroy: destroyGuest,
  freeze: freezeGuest,
  resume: resumeGuest,
};

/** Watches the guest from the first `observe` or `perform` on, until `close`. */
export function createQemuDriver(config: QemuGuestConfig, options: QemuDriverOptions): QemuDriver {
  const logger = options.logger.child({ group: options.group, guest: config.name });
  const paths = guestPaths(options.runDir, config.name);
  const unit = (options.units ?? systemdRuns()) ? guestUnit(config.name, paths) : null;
  const watch = createWatch(
    options.onStatus,
    options.reconcileMs ?? defaultReconcileMs,
    (lastKnown, signal) => lookAtGuest(guest, { scan: lastKnown !== 'down', signal }),
  );
  const monitor = createGuestMonitor({
    path: paths.monitor,
    onEvent: ({ name, data }) => {
      logger.debug({ event: name, data }, 'QEMU event');
      if (telling.includes(name)) watch.look();
    },
    onLost: () => watch.look(),
  });
  const guest: Guest = { config, paths, unit, monitor, logger, known: undefined };

  return {
    async observe(signal) {
      watch.start();
      const epoch = watch.epoch();
      const status = await lookAtGuest(guest, { scan: true, signal });
      watch.report(status, epoch);
      return status;
    },
    async perform(action, signal) {
      watch.start();
      watch.pause();
      try {
        signal.throwIfAborted();
        return await operations[action](guest, signal);
      } catch (error) {
        if (!signal.aborted) logger.error({ err: error, action }, 'an operation on the guest broke off');
        const why = signal.aborted ? 'aborted' : String(error);
        return { kind: 'unknown', message: `guest ${config.name}: ${action}: ${why}` };
      } finally {
        watch.resume();
      }
    },
    commands: (action) => describeCommands(guest, action),
    upForMs: () => (guest.known === undefined ? null : processAgeMs(guest.known)),
    async close() {
      await watch.stop();
      monitor.close();
    },
  };
}
