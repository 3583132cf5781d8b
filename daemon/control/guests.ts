// What the control API says of the guests' definitions, and takes. Passwords are not in it: a definition is shown to
// people, on screens and in tickets.
//
//   GET  /v1/guests                    GuestDefinitions
//   GET  /v1/guests/texts?uuid=UUID    GuestTexts
//   GET  /v1/guests/history?uuid=UUID  GuestVersion[]  newest first
//   POST /v1/guests/keep               { uuid, node } -> { message }

export interface GuestVersion {
  /** Hex SHA-256 of the version, and of its text; null: the guest was removed. */
  readonly id: string;
  readonly sha256: string | null;
  readonly parents: readonly string[];
  readonly counter: number;
  /** Where it was made, and when by that node's wall clock (ISO 8601). */
  readonly node: string;
  readonly takenAt: string;
  readonly name: string;
  readonly group: string;
  /** The one that a start would use. */
  readonly inUse: boolean;
  /** Names of the nodes whose libvirt has it. */
  readonly definedOn: readonly string[];
}

export interface GuestSide {
  readonly node: string;
  /** What this node's libvirt has of the guest: the definition in use, another one, or none. */
  readonly libvirt: 'in-use' | 'other' | 'none';
  /** Whether the definition in use is in the node's store; null: not known. */
  readonly stored: boolean | null;
}

export interface GuestDefinition {
  readonly name: string;
  readonly uuid: string;
  readonly group: string;
  /** `conflict`: edited on both nodes; `name-taken`: two guests of one name; `not-yet`: the peer has an older one, or none. */
  readonly state: 'same' | 'not-yet' | 'conflict' | 'name-taken';
  readonly sides: readonly [self: GuestSide, peer: GuestSide];
  readonly inUse: Pick<GuestVersion, 'id' | 'node' | 'takenAt'>;
}

export interface GuestDefinitions {
  /** Node names. */
  readonly self: string;
  readonly peer: string;
  /** Since the nodes last compared; null: not in this run of the daemon. */
  readonly comparedMs: number | null;
  /** Why they could not, lately; null: they could. */
  readonly problem: string | null;
  /** By name. Guests that were removed are not among them. */
  readonly guests: readonly GuestDefinition[];
  /** Stored definitions that were damaged and put aside: files. */
  readonly damaged: readonly string[];
}

/** What each node would start; null: it has none. */
export interface GuestTexts {
  readonly name: string;
  /** Both say the same, however it is written. */
  readonly same: boolean;
  readonly self: string | null;
  readonly peer: string | null;
}

export interface GuestsSource {
  list(): GuestDefinitions;
  /** Null: no such guest. */
  texts(uuid: string): GuestTexts | null;
  history(uuid: string): readonly GuestVersion[] | null;
  /** What `node` would start is kept, for both. @throws BattitoError when there is nothing to keep */
  keep(uuid: string, node: string): Promise<string>;
}
