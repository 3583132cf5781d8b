// The watchdog of the configuration: is it there, can it be used as it is to be used, who else has it. It is not opened,
// since that would start it.

import type { Config } from '../../config/config.ts';
import type { Status } from '../../control/api.ts';
import { describeUsers, isSoftware, readWatchdog, watchdogUsers } from '../../drivers/watchdog/view.ts';
import { buildPolicy } from '../../runtime/policy.ts';
import { type Finding, reporter } from './finding.ts';
import { membersOf } from './machine.ts';

/** What loads a driver now, and at every boot. */
const loading =
  'modprobe softdog && echo softdog > /etc/modules-load.d/battito.conf   # or better the driver of the hardware: iTCO_wdt (Intel), sp5100_tco (AMD), ipmi_watchdog (a BMC)';

/** `running`: what the daemon says; null: it does not answer. Tests give another root than `/`. */
export function checkWatchdog(
  config: Config,
  node: string,
  running: Pick<Status, 'watchdog' | 'daemon'> | null,
  root = '/',
): readonly Finding[] {
  const { watchdog } = config;
  if (watchdog === null) return [];
  const report = reporter('watchdog');
  if (isNeverArmed(config, node)) {
    report.warning(
      'watchdog-alone',
      'the watchdog is never armed: without a witness nobody could count on it',
      'add a witness, or leave watchdog out of the configuration',
    );
    return report.findings;
  }
  const { device, timeoutMs } = watchdog;
  const seen = readWatchdog(device, root);
  if (seen === null) {
    report.problem(
      'watchdog-missing',
      `there is no ${device}: nothing may be started here without it`,
      loading,
    );
    return report.findings;
  }
  const { identity, isForEver, hasReset, outlivesProcess, isActive, isDevice } = seen;
  const name = `${device} (${identity ?? 'of an unknown driver'})`;
  const timeoutS = timeoutMs / 1000;
  let fits = true;
  const unfit = (message: string, mend: string) => {
    fits = false;
    report.problem('watchdog-unfit', message, mend);
  };
  if (isForEver === true) {
    unfit(
      `${name} cannot be stopped once it runs: every handover would end with a reset of this host`,
      `echo "options ${isSoftware(seen) ? 'softdog' : 'DRIVER'} nowayout=0" > /etc/modprobe.d/battito.conf   # then restart the host`,
    );
  }
  if (outlivesProcess === false) {
    unfit(
      `${name} stops when its process is killed, so it protects nothing`,
      'wdctl   # name another one under watchdog.device',
    );
  }
  const { timeoutMinS: min, timeoutMaxS: max } = seen;
  if ((min !== null && timeoutS < min) || (max !== null && timeoutS > max)) {
    unfit(
      `${name} takes ${min ?? 1} to ${max ?? 'any number of'} seconds, not ${timeoutS}`,
      `timeout: ${min !== null && timeoutS < min ? min : max}s   # under watchdog, on both nodes`,
    );
  }
  const others = watchdogUsers(device, root).filter(({ pid }) => pid !== running?.daemon.pid);
  const isOurs = running?.watchdog?.armed === true;
  if (others.length > 0 || (isActive === true && !isOurs && running !== null)) {
    const who = others.length > 0 ? describeUsers(others) : 'it runs, and not for the daemon that answers';
    unfit(`${name} is in use: ${who}`, `fuser -v ${device}`);
  }
  if (identity === null && !isDevice)
    unfit(
      `${device} is no device: nothing may be started here without a watchdog`,
      'wdctl   # name another one under watchdog.device',
    );
  else if (identity === null) {
    report.warning(
      'watchdog-unknown',
      `the kernel tells nothing of ${device} in /sys/class/watchdog`,
      `wdctl ${device}`,
    );
  } else if (fits)
    report.ok(
      `${name}: resets this host ${timeoutS} s after the last feed, or after its daemon was killed; the peer waits for both`,
    );
  if (isSoftware(seen)) {
    report.info(
      'softdog is the weaker choice: the kernel itself resets the host, and one that hangs does not. A watchdog of the hardware, or of its BMC, resets that too.',
    );
  }
  if (hasReset === true)
    report.info('this host was reset by its watchdog before this boot: battito incident');
  return report.findings;
}

/** By itself it only resets its own host: that a peer may count on it takes a witness. */
function isNeverArmed(config: Config, node: string): boolean {
  return membersOf(config, node) !== undefined && buildPolicy(config, node, '').witness === null;
}
