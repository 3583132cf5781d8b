// What can be done to the modelled world, as plain data: one vocabulary for fault schedules, for scenario files and
// for `battito simulate --fault`. Nothing here acts; world.ts does. The words of each are in action-text.ts.

import type { OperatorRequest } from '../core/events.ts';
import type { ResourceId } from '../core/policy.ts';

export type Side = 'primary' | 'secondary';

export const sides: readonly [Side, Side] = ['primary', 'secondary'];

export function otherSide(side: Side): Side {
  return side === 'primary' ? 'secondary' : 'primary';
}

/**
 * `dedicated`: the cable between the two hosts; heartbeat link 0, and what DRBD replicates over. `lan`: all other
 * heartbeat links, the floating addresses, the gateway, the witness and the devices that power a host off.
 */
export type Segment = 'dedicated' | 'lan';

/** Of a host's cable, seen from that host. With one direction cut the carrier stays. */
export type Direction = 'both' | 'out' | 'in';

/** up: answers. down: does not. answers-lost: takes what it is asked, and no answer arrives. */
export type WitnessCondition = 'up' | 'down' | 'answers-lost';

/**
 * ok: powers the host off and sees that it is off. slow: does so, often after the asker's deadline. failing: says that
 * it failed, and did nothing. lying: says that it is done, and did nothing. dead-with-host: has its power from the
 * host, so it cannot be asked when that has none.
 */
export type FenceCondition = 'ok' | 'slow' | 'failing' | 'lying' | 'dead-with-host';

/**
 * What happens to a start or stop of a resource. fails: it says so, and has changed nothing. hangs: it never ends, and
 * changes nothing. late: it comes to effect after its deadline. stuck: as hangs, and nothing else moves it either.
 * What does not end in time is reported `unknown`.
 */
export type Breakage = 'ok' | 'fails' | 'hangs' | 'late' | 'stuck';

interface OfHost {
  readonly host: Side;
}

/** silent: nothing tells what runs there; unsure: it is told of all that it cannot be told; ok: it can be, and is. */
export type DriversCondition = 'silent' | 'unsure' | 'ok';

export type Action =
  /** Mains gone: daemon, guests and whatever was not on disk. */
  | ({ readonly kind: 'power-loss' } & OfHost)
  /** Mains there again, and the host boots; its daemon starts if the world's hosts do that (`boots`). */
  | ({ readonly kind: 'power-on' } & OfHost)
  /** SIGKILL. `staysDown`: systemd does not start it again. */
  | ({ readonly kind: 'kill-daemon'; readonly staysDown: boolean } & OfHost)
  | ({ readonly kind: 'start-daemon' } & OfHost)
  /** SIGTERM. */
  | ({ readonly kind: 'stop-daemon' } & OfHost)
  /** The process does not run: packets and what else comes wait for it. It goes on by itself. */
  | ({ readonly kind: 'pause-daemon'; readonly ms: number } & OfHost)
  /** Guests, DRBD, kernel and daemon stand still, then go on. Only a hardware watchdog counts. */
  | ({ readonly kind: 'pause-host'; readonly ms: number } & OfHost)
  /** The daemon dies right after it has carried out the `count`-th effect from now. */
  | ({ readonly kind: 'crash-at-effect'; readonly count: number } & OfHost)
  | ({ readonly kind: 'power-loss-at-effect'; readonly count: number } & OfHost)
  | ({ readonly kind: 'cut'; readonly segment: Segment; readonly direction: Direction } & OfHost)
  | ({ readonly kind: 'mend'; readonly segment: Segment } & OfHost)
  /** The nodes cannot reach each other on any segment, though each reaches the outside. */
  | { readonly kind: 'partition' }
  | { readonly kind: 'heal' }
  /** Chances are 0 to 1; `delayMs`: how late a late packet is at the most, and so out of order. */
  | {
      readonly kind: 'network';
      readonly segment: Segment;
      readonly loss: number;
      readonly duplicate: number;
      readonly late: number;
      readonly delayMs: number;
    }
  | { readonly kind: 'gateway'; readonly condition: 'on' | 'off' }
  /** Of several gateways one that this host alone does not reach. */
  | ({ readonly kind: 'way-out'; readonly gateway: string; readonly condition: 'open' | 'shut' } & OfHost)
  | { readonly kind: 'witness'; readonly condition: WitnessCondition }
  /** The device that powers `host` off. */
  | ({ readonly kind: 'fence-device'; readonly condition: FenceCondition } & OfHost)
  /** The host's wall clock is set this much forward (or back): NTP, an empty battery, a person. */
  | ({ readonly kind: 'step-clock'; readonly ms: number } & OfHost)
  /** The host's monotonic clock runs this much fast (or slow), parts per million. */
  | ({ readonly kind: 'clock-drift'; readonly ppm: number } & OfHost)
  /** What the daemon finds at its next start: no state file, or one of some writes ago. */
  | ({ readonly kind: 'state-file'; readonly condition: 'lost' | 'old' } & OfHost)
  | ({ readonly kind: 'state-disk'; readonly condition: 'full' | 'ok' } & OfHost)
  | ({ readonly kind: 'break'; readonly resource: ResourceId; readonly how: Breakage } & OfHost)
  | ({ readonly kind: 'drivers'; readonly condition: DriversCondition } & OfHost)
  | ({ readonly kind: 'guest-dies'; readonly guest: ResourceId } & OfHost)
  /** It is still there, with its disks open, and does nothing any more until it is switched off. */
  | ({ readonly kind: 'crash-guest'; readonly guest: ResourceId } & OfHost)
  /** By somebody who knows nothing of the daemon. */
  | ({ readonly kind: 'start-by-hand'; readonly resource: ResourceId } & OfHost)
  | ({ readonly kind: 'stop-by-hand'; readonly resource: ResourceId } & OfHost)
  /** The disk under the host's mirrored devices is gone, with all that only it held. */
  | ({ readonly kind: 'disk-failure' } & OfHost)
  /** A person puts an empty one in its place; only while the host has no power. */
  | ({ readonly kind: 'replace-disk' } & OfHost)
  /** Old packets of its peer, also of earlier incarnations, are sent to the host again. */
  | ({ readonly kind: 'replay' } & OfHost)
  /** Its newest packets come late, on every link, also where a cut or a loss had kept them back. */
  | ({ readonly kind: 'deliver-late' } & OfHost)
  /** Somebody without the key sends to the host: its peer's packets altered, packets signed otherwise, and noise. */
  | ({ readonly kind: 'forge' } & OfHost)
  | ({ readonly kind: 'operator'; readonly request: OperatorRequest } & OfHost);

export type ActionKind = Action['kind'];
export type ActionOf<K extends ActionKind> = Extract<Action, { readonly kind: K }>;

export interface TimedAction {
  /** Milliseconds of the world's time. */
  readonly atMs: number;
  readonly action: Action;
}
