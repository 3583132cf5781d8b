// What this host's libvirt can give a domain: machine types, processor models, networks, pools. Looks only.
// Guarantees: what libvirt does not tell is `unknown`, never a fault of the host.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runCommand } from '../command.ts';
import { attribute, child, childrenOf, descend, parseXml, textOf } from '../xml.ts';
import type { Libvirt } from './connection.ts';
import type { DomainDefinition } from './domain.ts';
import { virshArgv } from './virsh.ts';

/** Of `virsh domcapabilities`, for one emulator and machine type (formatdomaincaps.html). */
export interface DomainCapabilities {
  /** Processor models that a definition may name; null: it is not known whether this host has what they need. */
  readonly models: ReadonlyMap<string, boolean | null>;
  /** What `<os firmware='...'>` can choose by itself, e.g. `efi`; null: not told. */
  readonly firmware: readonly string[] | null;
}

/** Why a definition cannot be started here, in libvirt's words. */
export type CapabilitiesAnswer =
  | { readonly kind: 'supported'; readonly capabilities: DomainCapabilities }
  | { readonly kind: 'unsupported'; readonly what: 'machine' | 'emulator' | 'type'; readonly message: string }
  | { readonly kind: 'unknown'; readonly message: string };

/** A network or a storage pool. */
export interface Listed {
  readonly name: string;
  readonly active: boolean;
  readonly autostart: boolean;
}

export type Listings = { readonly kind: 'done'; readonly all: readonly Listed[] } | Unlisted;
interface Unlisted {
  readonly kind: 'failed';
  readonly message: string;
}

const timeoutMs = 10_000;
/** The first time libvirt asks every emulator that there is. */
const emulatorsMs = 60_000;

/** Those that a definition does not name are libvirt's own choice. */
function machineOptions({ type, arch, machine, emulator }: DomainDefinition): readonly string[] {
  return [
    ...['--virttype', type, '--arch', arch],
    ...(emulator === null ? [] : ['--emulatorbin', emulator]),
    ...(machine === null ? [] : ['--machine', machine]),
  ];
}

export async function readCapabilities(
  libvirt: Libvirt,
  definition: DomainDefinition,
  signal: AbortSignal,
): Promise<CapabilitiesAnswer> {
  const answer = await libvirt.run(['domcapabilities', ...machineOptions(definition)], { timeoutMs, signal });
  if (answer.kind === 'done') return parseCapabilities(answer.stdout);
  const { code, message } = answer;
  // libvirt says first that it failed to get them, and then why.
  const why = message.replace(/^failed to get emulator capabilities; /, '').replace(/^[\w ]+: (?=\S)/, '');
  if (code === 'libvirt-refused') {
    if (/the machine '.*' is not supported/.test(message))
      return { kind: 'unsupported', what: 'machine', message: why };
    if (/does not support virt type|KVM is not supported/.test(message))
      return { kind: 'unsupported', what: 'type', message: why };
    if (/Cannot check QEMU binary|unable to find any emulator/.test(message))
      return { kind: 'unsupported', what: 'emulator', message: why };
  }
  return { kind: 'unknown', message };
}

/** Never throws: what is no such document is unknown. */
export function parseCapabilities(text: string): CapabilitiesAnswer {
  try {
    const root = parseXml(text, 'virsh domcapabilities');
    const custom = childrenOf(child(root, 'cpu'), 'mode').find(
      (mode) => attribute(mode, 'name') === 'custom',
    );
    const usable = (word: string | undefined) => (word === 'yes' ? true : word === 'no' ? false : null);
    const firmware = childrenOf(child(root, 'os'), 'enum').find(
      (one) => attribute(one, 'name') === 'firmware',
    );
    const models = childrenOf(custom, 'model').flatMap((model): [string, boolean | null][] => {
      const name = textOf(model);
      return name === undefined ? [] : [[name, usable(attribute(model, 'usable'))]];
    });
    return {
      kind: 'supported',
      capabilities: {
        models: new Map(models),
        firmware:
          firmware === undefined
            ? null
            : childrenOf(firmware, 'value').flatMap((value) => textOf(value) ?? []),
      },
    };
  } catch (error) {
    return { kind: 'unknown', message: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * Whether this host has the processor that a definition names, features and all. `fits` also for one that is not
 * compared before a start (`check='none'`), or that is whatever the host has.
 */
export async function compareProcessor(
  libvirt: Libvirt,
  definition: DomainDefinition,
  xml: string,
  signal: AbortSignal,
): Promise<'fits' | 'lacks' | 'unknown'> {
  const cpu = descend(parseXml(xml, definition.name), 'cpu');
  const isNamed = (definition.cpu.mode ?? 'custom') === 'custom' && definition.cpu.model !== null;
  if (!isNamed || attribute(cpu, 'check') === 'none') return 'fits';
  // Nothing but this, since a definition has passwords.
  const element = cpuElement.exec(xml)?.[0];
  if (element === undefined) return 'unknown';
  const call = { options: machineOptions(definition), signal };
  return await compare(libvirt, 'hypervisor-cpu-compare', element, call);
}

const cpuElement = /<cpu\b[\s\S]*?<\/cpu>/;

/** This host's own processor, as `virsh capabilities` has it; null: it is not told. */
export async function readHostProcessor(libvirt: Libvirt, signal: AbortSignal): Promise<string | null> {
  const answer = await libvirt.run(['capabilities'], { timeoutMs: emulatorsMs, signal });
  return answer.kind === 'failed' ? null : (cpuElement.exec(answer.stdout)?.[0] ?? null);
}

/** Whether this host's processor can all that another host's can. `processor`: as {@link readHostProcessor} has it there. */
export async function compareHostProcessor(
  libvirt: Libvirt,
  processor: string,
  signal: AbortSignal,
): Promise<'fits' | 'lacks' | 'unknown'> {
  return await compare(libvirt, 'cpu-compare', processor, { options: [], signal });
}

async function compare(
  libvirt: Libvirt,
  command: 'cpu-compare' | 'hypervisor-cpu-compare',
  element: string,
  { options, signal }: { readonly options: readonly string[]; readonly signal: AbortSignal },
): Promise<'fits' | 'lacks' | 'unknown'> {
  const directory = await mkdtemp(path.join(tmpdir(), 'battito-cpu-'));
  try {
    const file = path.join(directory, 'cpu.xml');
    await writeFile(file, element);
    const argv = virshArgv(libvirt.uri, [command, file, ...options]);
    const { exitCode, stdout } = await runCommand(argv, { timeoutMs, signal, env: { LC_ALL: 'C' } });
    if (exitCode === 0) return 'fits';
    return /is incompatible with (the|host) CPU/.test(stdout) ? 'lacks' : 'unknown';
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** `net` or `pool`, as the commands of virsh begin. */
export async function listOf(libvirt: Libvirt, kind: 'net' | 'pool', signal: AbortSignal): Promise<Listings> {
  const names = async (...options: readonly string[]) => {
    const answer = await libvirt.run([`${kind}-list`, '--name', ...options], { timeoutMs, signal });
    if (answer.kind === 'failed') throw new Error(answer.message);
    return answer.stdout.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]));
  };
  try {
    const [all, active, autostart] = [
      await names('--all'),
      await names(),
      await names('--all', '--autostart'),
    ];
    return {
      kind: 'done',
      all: all.map((name) => ({
        name,
        active: active.includes(name),
        autostart: autostart.includes(name),
      })),
    };
  } catch (error) {
    return { kind: 'failed', message: error instanceof Error ? error.message : String(error) };
  }
}

export interface Pool {
  /** `dir`, `fs`, `logical`, ... */
  readonly type: string;
  /** Where its volumes lie. */
  readonly target: string;
}

/** Null: it is not known, or it has no place on this host. */
export async function readPool(libvirt: Libvirt, pool: string, signal: AbortSignal): Promise<Pool | null> {
  const answer = await libvirt.run(['pool-dumpxml', `--pool=${pool}`], { timeoutMs, signal });
  if (answer.kind === 'failed') return null;
  try {
    const root = parseXml(answer.stdout, pool);
    const target = textOf(descend(root, 'target', 'path'));
    return target === undefined ? null : { type: attribute(root, 'type') ?? 'unknown', target };
  } catch {
    return null;
  }
}
