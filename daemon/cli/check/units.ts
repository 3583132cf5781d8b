// What systemd starts at boot: Battito, not DRBD beside it, and no desktop that sends the host to sleep. Asks systemctl
// and changes nothing.

import { existsSync } from 'node:fs';
import type { Config } from '../../config/config.ts';
import { runCommand } from '../../drivers/command.ts';
import { type Finding, type Reporter, reporter } from './finding.ts';

/** As `systemctl is-enabled` has it, e.g. `disabled`; null: there is no such unit, or nobody to ask. */
export type UnitState = (unit: string) => Promise<string | null>;

const timeoutMs = 5000;

/** Of a host that systemd has booted; elsewhere another init starts the daemon, and nothing can be said. */
async function unitStateHere(unit: string): Promise<string | null> {
  if (!existsSync('/run/systemd/system')) return null;
  return askSystemctl(unit);
}

export async function askSystemctl(unit: string): Promise<string | null> {
  const { stdout, stderr, exitCode } = await runCommand(['systemctl', 'is-enabled', unit], { timeoutMs });
  const said = stdout.trim();
  // Before systemd 253 a unit that is not there was told of as an error alone.
  if (said === '' && /unit file state .*No such file/.test(stderr)) return 'not-found';
  // It ends with 1 for a unit that is disabled, and says so; null: it could not be started, or hangs.
  return exitCode === null || said === '' ? null : said;
}

export async function checkUnits(
  config: Config,
  stateOf: UnitState = unitStateHere,
): Promise<readonly Finding[]> {
  const report = reporter('at boot');
  const own = await stateOf('battito.service');
  if (own === 'enabled') report.ok('battito.service is enabled');
  else if (own === 'not-found') {
    report.warning(
      'unit-not-enabled',
      'systemd has no battito.service: nothing starts the daemon when this node boots',
      'install the package, then: systemctl enable --now battito',
    );
  } else if (own !== null) {
    const mend = `${own.startsWith('masked') ? 'systemctl unmask battito && ' : ''}systemctl enable battito`;
    report.warning(
      'unit-not-enabled',
      `battito.service is ${own}: the daemon does not start when this node boots`,
      mend,
    );
  }
  await checkSleep(report, stateOf);
  if (config.groups.every(({ drbd }) => drbd.length === 0)) return report.findings;
  const other = await stateOf('drbd.service');
  if (other?.startsWith('enabled')) {
    report.warning(
      'drbd-service-enabled',
      `drbd.service is ${other}: it brings resources up at boot, and takes them down, beside Battito`,
      'systemctl disable drbd',
    );
  }
  return report.findings;
}

/** A desktop suspends a host that nobody types on, as some do from the day they are installed. */
async function checkSleep(report: Reporter, stateOf: UnitState): Promise<void> {
  const desktop = await stateOf('display-manager.service');
  if (desktop === null || ['not-found', 'disabled', 'masked'].includes(desktop)) return;
  const sleep = await stateOf('sleep.target');
  if (sleep === null || sleep.startsWith('masked')) return;
  report.warning(
    'host-may-sleep',
    'this host has a desktop, and nothing keeps it from going to sleep: the other node then takes over from it, or stands alone',
    'systemctl mask sleep.target suspend.target hibernate.target hybrid-sleep.target',
  );
}
