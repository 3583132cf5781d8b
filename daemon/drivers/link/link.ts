// One heartbeat path over UDP: broadcast, multicast or unicast on one interface.
// Guarantees: nothing that happens to the interface or the network is fatal; a link that cannot work says why, once
// per reason, and comes back by itself; send() neither throws nor waits; a packet is handed on only when its
// signature and link number are right, everything else is counted by reason. It judges no peer: that is the core's.

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { Logger } from 'pino';
import type { LinkConfig, NodeConfig } from '../../config/config.ts';
import type { KeyRing } from '../../config/key-file.ts';
import { describeSendError, describeSocketError, errorCode, sendErrorKind } from './error.ts';
import { type Endpoint, type InterfaceView, readInterface, resolveEndpoint } from './interface.ts';
import { decodePacket, type Envelope, encodePacket, type WireIdentity, type WireRefusal } from './wire.ts';

export type LinkStatus = { readonly kind: 'up' } | { readonly kind: 'down'; readonly reason: string };

/** An authenticated packet of the peer. Replays are in here too: the receiver knows what it has seen. */
export interface LinkPacket extends Envelope {
  readonly linkIndex: number;
  /** The sender's IPv4 address as seen by the kernel; not authenticated. */
  readonly from: string;
}

export interface LinkCounters {
  readonly sent: number;
  /** By the kernel's code, e.g. ENETUNREACH; `not-open` when there was no socket, `invalid` for what cannot be encoded. */
  readonly sendErrors: Readonly<Record<string, number>>;
  /** Authenticated packets of the peer. */
  readonly received: number;
  /** Our own broadcasts that the kernel gave back. */
  readonly ownPackets: number;
  /** Reasons that never happened are absent. */
  readonly refused: Readonly<Partial<Record<Exclude<WireRefusal, 'own-packet'>, number>>>;
}

export interface Link {
  /** For people, e.g. `eth1 broadcast`. */
  readonly name: string;
  /** Never throws, never waits: what goes wrong is counted and shows in the status. */
  send(envelope: Envelope): void;
  status(): LinkStatus;
  counters(): LinkCounters;
  close(): Promise<void>;
}

export interface LinkOptions {
  /** The link's number on the wire: its place in the configuration, 0 to 255. */
  readonly index: number;
  readonly config: LinkConfig;
  readonly self: NodeConfig;
  readonly peer: NodeConfig;
  readonly identity: WireIdentity;
  /** Asked for every packet, so that keys can change while the link is open. */
  readonly ring: () => KeyRing;
  readonly logger: Logger;
  readonly onPacket: (packet: LinkPacket) => void;
  /** Called on every change, the first time soon after openLink has returned. */
  readonly onStatus: (status: LinkStatus) => void;
  /** How often the interface is looked at and a lost socket opened again. */
  readonly recheckMs?: number;
}

/** Held only while in use; the kernel cuts it to net.core.rmem_max. About 10,000 small packets. */
const receiveBufferBytes = 4 * 1024 * 1024;
const sendQueueMax = 64;

/** Opens the link, in the next turn of the loop, and keeps it open until close(). Never throws. */
export function openLink(options: LinkOptions): Link {
  return new UdpLink(options);
}

type OpenEndpoint = Extract<Endpoint, { kind: 'endpoint' }>;

class UdpLink implements Link {
  readonly name: string;
  readonly #options: LinkOptions;
  readonly #timer: NodeJS.Timeout;
  #socket: Socket | undefined;
  #bound = false;
  #peerAddress = '';
  /** Interface index and addresses the socket was opened for; a change means a new socket. */
  #openedFor = '';
  #closed = false;
  #interfaceProblem: string | undefined;
  #socketProblem: string | undefined;
  #sendProblem: string | undefined;
  #socketIsStale = false;
  #status: LinkStatus | undefined;
  #sent = 0;
  #received = 0;
  #ownPackets = 0;
  readonly #sendErrors = new Map<string, number>();
  readonly #refused = new Map<Exclude<WireRefusal, 'own-packet'>, number>();

  constructor(options: LinkOptions) {
    this.#options = options;
    this.name = `${options.config.interface} ${options.config.mode}`;
    this.#timer = setInterval(() => this.#recheck(), options.recheckMs ?? 1000);
    setImmediate(() => this.#recheck()); // Not now: the caller's onStatus may want to use the link.
  }

  send(envelope: Envelope): void {
    const { identity, ring, index, config } = this.#options;
    const socket = this.#socket;
    if (socket === undefined || !this.#bound) {
      count(this.#sendErrors, 'not-open');
      return;
    }
    try {
      if (socket.getSendQueueCount() >= sendQueueMax) {
        count(this.#sendErrors, 'EAGAIN');
        return;
      }
      const bytes = encodePacket(identity, ring().signing, { ...envelope, linkIndex: index });
      socket.send(bytes, config.port, this.#peerAddress, (error) => {
        if (error) this.#sendFailed(socket, error);
        else this.#sendSucceeded(socket);
      });
    } catch (error) {
      this.#sendFailed(socket, error);
    }
  }

  status(): LinkStatus {
    return this.#status ?? { kind: 'down', reason: 'being opened' };
  }

  counters(): LinkCounters {
    return {
      sent: this.#sent,
      sendErrors: Object.fromEntries(this.#sendErrors),
      received: this.#received,
      ownPackets: this.#ownPackets,
      refused: Object.fromEntries(this.#refused),
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket !== undefined) await new Promise<void>((resolve) => closeSocket(socket, resolve));
  }

  #recheck(): void {
    if (this.#closed) return;
    const { config, self, peer } = this.#options;
    const view: InterfaceView = readInterface(config.interface);
    switch (view.kind) {
      case 'missing':
        this.#dropSocket();
        this.#interfaceProblem = view.reason;
        break;
      case 'unusable': // A cable may come back any moment: the socket stays.
        this.#interfaceProblem = view.reason;
        break;
      case 'usable': {
        const endpoint = resolveEndpoint(config, self, peer, view.addresses);
        if (endpoint.kind === 'none') {
          this.#dropSocket();
          this.#interfaceProblem = endpoint.reason;
        } else {
          if (this.#interfaceProblem !== undefined) this.#sendProblem = undefined; // It was about the old state.
          this.#interfaceProblem = undefined;
          this.#ensureSocket(endpoint, view.index);
        }
        break;
      }
      default:
        view satisfies never;
    }
    this.#refreshStatus();
  }

  #ensureSocket(endpoint: OpenEndpoint, interfaceIndex: string): void {
    const { bindAddress, peerAddress, interfaceAddress } = endpoint;
    // A broadcast socket does not depend on the interface's own address: one coming or going changes nothing.
    const source = this.#options.config.mode === 'broadcast' ? '' : interfaceAddress;
    const wanted = `${interfaceIndex} ${bindAddress} ${peerAddress} ${source}`;
    if (this.#socket !== undefined && wanted === this.#openedFor && !this.#socketIsStale) return;
    this.#dropSocket();
    if (wanted !== this.#openedFor) this.#sendProblem = undefined; // Else it stands until a packet has gone out.
    this.#openedFor = wanted;
    this.#peerAddress = peerAddress;
    this.#openSocket(endpoint);
  }

  #openSocket(endpoint: OpenEndpoint): void {
    const { config } = this.#options;
    let socket: Socket | undefined;
    try {
      const opened = createSocket({
        type: 'udp4',
        // Several daemons may listen to one segment; two on one unicast address would steal from each other.
        reuseAddr: config.mode !== 'unicast',
        recvBufferSize: receiveBufferBytes,
        // Only literal addresses occur; this keeps sending free of the resolver and in the same tick.
        lookup: (address, _options, callback) => callback(null, address, 4),
      });
      socket = opened;
      this.#socket = opened;
      opened.on('error', (error) => this.#socketFailed(opened, error));
      opened.on('message', (bytes, remote) => this.#receive(bytes, remote));
      opened.on('listening', () => this.#socketBound(opened, endpoint));
      opened.bind({ address: endpoint.bindAddress, port: config.port, exclusive: true });
    } catch (error) {
      this.#socketFailed(socket, error);
    }
  }

  #socketBound(socket: Socket, endpoint: OpenEndpoint): void {
    if (socket !== this.#socket) return;
    const { config } = this.#options;
    try {
      if (config.mode === 'broadcast') socket.setBroadcast(true);
      if (config.mode === 'multicast') {
        socket.addMembership(config.group, endpoint.interfaceAddress);
        socket.setMulticastInterface(endpoint.interfaceAddress);
        socket.setMulticastTTL(1);
        socket.setMulticastLoopback(false);
      }
    } catch (error) {
      this.#socketFailed(socket, error);
      return;
    }
    this.#bound = true;
    this.#socketProblem = undefined;
    this.#refreshStatus();
  }

  #socketFailed(socket: Socket | undefined, error: unknown): void {
    if (socket !== this.#socket) return;
    this.#dropSocket();
    this.#socketProblem = describeSocketError(errorCode(error), this.#options.config.port);
    this.#refreshStatus();
  }

  #dropSocket(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#bound = false;
    this.#socketIsStale = false;
    this.#socketProblem = undefined;
    if (socket !== undefined) closeSocket(socket, () => {});
  }

  #receive(bytes: Buffer, remote: RemoteInfo): void {
    if (this.#closed) return;
    const { identity, ring, index, onPacket } = this.#options;
    const decoded = decodePacket(identity, ring(), index, bytes);
    if (decoded.ok) {
      this.#received += 1;
      onPacket({ ...decoded.envelope, linkIndex: index, from: remote.address });
    } else if (decoded.reason === 'own-packet') {
      this.#ownPackets += 1;
    } else {
      count(this.#refused, decoded.reason);
    }
  }

  #sendSucceeded(socket: Socket): void {
    this.#sent += 1;
    if (socket !== this.#socket || this.#sendProblem === undefined) return;
    this.#sendProblem = undefined;
    this.#socketIsStale = false;
    this.#refreshStatus();
  }

  #sendFailed(socket: Socket, error: unknown): void {
    const code = errorCode(error);
    count(this.#sendErrors, code);
    const kind = sendErrorKind(code);
    if (socket !== this.#socket || kind === 'congestion') return;
    const isNews = this.#sendProblem === undefined;
    this.#sendProblem = describeSendError(code);
    if (kind === 'socket') this.#socketIsStale = true;
    if (isNews)
      this.#recheck(); // The interface may be the cause, and is the better reason then.
    else this.#refreshStatus();
  }

  #refreshStatus(): void {
    if (this.#closed) return;
    const reason = this.#interfaceProblem ?? this.#socketProblem ?? this.#sendProblem;
    if (reason === undefined && !this.#bound) return; // Being opened: neither up nor down yet.
    const previous = this.#status;
    if (previous !== undefined && reason === (previous.kind === 'down' ? previous.reason : undefined)) return;
    this.#status = reason === undefined ? { kind: 'up' } : { kind: 'down', reason };
    const { logger, onStatus } = this.#options;
    if (reason === undefined) logger.info({ link: this.name }, 'link is up');
    else logger.warn({ link: this.name, reason }, 'link is down');
    onStatus(this.#status);
  }
}

function closeSocket(socket: Socket, done: () => void): void {
  try {
    socket.close(done);
  } catch {
    done(); // It was never bound, or has closed itself.
  }
}

function count<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
