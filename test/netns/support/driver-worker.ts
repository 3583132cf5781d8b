// Runs inside a network namespace as a child of the tests: creates the drivers and does what it is told over IPC.

import { pino } from 'pino';
import type { AddressConfig, Readiness } from '../../../daemon/config/config.ts';
import { createAddressDriver } from '../../../daemon/drivers/address/address.ts';
import { createIpBatch, type IpBatch } from '../../../daemon/drivers/address/ip-batch.ts';
import { openNeighbours } from '../../../daemon/drivers/address/neighbours.ts';
import type { BasicAction, ResourceDriver } from '../../../daemon/drivers/driver.ts';
import { createNetworkMonitor, type NetworkMonitor } from '../../../daemon/drivers/network.ts';
import { createProbe, type Probe, type ProbeTarget } from '../../../daemon/drivers/probe/probe.ts';
import { createReadinessProbe } from '../../../daemon/drivers/readiness/readiness.ts';
import { tellTest } from './tell-test.ts';

export type Request =
  | { readonly kind: 'watch-network' }
  | { readonly kind: 'read-network' }
  | { readonly kind: 'create-address'; readonly config: AddressConfig; readonly announceRefreshMs: number }
  | { readonly kind: 'perform'; readonly action: BasicAction }
  | { readonly kind: 'observe' }
  | { readonly kind: 'commands'; readonly action: BasicAction }
  | { readonly kind: 'create-probe'; readonly target: ProbeTarget }
  | { readonly kind: 'set-pace'; readonly intervalMs: number | null }
  | { readonly kind: 'ask-readiness'; readonly readiness: Readiness }
  | { readonly kind: 'close' };

/** What the drivers report, in the order in which they do. */
export interface WorkerEvent {
  readonly event: 'network' | 'status' | 'conflict' | 'result' | 'log';
  // biome-ignore lint/suspicious/noExplicitAny: whatever the driver handed over, after JSON
  readonly value: any;
}

function send(message: WorkerEvent | { readonly reply: number; readonly value: unknown }): void {
  tellTest(message);
}

const logger = pino(
  { level: 'debug' },
  { write: (line: string) => send({ event: 'log', value: JSON.parse(line) }) },
);
let network: NetworkMonitor | undefined;
let address: ResourceDriver | undefined;
let batch: IpBatch | undefined;
let probe: Probe | undefined;

function watchNetwork(): NetworkMonitor {
  network ??= createNetworkMonitor({ logger, onChange: (value) => send({ event: 'network', value }) });
  return network;
}

async function handle(request: Request): Promise<unknown> {
  switch (request.kind) {
    case 'watch-network':
      watchNetwork();
      return undefined;
    case 'read-network':
      await watchNetwork().refresh();
      return watchNetwork().current();
    case 'create-address':
      batch ??= createIpBatch({ logger });
      address = createAddressDriver(request.config, {
        network: watchNetwork(),
        batch,
        neighbours: await openNeighbours(),
        logger,
        announceRefreshMs: request.announceRefreshMs,
        onStatus: (value) => send({ event: 'status', value }),
        onConflict: (value) => send({ event: 'conflict', value }),
      });
      return undefined;
    case 'perform':
      return await address?.perform(request.action, AbortSignal.timeout(30_000));
    case 'observe':
      return await address?.observe(AbortSignal.timeout(30_000));
    case 'commands':
      return address?.commands(request.action);
    case 'create-probe':
      probe = createProbe({
        target: request.target,
        logger,
        onResult: (value) => send({ event: 'result', value }),
      });
      return undefined;
    case 'set-pace':
      probe?.setPace(request.intervalMs);
      return undefined;
    case 'ask-readiness': {
      const asked = createReadinessProbe(request.readiness, { guest: 'mail', logger });
      return await asked.isReady(AbortSignal.timeout(30_000));
    }
    case 'close':
      await Promise.all([probe?.close(), address?.close()]);
      await Promise.all([network?.close(), batch?.close()]);
      return undefined;
    default: {
      const unknown: never = request;
      throw new Error(`unexpected ${JSON.stringify(unknown)}`);
    }
  }
}

process.on('message', ({ id, request }: { readonly id: number; readonly request: Request }) => {
  void handle(request).then((value) => send({ reply: id, value }));
});
process.on('disconnect', () => process.exit(0));
