// What one node tells the other. Everything a heartbeat says is a statement about its sender at one moment.

import type { GroupName, NodeName, ResourceId } from './policy.ts';

/** The phases of a group. Their order is the wire format: only ever append. */
export const phaseKinds = [
  'observing',
  'stopped',
  'blocked',
  'claiming',
  'starting',
  'active',
  'frozen',
  'stopping',
] as const;
export type PhaseKind = (typeof phaseKinds)[number];

/** Why a node asks for a group while its peer is alive. Their order is the wire format: only ever append. */
export const claimReasons = ['nobody-runs-it', 'offered', 'operator', 'resume'] as const;
export type ClaimReason = (typeof claimReasons)[number];

/** `id` is unique within the sender's incarnation. */
export interface Claim {
  readonly id: number;
  readonly reason: ClaimReason;
}

/** Binding until its giver sees that the claim is gone, or that the claimer is. */
export interface Grant {
  /** Incarnation of the claimer. */
  readonly incarnation: number;
  readonly claim: number;
}

export interface GroupReport {
  readonly name: GroupName;
  readonly phase: PhaseKind;
  /** Highest generation the sender knows of, and who had it (null: nobody ever). */
  readonly generation: number;
  readonly owner: NodeName | null;
  /** Whose disks were promoted last. */
  readonly writer: NodeName | null;
  /** May an address / may a guest or storage of the group be in use on the sender? */
  readonly holdsAddresses: boolean;
  readonly holdsRest: boolean;
  readonly claim: Claim | null;
  readonly grant: Grant | null;
  /** The sender holds the group and wants the receiver to take it. */
  readonly offer: boolean;
  /** The sender could run the group now. */
  readonly willing: boolean;
  /** The sender writes to a disk of the group without its mirror here, or did so since they were last connected. */
  readonly alone: boolean;
  /** The sender's DRBD does not show, or not yet, that each disk of the group is connected to the receiver's. */
  readonly apart: boolean;
  /** The sender's copy of a disk is marked as older than the receiver's. */
  readonly outdated: boolean;
  /** The sender has the newest data, cannot reach the mirror, and wants the receiver to mark its copy outdated. */
  readonly wantsOutdated: boolean;
  /** The sender gives up what it wrote while it was cut off; the receiver is to connect its disks again. */
  readonly discarding: boolean;
  /** The sender was to hand the group over, and cannot let go of it. */
  readonly stuck: boolean;
  /** Devices that the sender allows the receiver to promote, since their guests come to it while they run. */
  readonly inviting: readonly ResourceId[];
  /** The sender's record on disk still says that it may start the group alone. */
  readonly sole: boolean;
  /** Resources up, resources in all, resources given up. */
  readonly up: number;
  readonly total: number;
  readonly quarantined: number;
}

export interface HeartbeatContent {
  readonly software: string;
  readonly configDigest: string;
  /** Per link index: does the sender hear the receiver there? */
  readonly hears: readonly boolean[];
  readonly leaving: boolean;
  readonly standby: boolean;
  /** After how much silence the sender freezes when it is cut off, milliseconds. */
  readonly freezeAfterMs: number;
  /** What a receiver may count on having reset the sender, milliseconds; null: nothing, or its version does not say. */
  readonly watchdogMs: number | null;
  /** Minutes of maintenance left, rounded up; 0: none. */
  readonly maintenanceMinutes: number;
  /** Can the sender serve the LAN: carrier, and a gateway that answers. */
  readonly lan: boolean;
  /** How many gateways answer the sender; null: there are not several, or its version does not say. */
  readonly gateways: number | null;
  readonly groups: readonly GroupReport[];
}

/** The last packet of the receiver that the sender has read: proves that the sender is alive now. */
export interface Echo {
  readonly incarnation: number;
  readonly sequence: number;
}
