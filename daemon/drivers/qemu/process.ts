// Knows the QEMU of a guest of ours: its command line names the guest's pid file. See ../guest-process.ts.

import * as guestProcess from '../guest-process.ts';

export {
  type GuestProcess,
  type ProcessState,
  processAgeMs,
  processState,
  waitForState,
} from '../guest-process.ts';

/** The QEMU whose command line names `pidFile`; `scan` as in the function that this one narrows. */
export function findGuestProcess(
  pidFile: string,
  options: { readonly scan: boolean },
): Promise<guestProcess.GuestProcess | undefined> {
  return guestProcess.findGuestProcess(identityOf(pidFile), options);
}

/** All of them; more than one only while QEMU is detaching itself. */
export function scanGuestProcesses(pidFile: string): Promise<readonly guestProcess.GuestProcess[]> {
  return guestProcess.scanGuestProcesses(identityOf(pidFile));
}

/** Sends a signal if the process still is that guest. False: it is not, and nothing was sent. */
export function signalGuest(
  guest: guestProcess.GuestProcess,
  pidFile: string,
  name: guestProcess.GuestSignal,
): Promise<boolean> {
  return guestProcess.signalGuest(guest, identityOf(pidFile), name);
}

function identityOf(pidFile: string): guestProcess.GuestIdentity {
  return {
    pidFile,
    matches(argv) {
      const at = argv.indexOf('-pidfile');
      return at !== -1 && argv[at + 1] === pidFile;
    },
  };
}
