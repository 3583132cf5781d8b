// The driver's actions as a person would type them.

import type { QemuGuestConfig } from '../../config/config.ts';
import type { BasicAction } from '../driver.ts';
import { assertNever } from '../never.ts';
import { asPattern, shellLine, shellQuote } from '../shell.ts';
import { buildQemuArgv, buildTapArgv, type GuestPaths, qmpShellLine } from './command.ts';
import type { Guest } from './guest.ts';
import { buildUnitArgv } from './unit.ts';

/** What the commands of a guest depend on. */
export type ShellGuest = Pick<Guest, 'config' | 'paths' | 'unit'>;

export function describeCommands(
  { config, paths, unit }: ShellGuest,
  action: BasicAction,
): readonly string[] {
  const pid = `"$(cat ${shellQuote(paths.pidFile)})"`;
  switch (action) {
    case 'start': {
      const qemu = buildQemuArgv(config, paths);
      return [
        directoryLine(paths),
        shellLine(unit === null ? qemu : buildUnitArgv(unit, config.name, qemu)),
        ...tapLines(config, paths),
        qmpShellLine(paths, ['cont']),
      ];
    }
    case 'stop': {
      const seconds = Math.ceil(config.shutdownTimeoutMs / 1000);
      const gone = `timeout ${seconds} tail --pid=${pid} -f /dev/null`;
      return [qmpShellLine(paths, ['system_powerdown']), `${gone} || ${qmpShellLine(paths, ['quit'])}`];
    }
    case 'destroy':
      return [`${qmpShellLine(paths, ['quit'])} || kill -KILL ${pid}`];
    case 'freeze':
      return [`${qmpShellLine(paths, ['stop'])} || kill -STOP ${pid}`];
    case 'resume':
      return [`kill -CONT ${pid}`, qmpShellLine(paths, ['cont'])];
    default:
      return assertNever(action);
  }
}

/**
 * A start that needs nobody to speak QMP: it runs at once, and is to be put on its bridge by `tapLines` after it. As the
 * driver it goes without KVM where that opens but does not work, and without a unit where systemd would not leave its
 * words alone.
 */
export function bootCommands({ config, paths, unit }: ShellGuest): readonly string[] {
  const launch = (accel: QemuGuestConfig['accel']) => {
    const qemu = buildQemuArgv({ ...config, accel }, paths).filter((word) => word !== '-S');
    const hasUnit = unit !== null && !qemu.some((word) => word.includes('$'));
    return shellLine(hasUnit ? buildUnitArgv(unit, config.name, qemu) : qemu);
  };
  const line = config.accel === 'auto' ? `${launch('auto')} || ${launch('tcg')}` : launch(config.accel);
  return [directoryLine(paths), line];
}

/** Ends with 0 while a QEMU of this guest is there, in whatever state. */
export function isThereCommand({ paths }: ShellGuest): string {
  return shellLine(['pgrep', '-f', `^[^ ]*qemu[^ ]* .*-pidfile ${asPattern(paths.pidFile)}( |$)`]);
}

/**
 * Ends with 0 while it is there and does not run: frozen, or never let run. The signal that froze it is seen without
 * socat, QEMU's own word only with it.
 */
export function isHaltedCommand(shell: ShellGuest): string {
  const { pidFile } = shell.paths;
  const stopped = `grep -q '^State:.*T' "/proc/$(cat ${shellQuote(pidFile)})/status"`;
  const said = `${qmpShellLine(shell.paths, ['query-status'])} | grep -Eq '"running": *false'`;
  return `${isThereCommand(shell)} && { ${stopped} || ${said}; }`;
}

const directoryLine = ({ directory }: GuestPaths) => shellLine(['mkdir', '-p', '-m', '700', directory]);

/** Puts it on its bridge; harmless where it is there already. None: it has no network. */
export function tapLines(config: QemuGuestConfig, paths: GuestPaths): readonly string[] {
  const tap = buildTapArgv(config, paths);
  return tap === undefined ? [] : [shellLine(tap)];
}
