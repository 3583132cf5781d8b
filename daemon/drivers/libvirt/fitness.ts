// Whether this host could take in a domain that runs on the other node, as far as can be told before anything moves: its
// machine type and emulator, its processor, its networks and bridges. Looks only.
// Guarantees: what libvirt does not tell is no reason against it; libvirt itself looks again when it moves one.

import {
  compareHostProcessor,
  compareProcessor,
  listOf,
  readCapabilities,
  readHostProcessor,
} from './capabilities.ts';
import type { Libvirt } from './connection.ts';
import { type DomainDefinition, parseDomain } from './domain.ts';

type Exists = (path: string) => boolean;

/** What the other host is told of a domain that runs here. */
export interface Wanted {
  /** As `virsh dumpxml --migratable` has it, with the processor that it was started with. */
  readonly xml: string;
  /** Of its host, where it was given that as it is; null: it has one of its own, or it is not told. */
  readonly processor: string | null;
}

/** @throws BattitoError when the definition cannot be read */
export async function wantedOf(libvirt: Libvirt, xml: string, signal: AbortSignal): Promise<Wanted> {
  const { type, cpu } = parseDomain(xml);
  const isHosts = type === 'kvm' && cpu.mode === 'host-passthrough';
  return { xml, processor: isHosts ? await readHostProcessor(libvirt, signal) : null };
}

/** Null: nothing is against it. */
export async function whyUnfit(
  libvirt: Libvirt,
  { xml, processor }: Wanted,
  exists: Exists,
  signal: AbortSignal,
): Promise<string | null> {
  const definition = parseDomain(xml);
  const reasons = [
    ...wantedInterfaces(definition, exists),
    ...(await wantedNetworks(libvirt, definition, signal)),
    ...(await wantedMachine(libvirt, definition, xml, signal)),
    ...(await wantedProcessor(libvirt, processor, signal)),
  ];
  return reasons.length === 0 ? null : reasons.join('; ');
}

export const isBridge = (name: string, exists: Exists): boolean => {
  const place = `/sys/class/net/${name}`;
  // One of Open vSwitch has no directory of its own.
  return exists(`${place}/bridge`) || (exists(place) && exists('/sys/class/net/ovs-system'));
};

function wantedInterfaces({ interfaces }: DomainDefinition, exists: Exists): readonly string[] {
  const reasons = interfaces.flatMap(({ type, source }) => {
    if (source === null) return [];
    if (type === 'bridge' && !isBridge(source, exists)) return [`no bridge ${source}`];
    return type === 'direct' && !exists(`/sys/class/net/${source}`) ? [`no interface ${source}`] : [];
  });
  return [...new Set(reasons)];
}

async function wantedNetworks(
  libvirt: Libvirt,
  { interfaces }: DomainDefinition,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const names = interfaces.flatMap(({ type, source }) =>
    type === 'network' && source !== null ? [source] : [],
  );
  if (names.length === 0) return [];
  const here = await listOf(libvirt, 'net', signal);
  if (here.kind === 'failed') return [];
  return [...new Set(names)].flatMap((name) => {
    const found = here.all.find((one) => one.name === name);
    if (found === undefined) return [`no network ${name}`];
    return found.active ? [] : [`the network ${name} is not active`];
  });
}

async function wantedMachine(
  libvirt: Libvirt,
  definition: DomainDefinition,
  xml: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const answer = await readCapabilities(libvirt, definition, signal);
  if (answer.kind === 'unsupported') return [answer.message];
  const fit = await compareProcessor(libvirt, definition, xml, signal);
  return fit === 'lacks'
    ? [`its processor is no ${definition.cpu.model} with all that the guest was given`]
    : [];
}

async function wantedProcessor(
  libvirt: Libvirt,
  processor: string | null,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (processor === null || (await compareHostProcessor(libvirt, processor, signal)) !== 'lacks') return [];
  return ["its processor cannot all that the other host's can, which the guest was given (host-passthrough)"];
}
