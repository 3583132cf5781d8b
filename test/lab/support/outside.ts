// Programs at the gateway, outside of both nodes: a folder of their own in the lab's, an end with the test.

import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { type HostProcess, spawnIn } from '../../netns/support/processes.ts';
import { waitFor } from '../../support.ts';
import type { Lab } from './lab.ts';
import { outsiderAddresses } from './plan.ts';

/** For what a program keeps; removed after the test. */
export function outsideFolder(t: ExecutionContext, { places }: Lab, name: string): string {
  const folder = mkdtempSync(join(places.folder, `${name}-`));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export const spawnAtGateway = ({ places }: Lab, argv: readonly string[], logFile: string): HostProcess =>
  spawnIn(places.namespaceOf.gateway, argv, { logFile });

const client = `http://${outsiderAddresses.gateway}:2379`;

/** One member of etcd. */
export class LabWitness {
  readonly endpoint = client;
  readonly #lab: Lab;
  readonly #folder: string;
  #etcd: HostProcess | null = null;

  private constructor(lab: Lab, folder: string) {
    this.#lab = lab;
    this.#folder = folder;
  }

  /** Returns when it answers. */
  static async begin(t: ExecutionContext, lab: Lab): Promise<LabWitness> {
    const witness = new LabWitness(lab, outsideFolder(t, lab, 'etcd'));
    t.teardown(() => witness.stop());
    await witness.start();
    return witness;
  }

  /** With the data that it had. */
  async start(): Promise<void> {
    const urls = ['--listen-client-urls', client, '--advertise-client-urls', client];
    const argv = ['etcd', '--data-dir', join(this.#folder, 'data'), ...urls];
    this.#etcd = spawnAtGateway(this.#lab, argv, join(this.#folder, 'log'));
    await waitFor('etcd answers', async () => (await this.#ctl('endpoint', 'health')).exitCode === 0);
  }

  async stop(): Promise<void> {
    await this.#etcd?.stop();
  }

  /** Who has the lease; empty: nobody. */
  async holder(): Promise<string> {
    return (await this.#ctl('get', '/battito/office/holder', '--print-value-only')).stdout.trim();
  }

  #ctl(...words: readonly string[]) {
    const argv = ['env', 'ETCDCTL_API=3', 'etcdctl', `--endpoints=${client}`, ...words];
    return this.#lab.outside('gateway', argv);
  }
}
