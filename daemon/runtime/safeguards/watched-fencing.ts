// Switches the peer off when the core wants it, and looks at the devices in between, so that one that has died is known
// before it is needed. What it finds goes to the history when it changes, and to `battito status` while it lasts.

import type { Attention } from '../../control/api.ts';
import { item } from '../../control/attention-item.ts';
import type { DeviceReading, PeerFencing } from '../../drivers/fence/fence.ts';
import type { CodedNote } from '../../why/explanations.ts';
import type { Fencing } from './safeguards.ts';

export interface WatchedFencing extends Fencing {
  /** What is wrong with the devices now. */
  attention(): readonly Attention[];
  /** Why no level of them would do now; null: one would, as far as is known. */
  lacks(): string | null;
}

export interface WatchOptions {
  readonly peer: string;
  /** Is it heard? Then it has power, whatever a device says. */
  readonly isPeerAlive: () => boolean;
  readonly note: (note: CodedNote) => void;
  /** Milliseconds between two looks; shorter while something is wrong. */
  readonly everyMs?: number;
  readonly whenWrongMs?: number;
}

const everyMsDefault = 10 * 60_000;
const whenWrongMsDefault = 60_000;

export function watchFencing(fencing: PeerFencing, options: WatchOptions): WatchedFencing {
  const { peer, isPeerAlive, note, everyMs = everyMsDefault, whenWrongMs = whenWrongMsDefault } = options;
  const wrong = new Map<string, string>();
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  const take = ({ device, state }: DeviceReading): void => {
    const before = wrong.get(device);
    const message = troubleOf(device, state, peer, isPeerAlive());
    if (message === null) wrong.delete(device);
    else wrong.set(device, message);
    if (message !== null && before === undefined)
      note({ ...blank, severity: 'warning', code: 'fence-device', message, next: nextFor(peer) });
    if (message === null && before !== undefined) {
      const well = `${device} tells the power of ${peer} again`;
      note({ ...blank, severity: 'info', code: 'fence-device-well', message: well, next: null });
    }
  };

  const look = async (): Promise<void> => {
    for (const reading of (await fencing.read()) ?? []) take(reading);
    if (closed) return;
    timer = setTimeout(() => void look(), wrong.size > 0 ? whenWrongMs : everyMs);
    timer.unref();
  };
  void look();

  return {
    powerOff: (deadlineMs) => fencing.powerOff(deadlineMs),
    attention: () =>
      [...wrong.values()].map((message) => item('warning', 'fence-device', message, nextFor(peer))),
    lacks() {
      const isBroken = fencing.levels.every((level) => level.some((device) => wrong.has(device)));
      return isBroken && wrong.size > 0 ? [...wrong.values()].join('; ') : null;
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      await fencing.close();
    },
  };
}

const blank = { group: null, tookMs: null } as const;

const nextFor = (peer: string) =>
  `mend it, then: battito fence status ${peer}; while no device works, a takeover from a silent ${peer} waits for you`;

/** Null: it would do. */
function troubleOf(
  device: string,
  state: DeviceReading['state'],
  peer: string,
  isPeerAlive: boolean,
): string | null {
  if (state.kind === 'unknown') return `${device} could not switch ${peer} off now: ${state.message}`;
  if (state.kind === 'off' && isPeerAlive)
    return `${device} says that ${peer} is off, but ${peer} is heard: the device has another host, or lies`;
  return null;
}
