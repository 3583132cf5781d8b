// Two hosts and a switch as network namespaces, for the tests of links. Each host has a cable for each interface
// name used, plugged into a bridge of its own in the switch. Everything is removed when the test ends; what a killed
// test run left behind is removed by the next.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import type { NodeEvent, Order } from './link-node.ts';
import { newPrefix, releaseNow, removeLeftovers } from './namespaces.ts';

const script = fileURLToPath(new URL('link-node.ts', import.meta.url));
const deadlineMs = 60_000;

export type Host = 'primary' | 'secondary';
const places = ['primary', 'secondary', 'switch'] as const;
type Place = (typeof places)[number];
type Report = Extract<NodeEvent, { kind: 'report' }>;

/** Runs `ip`; throws with its message when it fails. */
function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

export class Lab {
  readonly #prefix = newPrefix();
  readonly #nodes: LabNode[] = [];

  /** The caller registers `close` as its teardown at once. */
  create(): void {
    removeLeftovers();
    for (const name of places) {
      ip('netns', 'add', this.namespace(name));
      ip('-n', this.namespace(name), 'link', 'set', 'lo', 'up');
    }
  }

  namespace(name: Place): string {
    return `${this.#prefix}-${name}`;
  }

  /** `ip` inside a namespace. */
  ip(where: Place, ...args: string[]): string {
    return ip('-n', this.namespace(where), ...args);
  }

  /** A segment: a bridge in the switch, which has `address` on it. */
  addSegment(bridge: string, address: string): void {
    this.ip('switch', 'link', 'add', bridge, 'type', 'bridge', 'mcast_snooping', '0');
    this.ip('switch', 'address', 'add', address, 'dev', bridge);
    this.ip('switch', 'link', 'set', bridge, 'up');
  }

  /** A cable from the host's new interface to the segment. */
  plugIn(host: Host, device: string, bridge: string, address?: string): void {
    const port = portName(host, device);
    const peer = ['peer', 'name', port, 'netns', this.namespace('switch')];
    this.ip(host, 'link', 'add', device, 'type', 'veth', ...peer);
    this.ip('switch', 'link', 'set', port, 'master', bridge, 'up');
    if (address !== undefined) this.ip(host, 'address', 'add', address, 'dev', device);
    this.ip(host, 'link', 'set', device, 'up');
  }

  /** Pulls the cable, or plugs it in again: the host's interface loses its carrier. */
  setCable(host: Host, device: string, state: 'up' | 'down'): void {
    this.ip('switch', 'link', 'set', portName(host, device), state);
  }

  async startNode(where: Place): Promise<LabNode> {
    const node = new LabNode(this.namespace(where));
    this.#nodes.push(node);
    await node.until('is ready', (events) => events.some((event) => event.kind === 'ready'));
    return node;
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.kill()));
    releaseNow(
      places.map((name) => this.namespace(name)),
      [],
    );
  }
}

/** A process that runs links inside a namespace, and everything it has told so far. */
export class LabNode {
  readonly events: NodeEvent[] = [];
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #watchers = new Set<() => void>();
  #reports = 0;

  constructor(namespace: string) {
    this.#child = spawn('ip', ['netns', 'exec', namespace, process.execPath, script], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#exited = new Promise((resolve) => {
      this.#child.once('exit', () => resolve());
      this.#child.once('error', () => resolve());
    });
    this.#child.on('message', (event: NodeEvent) => {
      this.events.push(event);
      for (const watcher of this.#watchers) watcher();
    });
  }

  order(order: Order): void {
    this.#child.send(order);
  }

  /** Waits until what the node has told since `from` satisfies `condition`. */
  async until(
    what: string,
    condition: (events: readonly NodeEvent[]) => boolean,
    from: number = 0,
  ): Promise<void> {
    let watcher = () => {};
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        watcher = () => {
          if (condition(this.events.slice(from))) resolve();
        };
        this.#watchers.add(watcher);
        timer = setTimeout(() => {
          const latest = JSON.stringify(this.events.slice(-5));
          reject(new Error(`waited in vain until the node ${what}; its latest events: ${latest}`));
        }, deadlineMs);
        void this.#exited.then(() => reject(new Error(`the node ended before it ${what}`)));
        watcher();
      });
    } finally {
      clearTimeout(timer);
      this.#watchers.delete(watcher);
    }
  }

  /** Waits for one more status of a link, after the first `from` events, that is `up` or whose reason matches. */
  async untilStatus(linkIndex: number, expected: 'up' | RegExp, from: number = 0): Promise<void> {
    await this.until(
      `tells that link ${linkIndex} is ${expected}`,
      (events) =>
        events.some(
          (event) =>
            event.kind === 'status' &&
            event.linkIndex === linkIndex &&
            (event.status.kind === 'up'
              ? expected === 'up'
              : expected !== 'up' && expected.test(event.status.reason)),
        ),
      from,
    );
  }

  /** Waits for packets on each of these links, after the first `from` events. */
  async untilPackets(linkIndexes: readonly number[], from: number = 0): Promise<void> {
    await this.until(
      `receives on links ${linkIndexes}`,
      (events) =>
        linkIndexes.every((linkIndex) =>
          events.some((event) => event.kind === 'packet' && event.linkIndex === linkIndex),
        ),
      from,
    );
  }

  async report(): Promise<Report> {
    const id = ++this.#reports;
    this.order({ kind: 'report', id });
    const find = () => this.events.find((event) => event.kind === 'report' && event.id === id);
    await this.until('reports', () => find() !== undefined);
    return find() as Report;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}

/** Creates a lab for one test and removes it afterwards, whatever happened. */
export function labFor(t: ExecutionContext): Lab {
  t.timeout(5 * deadlineMs);
  const lab = new Lab();
  t.teardown(() => lab.close());
  lab.create();
  return lab;
}

function portName(host: Host, device: string): string {
  return `${host.slice(0, 3)}-${device}`;
}
