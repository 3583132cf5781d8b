// An attacker on a segment, started and told from a test. The program itself is attacker.ts.

import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { waitFor } from '../../support.ts';
import type { HostName, Place } from './hosts.ts';
import { output } from './namespaces.ts';
import type { TestNetwork } from './network.ts';
import type { HostProcess } from './processes.ts';

/** What it can send. All but the first three are made of heartbeats that it has heard. */
export type AttackKind =
  | 'wrong-key'
  | 'wrong-cluster'
  | 'wrong-sender'
  | 'random'
  | 'wrong-link'
  | 'wrong-version'
  | 'wrong-signature'
  | 'wrong-number'
  | 'replayed'
  | 'replayed-from-before'
  | 'truncated'
  | 'oversized';

/** Heartbeats of one run of a host's daemon that the attacker has kept. */
export interface Capture {
  readonly host: HostName;
  readonly incarnation: number;
  readonly packets: number;
}

export type AttackCommand =
  | { readonly command: 'captures' }
  | {
      readonly command: 'flood';
      readonly kinds: readonly AttackKind[];
      readonly total: number;
      readonly packetsPerSecond: number;
    }
  | { readonly command: 'replay'; readonly host: HostName; readonly packetsPerSecond: number }
  | { readonly command: 'rest' }
  | { readonly command: 'answers' };
export type AttackRequest = AttackCommand & { readonly id: number };

/** What has come back to the attacker's own port, and what the kernels have answered. */
export interface Answers {
  readonly datagrams: number;
  readonly icmpMessages: number;
}

const replyTimeoutMs = 60_000;

export class Attacker {
  readonly #process: HostProcess;
  readonly #pending = new Map<number, (value: unknown) => void>();
  #lastId = 0;

  private constructor(program: HostProcess) {
    this.#process = program;
    if (program.child.stdout === null) throw new TypeError('the attacker has no output');
    createInterface({ input: program.child.stdout }).on('line', (line) => {
      const { id, value } = JSON.parse(line) as { readonly id: number; readonly value: unknown };
      this.#pending.get(id)?.(value);
      this.#pending.delete(id);
    });
  }

  /** On the dedicated segment, where every heartbeat is broadcast. */
  static async onSegment(network: TestNetwork): Promise<Attacker> {
    const address = '10.0.0.66';
    const namespace = network.namespace('hb');
    await output(['ip', '-n', namespace, 'addr', 'add', `${address}/24`, 'brd', '+', 'dev', 'hb']);
    return Attacker.#start(network, 'hb', [address, '10.0.0.255', '0']);
  }

  /** On the LAN, where it hears none of the heartbeats. */
  static onLan(network: TestNetwork, address: string): Promise<Attacker> {
    const { primary, secondary } = network.hosts;
    return Attacker.#start(network, 'client', [address, `${primary.address},${secondary.address}`, '1']);
  }

  static async #start(network: TestNetwork, place: Place, words: readonly string[]): Promise<Attacker> {
    const argv = [process.execPath, join(import.meta.dirname, 'attacker.ts'), ...words];
    const attacker = new Attacker(network.spawnOn(place, argv));
    await attacker.#reply(0, 'ready');
    return attacker;
  }

  async #reply(id: number, what: string): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#pending.set(id, resolve);
    const timer = setTimeout(() => reject(new Error(`the attacker did not answer: ${what}`)), replyTimeoutMs);
    void this.#process.exited.then(() =>
      reject(new Error(`the attacker ended: ${this.#process.stderrText()}`)),
    );
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#pending.delete(id);
    }
  }

  #ask(command: AttackCommand): Promise<unknown> {
    this.#lastId += 1;
    const request: AttackRequest = { id: this.#lastId, ...command };
    const reply = this.#reply(request.id, JSON.stringify(command));
    this.#process.child.stdin?.write(`${JSON.stringify(request)}\n`);
    return reply;
  }

  async captures(): Promise<Capture[]> {
    return (await this.#ask({ command: 'captures' })) as Capture[];
  }

  /** Waits until it has kept `packets` heartbeats of each host's present run. */
  async listen(packets: number, present: Readonly<Record<HostName, number>>): Promise<void> {
    await waitFor('the attacker has heard enough of both', async () => {
      const found = await this.captures();
      return (['primary', 'secondary'] as const).every((host) =>
        found.some(
          (capture) =>
            capture.host === host && capture.incarnation === present[host] && capture.packets >= packets,
        ),
      );
    });
  }

  /** Returns when the last packet is out, with how many there were. */
  async flood(kinds: readonly AttackKind[], total: number, packetsPerSecond: number): Promise<number> {
    return (await this.#ask({ command: 'flood', kinds, total, packetsPerSecond })) as number;
  }

  /** Sends all that it has heard of a host, in order, again and again until `rest`; returns how many packets. */
  async replay(host: HostName, packetsPerSecond: number): Promise<number> {
    return (await this.#ask({ command: 'replay', host, packetsPerSecond })) as number;
  }

  async rest(): Promise<void> {
    await this.#ask({ command: 'rest' });
  }

  async answers(): Promise<Answers> {
    return (await this.#ask({ command: 'answers' })) as Answers;
  }
}
