// The entrance to test networks: two hosts, a client, a LAN and a dedicated segment, in network namespaces.
// Guarantees: whatever a network made is released when it is closed, when its test ends, when the process ends
// or is told to end; and what a killed process left is removed by the next one. Several may exist at once.

import { removeLeftovers } from './namespaces.ts';
import { type NetworkOptions, TestNetwork } from './network.ts';

export type { AddressWatch, Holding, Overlap } from './address-watch.ts';
export type { NetworkOptions, TestNetwork } from './network.ts';

const openNetworks = new Set<TestNetwork>();

function releaseAllNow(): void {
  for (const network of openNetworks) network.releaseNow();
}

function releaseAtProcessEnd(): void {
  process.on('exit', releaseAllNow);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      releaseAllNow();
      if (process.listenerCount(signal) === 1) process.exit(signal === 'SIGINT' ? 130 : 143);
    });
  }
}
let releasesAtProcessEnd = false;

/** Builds a network, with both hosts powered on and nothing running. Needs root. */
export async function createNetwork(options: NetworkOptions = {}): Promise<TestNetwork> {
  if (process.getuid?.() !== 0) throw new Error('network namespaces need root: run the test as root');
  if (!releasesAtProcessEnd) releaseAtProcessEnd();
  releasesAtProcessEnd = true;
  removeLeftovers();
  const network = new TestNetwork(options, (closed) => openNetworks.delete(closed));
  openNetworks.add(network);
  try {
    await network.build();
  } catch (error) {
    await network.close();
    throw error;
  }
  return network;
}

/** A network for one ava test, closed when the test ends, however it ends. */
export async function useNetwork(
  t: { teardown(fn: () => Promise<void>): void },
  options: NetworkOptions = {},
): Promise<TestNetwork> {
  const network = await createNetwork(options);
  t.teardown(() => network.close());
  return network;
}
