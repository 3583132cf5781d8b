// The one connection that all domains of a host share: calls, looks that never pile up, and the stream of events.
// Guarantees: while libvirt is silent one probe at a time asks it, and every look is answered `libvirt-silent` at once.
// Must not: decide what a silence means for a guest.

import type { Logger } from 'pino';
import { keepRunning } from '../line-process.ts';
import { definitionDirectory, watchDefinitionFiles } from './definition-files.ts';
import { type LibvirtEvent, parseEventLine } from './events.ts';
import { createGate } from './gate.ts';
import { createRounds, type StateAnswer } from './rounds.ts';
import { ensureLibvirt, type LibvirtHealth } from './units.ts';
import { runVirsh, type VirshCall, type VirshFailure, type VirshResult, virshArgv } from './virsh.ts';

/** One domain as `virsh list` shows it. */
export interface ListedDomain {
  readonly name: string;
  readonly uuid: string;
  /** Would libvirt itself start it with the host? */
  readonly autostart: boolean;
  /** A transient one is gone once it is off. */
  readonly persistent: boolean;
}

export type Listing = { readonly kind: 'done'; readonly domains: readonly ListedDomain[] } | VirshFailure;

export interface Libvirt {
  readonly uri: string;
  /** Whose libvirt it is, for messages. */
  readonly node: string;
  /** False: the domains run on another host, whose processes cannot be seen from here. */
  readonly local: boolean;
  /** One call of an operation; it is made whatever is known of libvirt. */
  run(args: readonly string[], call: VirshCall): Promise<VirshResult>;
  /** One question of those that are asked over and over: answered at once while libvirt is known to be silent. */
  look(args: readonly string[], call?: Partial<VirshCall>): Promise<VirshResult>;
  /** What a domain is, newer than the call; one process tells all who ask at the time. A look, too. */
  state(name: string, call?: Partial<VirshCall>): Promise<StateAnswer>;
  list(call?: Partial<VirshCall>): Promise<Listing>;
  /** The definition that the domain will be started with next; `secrets`: with the passwords that are in it. */
  dumpXml(name: string, options?: { readonly secrets?: boolean } & Partial<VirshCall>): Promise<VirshResult>;
  /**
   * Listens to one domain, or with null to all of them, from now on. `event` is null when events may have been
   * missed, so that all has to be looked at. Returns what ends it.
   */
  subscribe(name: string | null, listener: (event: LibvirtEvent | null) => void): () => void;
  /**
   * Asks whether libvirt answers, and starts its systemd unit when nobody listens. One that is silent is left alone: it
   * may be waiting for its storage, and its guests live on without it.
   */
  ensureRunning(signal: AbortSignal): Promise<LibvirtHealth>;
  /** Is it there without answering, as last asked? Whoever has a guest there asks every few seconds. */
  isSilent(): boolean;
  close(): Promise<void>;
}

/** Long enough for a host that is busy: of one that is slow it must not be said that its libvirt is silent. */
const lookTimeoutMs = 10_000;
/** libvirtd that is gone without a word, e.g. stopped, is noticed by the stream of events after these. */
const keepalive = ['-k', '5', '-K', '3'];

export interface LibvirtOptions {
  readonly uri: string;
  /** Absent: `this node`. */
  readonly node?: string;
  readonly logger: Logger;
  /** Where this libvirt keeps its definitions; absent: where the system's does. */
  readonly definitionDirectory?: string;
}

export function createLibvirt(options: LibvirtOptions): Libvirt {
  const { uri } = options;
  const directory = options.definitionDirectory ?? definitionDirectory(uri);
  const logger = options.logger.child({ libvirt: uri });
  const closing = new AbortController();
  const listeners = new Map<string | null, Set<(event: LibvirtEvent | null) => void>>();
  let ensuring: Promise<LibvirtHealth> | undefined;
  let stream: { close(): Promise<void> } | undefined;
  let files: { close(): void } | undefined;

  const call = (wish: Partial<VirshCall> = {}): VirshCall => ({
    timeoutMs: wish.timeoutMs ?? lookTimeoutMs,
    signal: wish.signal === undefined ? closing.signal : AbortSignal.any([wish.signal, closing.signal]),
  });
  const gate = createGate((args, wish) => runVirsh(uri, args, call(wish)), logger);
  const look: Libvirt['look'] = (args, wish) => gate.look(args, wish ?? {});
  const stateOf = createRounds(look);

  function tell(event: LibvirtEvent | null): void {
    if (event !== null) logger.debug({ domain: event.domain, event: event.event }, event.detail);
    const names = event === null ? [...listeners.keys()] : [event.domain, null];
    for (const name of names) for (const listener of listeners.get(name) ?? []) listener(event);
  }

  function watchFiles(): void {
    if (directory === undefined || closing.signal.aborted) return;
    const onEnd = () => {
      files = undefined;
    };
    files ??= watchDefinitionFiles(directory, { logger, onEvent: tell, onEnd });
  }

  function listen(): void {
    const argv = virshArgv(uri, ['event', '--all', '--loop', '--timestamp']);
    stream ??= keepRunning([...argv.slice(0, 1), ...keepalive, ...argv.slice(1)], {
      name: 'virsh event',
      logger,
      onStart() {
        watchFiles();
        tell(null);
      },
      onLine(line) {
        const event = parseEventLine(line);
        // libvirt makes the directory with its first definition.
        watchFiles();
        if (event !== undefined) tell(event);
        // Some events go on over several lines, which begin with a tab.
        else if (!/^\s|^$|^events received/.test(line)) {
          logger.warn({ line }, 'a line of virsh event was not understood; everything is looked at');
          tell(null);
        }
      },
    });
  }

  return {
    uri,
    node: options.node ?? 'this node',
    local: isLocal(uri),
    run: (args, wish) => gate.run(args, wish),
    look,
    state: (name, wish) => stateOf(name, wish ?? {}),
    async list(wish) {
      const answer = await look(listing, wish);
      if (answer.kind === 'failed') return answer;
      const domains = parseList(answer.stdout);
      if (domains !== undefined) return { kind: 'done', domains };
      return { kind: 'failed', code: 'libvirt-refused', message: 'what virsh list said was not understood' };
    },
    dumpXml(name, { secrets = false, ...wish } = {}) {
      const security = secrets ? ['--security-info'] : [];
      return look(['dumpxml', `--domain=${name}`, '--inactive', ...security], wish);
    },
    subscribe(name, listener) {
      const set = listeners.get(name) ?? new Set();
      listeners.set(name, set.add(listener));
      if (!closing.signal.aborted) listen();
      return () => {
        set.delete(listener);
        if (set.size === 0 && listeners.get(name) === set) listeners.delete(name);
      };
    },
    async ensureRunning(signal) {
      ensuring ??= ensureLibvirt(uri, { ask: () => gate.run(['uri'], call()), logger }).finally(() => {
        ensuring = undefined;
      });
      const cut = new Promise<never>((_, reject) => {
        if (signal.aborted) reject(signal.reason);
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
      return await Promise.race([ensuring, cut]);
    },
    isSilent: () => gate.isSilent(),
    async close() {
      closing.abort();
      listeners.clear();
      files?.close();
      await stream?.close();
    },
  };
}

/** Domains of another host are reached over a transport or a host name: `qemu+ssh://host/system`. */
export function isLocal(uri: string): boolean {
  return /^[a-z]+(\+unix)?:\/\/\//i.test(uri);
}

/**
 * In one process, which ends as its last command does: without the first ones no domain would be lasting, of which
 * nothing follows; without the last one there would be none.
 */
const listing = [
  'list --all --autostart --uuid; echo lasting:; list --all --persistent --uuid; echo names:; list --all --uuid --name',
];

/** UUIDs of those that libvirt starts itself, of those that are lasting; then lines `UUID NAME`, with the name as it is. */
export function parseList(stdout: string): readonly ListedDomain[] | undefined {
  // virsh ends no line after what it echoes.
  const [, autostart = '', persistent = '', names] =
    /^([\da-f\s-]*)lasting:([\da-f\s-]*)names:(.*)$/s.exec(stdout) ?? [];
  if (names === undefined) return undefined;
  const uuids = (text: string) => new Set(text.split('\n').map((line) => line.trim()));
  const [starting, lasting] = [uuids(autostart), uuids(persistent)];
  return names.split('\n').flatMap((line) => {
    const [, uuid, name] = /^([\da-f-]{36}) +(.+)$/.exec(line) ?? [];
    if (uuid === undefined || name === undefined) return [];
    return [{ name, uuid, autostart: starting.has(uuid), persistent: lasting.has(uuid) }];
  });
}
