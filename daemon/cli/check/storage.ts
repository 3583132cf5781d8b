// What would make a takeover fail in storage: DRBD's tools, its module, each resource's settings and state, and what is
// mounted on them. It asks DRBD's own tools what they say, and changes nothing: nothing is brought up, loaded or mounted.

import { existsSync } from 'node:fs';
import type { Config, FilesystemConfig, GroupConfig } from '../../config/config.ts';
import { isWithin } from '../../config/paths.ts';
import { checkBelonging, type DeviceUse, identityOf, resourceOf } from '../../drivers/drbd/belonging.ts';
import { readDump } from '../../drivers/drbd/dump.ts';
import { checkEndpoints, type HostFacts } from '../../drivers/drbd/endpoints.ts';
import { nextForData, stateText } from '../../drivers/drbd/failure.ts';
import {
  checkDrbdDevice,
  checkDrbdModule,
  checkMirrored,
  drbdGeneration,
} from '../../drivers/drbd/kernel.ts';
import { type DrbdDevice, type OptionsReading, readDrbdOptions } from '../../drivers/drbd/options.ts';
import { checkDrbdOptions } from '../../drivers/drbd/options-check.ts';
import type { Trouble } from '../../drivers/drbd/types.ts';
import { noVerifyAlg } from '../../drivers/drbd/verify.ts';
import { notReadYet, viewOf } from '../../drivers/drbd/view.ts';
import { filesystemProblems, type ProblemOptions } from '../../drivers/filesystem/problems.ts';
import { type Finding, type Reporter, reporter } from './finding.ts';
import { mountedPlaces } from './guests.ts';
import { type Machine, membersOf } from './machine.ts';

export interface StorageSight extends ProblemOptions {
  /** For tests; /proc/drbd when left out. */
  readonly procFile?: string;
}

/** All that DRBD's tools may take; one that hangs in the kernel is told of, not waited for. */
const patienceMs = 20_000;

/** What the look at the resources has shown. */
interface Mirrors {
  readonly devices: Map<string, readonly DrbdDevice[]>;
  /** Those with a problem that is told already. */
  readonly troubled: Set<string>;
}

type Read = Extract<OptionsReading, { readonly kind: 'read' }>;

export async function checkStorage(
  config: Config,
  node: string,
  machine: Machine,
  sight: StorageSight = {},
): Promise<readonly Finding[]> {
  const signal = AbortSignal.timeout(patienceMs);
  const mirrors: Mirrors = { devices: new Map(), troubled: new Set() };
  return [
    ...(await checkDrbd(config, node, machine, signal, mirrors, sight.procFile)),
    ...(await checkFilesystems(config, mirrors, signal, sight)),
    ...(await checkGuestDisks(config, mirrors, signal)),
  ];
}

async function checkDrbd(
  config: Config,
  node: string,
  machine: Machine,
  signal: AbortSignal,
  mirrors: Mirrors,
  procFile: string | undefined,
): Promise<readonly Finding[]> {
  const report = reporter('DRBD');
  const names = config.groups.flatMap(({ drbd }) => drbd);
  if (names.length === 0) return report.findings;
  const missing = await checkDrbdModule(signal, procFile);
  if (missing !== null) report.problem(missing.code, missing.what, missing.next);
  const members = membersOf(config, node);
  const facts = members && {
    self: members.self.name,
    peer: members.peer.name,
    addresses: machine.addresses,
  };
  const generation = await drbdGeneration(signal, procFile);
  const state = await readDump(signal);
  for (const name of names) {
    const reading = await readDrbdOptions(name, signal, procFile);
    if (reading.kind === 'failed') {
      mirrors.troubled.add(name);
      // Without a module the tools take the files for another generation's; that it is missing is said already.
      if (missing !== null && reading.trouble.code === 'drbd-not-readable') continue;
      report.problem(reading.trouble.code, reading.trouble.what, reading.trouble.next);
      // Without the tools nothing more can be asked, of any resource.
      if (reading.trouble.code === 'drbd-utils-missing') {
        for (const other of names) mirrors.troubled.add(other);
        break;
      }
      continue;
    }
    mirrors.devices.set(name, reading.devices);
    const before = report.findings.length;
    const context = { deadtimeMs: config.heartbeat.deadtimeMs, generation };
    checkSettings(report, name, reading, facts, context, config.schedule);
    checkHandler(report, name, reading, machine);
    const isWhole =
      missing === null && (await checkState(report, name, reading, state, members?.peer.name ?? 'the peer'));
    if (missing !== null || report.findings.slice(before).some(({ level }) => level === 'problem')) {
      mirrors.troubled.add(name);
    }
    if (isWhole && report.findings.length === before) {
      report.ok([`${name}: up to date and connected`, ...reading.devices.map(({ path }) => path)].join(', '));
    }
  }
  return report.findings;
}

function checkSettings(
  report: Reporter,
  name: string,
  reading: Read,
  facts: HostFacts | undefined,
  context: Parameters<typeof checkDrbdOptions>[2],
  { verify }: Config['schedule'],
): void {
  const ends = facts === undefined ? [] : checkEndpoints(name, reading.endpoints, facts);
  for (const { level, code, what, why, next } of [...ends, ...checkDrbdOptions(name, reading, context)]) {
    report[level](code, `${what}: ${why}`, next);
  }
  if ((reading.live ?? reading.configured).verifyAlg !== null || verify === null) return;
  const { code, what, next } = noVerifyAlg(name);
  report.warning(code, what, next);
}

/** A handler that is not there leaves IO frozen, and nobody learns it before a host has died. */
function checkHandler(report: Reporter, name: string, { configured }: Read, { hasProgram }: Machine): void {
  const program = configured.fencePeer?.split(/\s+/)[0];
  if (program === undefined || hasProgram(program)) return;
  report.problem(
    'drbd-handler-missing',
    `${name}: its fence-peer handler ${program} is not there: IO would stay frozen when the peer is lost`,
    `ls -l ${program}   # the package installs /usr/bin/battito; or correct the handler in /etc/drbd.d/${name}.res`,
  );
}

/** @returns whether it is up, up to date and connected, so that there is nothing to say */
async function checkState(
  report: Reporter,
  name: string,
  { devices, endpoints }: Read,
  state: Awaited<ReturnType<typeof readDump>>,
  peer: string,
): Promise<boolean> {
  const view =
    'code' in state ? viewOf(null, state, name, undefined) : viewOf(state, notReadYet, name, undefined);
  if (view.trouble !== null) {
    sayTrouble(report, name, view.trouble);
    return false;
  }
  for (const { path } of devices) {
    const trouble = await checkDrbdDevice(path);
    if (trouble !== null) report.problem(trouble.code, `${name}: ${trouble.what}`, trouble.next);
  }
  const { connection, disk } = view.storage;
  if (connection !== 'connected') {
    const there = endpoints.find(({ host }) => host === peer)?.address;
    const isAlone = connection === 'standalone';
    report.obstacle(
      isAlone ? 'storage-standalone' : 'unmirrored',
      isAlone
        ? `${name} stands alone: its two copies have parted, or it was disconnected by hand`
        : `${name} is not connected to ${peer}${there === undefined ? '' : ` at ${there}`} (${connection}): nothing is mirrored`,
      isAlone
        ? `battito drbd resolve ${name}`
        : `on ${peer}: drbdadm up ${name}   # it is up there? then: ping -c 1 ${there ?? peer}, and compare the addresses in /etc/drbd.d/${name}.res on both`,
    );
  }
  if (disk !== 'up-to-date') {
    const level = view.storage.resync === null ? 'problem' : 'obstacle';
    report[level](
      'copy-not-up-to-date',
      `${name} could not be taken over here now: ${stateText(view, null)}`,
      nextForData(name, view, null),
    );
  }
  return connection === 'connected' && disk === 'up-to-date';
}

function sayTrouble(report: Reporter, name: string, { code, what, next }: Trouble): void {
  if (code === 'drbd-resource-not-up' || code === 'drbd-module-not-loaded') {
    const message = `${name} is not up on this node; the daemon brings it up when it starts`;
    report.warning('drbd-resource-not-up', message, `drbdadm up ${name}`);
  } else {
    report.problem(code, `${name}: ${what}`, next);
  }
}

async function checkFilesystems(
  config: Config,
  mirrors: Mirrors,
  signal: AbortSignal,
  sight: ProblemOptions,
): Promise<readonly Finding[]> {
  const report = reporter('file systems');
  const isMounted = mountedPlaces(sight.mountinfo);
  for (const group of config.groups) {
    for (const filesystem of group.filesystems) {
      const { device, mount } = filesystem;
      const before = report.findings.length;
      // A directory made before what it lies in is mounted would be hidden by that.
      const above = group.filesystems.findLast((other) => isWithin(mount, other.mount));
      for (const { code, message, next } of await filesystemProblems(filesystem, sight)) {
        if (code !== 'mount-point-missing' || above === undefined)
          report.problem('filesystem-unusable', message, next);
        else if (isMounted(above.mount))
          report.problem(
            'filesystem-unusable',
            message,
            `mkdir ${mount}   # here, where ${above.mount} is mounted`,
          );
        else {
          report.info(
            `${message} here, and is to be in the file system of ${above.mount}, under which it lies`,
          );
        }
      }
      const foreign = await checkBelonging(useOf(config, group, device), mirrors.devices, signal);
      if (foreign !== null)
        report.problem(foreign.code, `${foreign.what} (to be mounted at ${mount})`, foreign.next);
      else await checkDevice(report, group, filesystem, mirrors);
      if (report.findings.length === before && existsSync(device)) report.ok(`${device} at ${mount}`);
    }
  }
  return report.findings;
}

function useOf({ groups }: Config, { name, drbd }: GroupConfig, path: string): DeviceUse {
  const groupOf = (resource: string) => groups.find((group) => group.drbd.includes(resource))?.name;
  return { path, group: name, resources: drbd, groupOf };
}

/** A guest may stand on a device without a file system between; two names of one device only the host can tell. */
async function checkGuestDisks(
  config: Config,
  mirrors: Mirrors,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const report = reporter('guests');
  const taken = new Map<string | null, string>();
  for (const { device, mount } of config.groups.flatMap(({ filesystems }) => filesystems)) {
    taken.set(await identityOf(device, mirrors.devices), `${device}, which is mounted at ${mount}`);
  }
  for (const group of config.groups) {
    for (const { name, disk } of group.guests.filter((guest) => guest.driver === 'qemu')) {
      const identity = await identityOf(disk.file, mirrors.devices);
      const other = identity === null ? undefined : taken.get(identity);
      if (other !== undefined) {
        report.problem(
          'disk-shared',
          `${name}: its disk ${disk.file} is the same device as ${other}: one would destroy what the other has written`,
          `give ${name} a disk of its own in group ${group.name}`,
        );
      }
      taken.set(identity, `${disk.file}, the disk of ${name}`);
      const foreign = await checkBelonging(useOf(config, group, disk.file), mirrors.devices, signal);
      if (foreign !== null) report.problem(foreign.code, `${name}: ${foreign.what}`, foreign.next);
      else if (identity !== null && (await checkMirrored(disk.file, group.drbd)) !== null) {
        const resources = group.drbd.join(', ');
        report.warning(
          'disk-not-mirrored',
          `${name}: its disk ${disk.file} is not a device of DRBD, though its group has ${resources}: what it writes there is not mirrored`,
          `drbdadm sh-dev ${group.drbd[0]}   # shows the device; leave it if both nodes see the same ${disk.file}`,
        );
      }
    }
  }
  return report.findings;
}

/**
 * Of a group with DRBD, what is mounted should lie on it: mounting the disk under a resource goes past the mirror. A
 * device that is not there may be one of a resource that is not up yet, or that has a problem which is told already.
 */
async function checkDevice(
  report: Reporter,
  { name, drbd }: GroupConfig,
  { device, mount }: FilesystemConfig,
  { devices, troubled }: Mirrors,
): Promise<void> {
  const past = await checkMirrored(device, drbd);
  if (past !== null) {
    report.problem(past.code, past.what, past.next);
    return;
  }
  if (existsSync(device)) return;
  const looksLikeDrbd = /^\/dev\/drbd(\d|[/_])/.test(device);
  if (drbd.length > 0 && looksLikeDrbd) {
    const owner = await resourceOf(device, drbd, devices);
    const owners = owner === undefined ? drbd : [owner];
    if (owners.some((resource) => troubled.has(resource))) return;
    report.warning(
      'device-missing',
      `${device}, to be mounted at ${mount}, is not there as long as ${owners.join(', ')} ${owners.length === 1 ? 'is' : 'are'} not up`,
      `drbdadm up ${owners.join(' ')} && ls -l ${device}   # or correct \`device\` under filesystems`,
    );
  } else {
    report.problem(
      'device-missing',
      `there is no device ${device}, to be mounted at ${mount}`,
      `lsblk -p   # shows the devices there are; correct \`device\` under filesystems of ${name}`,
    );
  }
}
