// The device of a watchdog, open: what is written to it, and the questions that it answers. Those are ioctl(2), which the
// runtime has no function for, so libc is called directly, as for the service manager.
// Source: include/uapi/linux/watchdog.h, Documentation/watchdog/watchdog-api.rst.

import { closeSync, constants, openSync, statSync, writeSync } from 'node:fs';

export interface WatchdogDevice {
  /** The bits of `watchdogBits` that its driver knows; null: it does not answer as a watchdog. */
  options(): number | null;
  /** @returns what it has set itself to, seconds; null: it refused. Feeds it where it runs. */
  setTimeout(timeoutS: number): number | null;
  timeout(): number | null;
  feed(): void;
  /** From now on its being closed stops it. */
  allowStop(): void;
  close(): void;
}

/** Opening it starts it. Throws the system's error. */
export type OpenWatchdog = (path: string) => WatchdogDevice;

/** The numbers of asm-generic/ioctl.h, which x86 and ARM have. */
const WDIOC_GETSUPPORT = 0x80285700n;
const WDIOC_SETTIMEOUT = 0xc0045706n;
const WDIOC_GETTIMEOUT = 0x80045707n;
/** struct watchdog_info, the largest argument: options, firmware_version, identity[32]. */
const argumentBytes = 40;

/** Rejects where the runtime cannot call libc. */
export async function loadOpener(): Promise<OpenWatchdog> {
  const { dlopen } = await import('node:ffi');
  const { functions } = dlopen('libc.so.6', {
    ioctl: { arguments: ['int32', 'uint64', 'buffer'], return: 'int32' },
  });
  return (path) => {
    // A pipe would wait for its reader, and a file would be written to.
    if (!statSync(path).isCharacterDevice()) throw new Error('it is no character device');
    const fd = openSync(path, constants.O_WRONLY);
    const ask = (request: bigint, given = 0) => {
      const argument = Buffer.alloc(argumentBytes);
      argument.writeInt32LE(given);
      return functions.ioctl(fd, request, argument) === 0 ? argument.readInt32LE() : null;
    };
    return {
      options: () => ask(WDIOC_GETSUPPORT),
      setTimeout: (timeoutS) => ask(WDIOC_SETTIMEOUT, timeoutS),
      timeout: () => ask(WDIOC_GETTIMEOUT),
      feed: () => void writeSync(fd, '\0'),
      allowStop: () => void writeSync(fd, 'V'),
      close: () => closeSync(fd),
    };
  };
}
