// What an import makes: a configuration that is not text yet, with where each value comes from, what has no equal, and
// what the operator is to be told. How it is written is in cli/import-yaml.ts.

import type { Place } from './source.ts';

/** A value with where it comes from; the note becomes the comment beside it. */
export interface Noted<Value> {
  readonly value: Value;
  readonly note: string | null;
}

/** A line that has no equal here. */
export interface Remark {
  readonly place: Place;
  /** As it stands there, without what is secret. */
  readonly text: string;
  readonly why: string;
  /** A service that moved with its group, and does not any more. */
  readonly service?: string;
}

export type DraftLink =
  | { readonly interface: string; readonly mode?: 'broadcast'; readonly port?: number }
  | {
      readonly interface: string;
      readonly mode: 'multicast';
      readonly group: string;
      readonly port?: number;
    }
  | {
      readonly interface: string;
      readonly mode: 'unicast';
      readonly addresses?: Readonly<Record<string, string>>;
      readonly port?: number;
    };

export interface DraftFilesystem {
  readonly device: string;
  readonly mount: string;
  readonly type?: string;
  readonly options?: string;
}

export interface DraftGroup {
  readonly name: string;
  readonly preferred: Noted<string>;
  readonly failback: Noted<'manual' | 'automatic'>;
  /** A duration; null: the default. */
  readonly failbackDelay: Noted<string> | null;
  readonly addresses: readonly Noted<string>[];
  readonly drbd: readonly Noted<string>[];
  readonly filesystems: readonly Noted<DraftFilesystem>[];
  /** Names, and the word `all`. */
  readonly guests: readonly Noted<string>[];
  readonly remarks: readonly Remark[];
}

export const timingNames = ['keepalive', 'warntime', 'deadtime', 'initdead'] as const;
export type TimingName = (typeof timingNames)[number];

export interface Draft {
  /** The program whose files these were, by the name of its systemd unit. */
  readonly service: 'heartbeat' | 'keepalived';
  readonly cluster: Noted<string>;
  readonly nodes: readonly Noted<{ readonly name: string; readonly address: string }>[];
  /** Durations. */
  readonly timings: Readonly<Record<TimingName, Noted<string>>>;
  /** null: the default. */
  readonly port: Noted<number> | null;
  readonly links: readonly Noted<DraftLink>[];
  readonly ping: readonly Noted<string>[];
  /** Who gets a mail when something happens; by the sendmail of the host. */
  readonly mail: readonly Noted<string>[];
  readonly watchdog: Noted<{ readonly device: string; readonly timeout: string }> | null;
  readonly groups: readonly DraftGroup[];
  /** What belongs to no group. */
  readonly remarks: readonly Remark[];
  /** What is safer than it was, and what a person has to look at; a sentence each. */
  readonly safer: readonly string[];
  readonly check: readonly string[];
}

/** What this machine knows that the files do not say. */
export interface Surroundings {
  /** Name of this node, if this machine is one of them. */
  readonly node: string;
  readonly interfaces: readonly LocalAddress[];
  /** IPv4 addresses of a host's name, as far as it is known here. */
  readonly resolve: (name: string) => Promise<readonly string[]>;
}

export interface LocalAddress {
  readonly interface: string;
  readonly address: string;
  readonly prefix: number;
}

/** What the operator says beside the files. */
export interface Given {
  /** Own address of each node, by its name. */
  readonly addresses: ReadonlyMap<string, string>;
  /** For floating addresses that name none. */
  readonly interface: string | null;
  readonly prefix: number | null;
}

/** Where a value comes from: `ha.cf:12`. */
export const noteOf = ({ file, line }: Place, more = '') =>
  `${file.split('/').at(-1) ?? file}:${line}${more === '' ? '' : `: ${more}`}`;

/** The first of each value, as it is compared by `key`. */
export function unique<Value>(
  items: readonly Noted<Value>[],
  key: (value: Value) => string = String,
): readonly Noted<Value>[] {
  const seen = new Set<string>();
  return items.filter(({ value }) => {
    const text = key(value);
    if (seen.has(text)) return false;
    seen.add(text);
    return true;
  });
}
