// From the configuration to the steps of a runbook: for each resource a look that says whether it is done, and the lines
// that do it, which are those of the drivers.

import { dirname, join } from 'node:path';
import type { AddressConfig, FilesystemConfig, GroupConfig, GuestConfig } from '../config/config.ts';
import { isWithin } from '../config/paths.ts';
import { addressCommands } from '../drivers/address/address.ts';
import { arpingDuplicates } from '../drivers/arping.ts';
import { mountArgv } from '../drivers/filesystem/start.ts';
import { unmountArgv } from '../drivers/filesystem/stop.ts';
import * as libvirt from '../drivers/libvirt/shell.ts';
import { pingOnce } from '../drivers/ping.ts';
import { guestPaths } from '../drivers/qemu/command.ts';
import * as qemu from '../drivers/qemu/shell.ts';
import { guestUnit } from '../drivers/qemu/unit.ts';
import { waitingLines } from '../drivers/readiness/readiness.ts';
import { shellLine, shellQuote } from '../drivers/shell.ts';
import type { RunbookSource } from './runbook.ts';

/** A call of a shell function. */
export const call = (name: string, ...words: readonly string[]) => [name, ...words.map(shellQuote)].join(' ');

/** In a comment a text must not begin a new line. */
export const comment = (text: string) => `# ${text.replaceAll(/\p{Cc}/gu, ' ')}`;

const addressText = ({ address, prefix }: AddressConfig) => `${address}/${prefix}`;

/** On the interface, and answering: not one that another host had first. */
const hasAddress = (config: AddressConfig) =>
  `${shellLine(['ip', '-o', 'address', 'show', 'dev', config.interface])} | ${shellLine(['grep', '-F', ` ${addressText(config)} `])} | grep -qv dadfailed`;

/** Ends with 0 when another host answers for the address. */
function isElsewhere(config: AddressConfig): string {
  if (config.family === 6) return shellLine(pingOnce(config.address, 2));
  // Its exit code says so too of an announcement, which may be on its way from a daemon that was ended a moment ago.
  return `${shellLine(arpingDuplicates(config.address, config.interface))} | grep -q '^Unicast reply from '`;
}

/** Shows who that is. */
const whoElse = ({ family, address, interface: networkInterface }: AddressConfig) =>
  shellLine(
    family === 6 ? ['ip', 'neighbour', 'show', address] : arpingDuplicates(address, networkInterface),
  );

export function addressUp(config: AddressConfig): readonly string[] {
  const [add = '', ...announce] = addressCommands(config, 'start');
  const text = addressText(config);
  const held = hasAddress(config);
  return [
    call('must_be_free', text, held, isElsewhere(config), whoElse(config)),
    `${call('step', `address ${text} on ${config.interface}`, held, add)} ||`,
    `  ${call('stop', `${text} is not on ${config.interface}`, `ip address show dev ${config.interface}`)}`,
    // Also where it was there before: a switch may have forgotten.
    `say ${shellQuote(`   telling the neighbours where ${text} is`)}`,
    ...announce.map((line) => `${call('run', line)} || problem '   they will find out by themselves, later'`),
  ];
}

export function addressDown(config: AddressConfig): readonly string[] {
  const text = addressText(config);
  return [
    `${call('step', `address ${text} away from ${config.interface}`, `! { ${hasAddress(config)}; }`, ...addressCommands(config, 'stop'))} ||`,
    `  ${call('stop', `${text} is still on ${config.interface}`, `ip address show dev ${config.interface}`)}`,
  ];
}

const isMounted = ({ device, mount }: FilesystemConfig) =>
  shellLine(['findmnt', '--source', device, '--mountpoint', mount]);

/** One under another comes after it. */
export function inMountOrder(filesystems: readonly FilesystemConfig[]): readonly FilesystemConfig[] {
  const depth = ({ mount }: FilesystemConfig) =>
    filesystems.filter((other) => isWithin(mount, other.mount)).length;
  return filesystems.toSorted((one, other) => depth(one) - depth(other));
}

/** Not checked before: the journal is replayed by the mount, and a check of a large one takes longer than the night. */
export function filesystemUp(config: FilesystemConfig): readonly string[] {
  const { device, mount, type } = config;
  const lines = [
    shellLine(['mkdir', '-p', mount]),
    `! ${shellLine(['findmnt', '--mountpoint', mount])}`,
    shellLine(mountArgv(config)),
  ];
  return [
    `${call('step', `${device} mounted at ${mount}`, isMounted(config), ...lines)} ||`,
    `  ${call('stop', `${mount} is not mounted`, `dmesg | tail; is another thing mounted there? if ${type} on it is unsound: fsck.${type} -f ${shellQuote(device)}`)}`,
  ];
}

export function filesystemDown(config: FilesystemConfig): readonly string[] {
  const { mount } = config;
  return [
    `if ! ${call('step', `${mount} unmounted`, `! ${isMounted(config)}`, shellLine(unmountArgv(mount)))}; then`,
    `  ${call('run', shellLine(['fuser', '-vm', mount]))} || true`,
    `  ${call('stop', `${mount} is in use`, 'end what fuser shows')}`,
    'fi',
  ];
}

/** Those with a higher priority first, each after the ones that it names. */
export function inStartOrder(guests: readonly GuestConfig[]): readonly GuestConfig[] {
  const left = guests.toSorted((one, other) => other.priority - one.priority);
  const order: GuestConfig[] = [];
  while (left.length > 0) {
    const isFree = ({ after }: GuestConfig) => !left.some(({ name }) => after.includes(name));
    // The configuration has no circles; of definitions that come later nobody knows.
    order.push(...left.splice(Math.max(0, left.findIndex(isFree)), 1));
  }
  return order;
}

interface GuestShell {
  readonly isUp: string;
  readonly isDown: string;
  /** Up, but it does not run, which a start does not mend; null: a start says so. */
  readonly isHalted: string | null;
  /** Makes the definition known. */
  readonly prepare: readonly string[];
  readonly start: readonly string[];
  /** Run also where it was up before: an earlier run may have failed there. */
  readonly join: readonly string[];
  readonly stop: readonly string[];
  readonly agent: string | undefined;
  readonly look: string;
}

function shellOf(guest: GuestConfig, group: GroupConfig, source: RunbookSource): GuestShell {
  if (guest.driver === 'qemu') {
    const paths = guestPaths(source.runDir, guest.name);
    const unit = source.units ? guestUnit(guest.name, paths) : null;
    const shell = { config: guest, paths, unit };
    return {
      isUp: qemu.isThereCommand(shell),
      isDown: `! ${qemu.isThereCommand(shell)}`,
      isHalted: qemu.isHaltedCommand(shell),
      prepare: [],
      start: qemu.bootCommands(shell),
      join: qemu.tapLines(guest, paths),
      stop: qemu.describeCommands(shell, 'stop'),
      agent: undefined,
      look: 'its disk, its bridge, and what QEMU said above',
    };
  }
  const { uri } = source.config.libvirt;
  const virsh = (...words: readonly string[]) => shellLine(['virsh', '-c', uri, ...words]);
  const [filesystem] = group.filesystems;
  // Never from a memory that was saved here: it boots as after a power cut.
  const domain = { config: guest, saveDirectory: null, passage: null, libvirt: { uri } };
  const state = `"$(${virsh('domstate', guest.name)})"`;
  const dump = virsh('dumpxml', '--inactive', '--security-info', guest.name);
  const stored = shellQuote(join(source.stateDir, 'definitions', `${guest.name}.xml`));
  // Once it was as the text has it, it is left alone: somebody may have mended it here since.
  const given = shellQuote(join(source.runDir, `${guest.name}.defined`));
  const wasGiven = `cmp -s ${stored} ${given} && ${virsh('dominfo', guest.name)}`;
  const isKnown = `[ ! -r ${stored} ] || { ${wasGiven}; } || ${dump} | cmp -s - ${stored}`;
  const keep = `${dump} >${stored}.replaced || rm -f ${stored}.replaced`;
  const isUp = `[ ${state} = running ]`;
  const way = makeWay(guest.name, stored, state, virsh);
  return {
    isUp,
    // One that libvirt does not know is down; a libvirt that does not answer says nothing.
    isDown: `[ ${state} = 'shut off' ] || { ${virsh('list')} && ! ${virsh('dominfo', guest.name)}; }`,
    isHalted: null,
    prepare: [
      `if ${call('unless', `${isUp} || ${isKnown}`, keep, way, `${virsh('define')} ${stored}`)} && ! ${call('holds', isUp)}; then`,
      `  ${call('run', `[ ! -r ${stored} ] || cp ${stored} ${given}`)} || true`,
      'fi',
    ],
    start: libvirt.describeCommands(domain, 'start'),
    join: [],
    stop: libvirt.describeCommands(domain, 'stop'),
    agent: libvirt.agentCommand(guest.name, uri),
    look: `${virsh('domstate', '--reason', guest.name)}${filesystem === undefined ? '' : `; ls ${shellQuote(filesystem.mount)}`}`,
  };
}

/** What libvirt refuses the definition for: another domain of its name, or the same guest under another name. */
function makeWay(
  name: string,
  stored: string,
  state: string,
  virsh: (...words: readonly string[]) => string,
): string {
  const uuid = `uuid=$(sed -n 's,.*<uuid>\\(.*\\)</uuid>.*,\\1,p' ${stored})`;
  const metadata = ['--managed-save', '--snapshots-metadata', '--checkpoints-metadata'];
  const keep = ['--keep-nvram', '$(virsh help undefine | grep -om1 -e --keep-tpm)'];
  const undefine = `${virsh('undefine', name, ...metadata)} ${keep.join(' ')}`;
  const isOther = `other=$(${virsh('domuuid', name)} 2>/dev/null) && [ "$other" != "$uuid" ]`;
  const other = `! { ${isOther} && [ ${state} = 'shut off' ]; } || ${undefine}`;
  const isSame = `! other=$(${virsh('domname')} "$uuid" 2>/dev/null) || [ "$other" = ${shellQuote(name)} ]`;
  const rename = `${virsh('domrename')} "$uuid" ${shellQuote(name)}`;
  return `${uuid}; [ -z "$uuid" ] || { ${other}; ${isSame} || ${rename}; }`;
}

export function guestUp(
  guest: GuestConfig,
  group: GroupConfig,
  source: RunbookSource,
  later: readonly GuestConfig[],
): readonly string[] {
  const shell = shellOf(guest, group, source);
  const isAwaited = later.some(
    ({ priority, after }) => priority < guest.priority || after.includes(guest.name),
  );
  const delayS = Math.ceil(guest.startDelayMs / 1000);
  const waits = isAwaited
    ? [...waitingLines(guest.readiness, shell.agent), ...(delayS > 0 ? [`sleep ${delayS}`] : [])]
    : [];
  const halted =
    shell.isHalted === null
      ? []
      : [
          `if ${call('holds', shell.isHalted)}; then`,
          `  say ${shellQuote(`-- guest ${guest.name}`)}`,
          `  problem ${shellQuote(haltedText(guest.name))}`,
          `  ${call('lose', guest.name)}`,
          'else',
        ];
  const start = `${call('step', `guest ${guest.name}`, shell.isUp, ...shell.start)}`;
  const joins = shell.join.flatMap((line) => [
    `  if ! ${call('run', line)}; then`,
    `    problem ${shellQuote(`   ${guest.name} is up, but without its network`)}`,
    `    ${call('lose', guest.name)}`,
    '  fi',
  ]);
  const waiting =
    waits.length === 0
      ? []
      : [
          `  say ${shellQuote(`   waiting until ${guest.name} is ready: others start after it`)}`,
          ...waits.map((line) => `  ${call('run', line)} || true`),
        ];
  return [
    ...shell.prepare,
    ...halted,
    ...(joins.length + waiting.length === 0
      ? [`${start} ||`, `  ${call('lose', guest.name)}`]
      : [`if ${start}; then`, ...joins, ...waiting, 'else', `  ${call('lose', guest.name)}`, 'fi']),
    ...(halted.length === 0 ? [] : ['fi']),
  ];
}

/** Whether its disk is the newer one no script can know. */
const haltedText = (name: string) =>
  `   ${name} is there, but frozen: it was stopped because the other node might take over. If that node has run it since, what is on its disk is newer. To start it afresh from the disk here: shut this QEMU down (kill -KILL), then run this script again`;

export function guestDown(guest: GuestConfig, group: GroupConfig, source: RunbookSource): readonly string[] {
  const shell = shellOf(guest, group, source);
  return [
    `${call('settle', `guest ${guest.name} shut down`, shell.isDown, ...shell.stop)} ||`,
    `  ${call('stop', `${guest.name} still runs`, `shut it down from within, or look: ${shell.look}`)}`,
  ];
}

/** Where scripts are kept, from the state directory. */
export const runbookDirectory = (stateDir: string) => join(stateDir, 'runbook');

export const runDirOf = (socketPath: string) => dirname(socketPath);

/** What shutting it down needs, asked before anything is touched. */
export function guestNeeds(guest: GuestConfig, group: GroupConfig, source: RunbookSource): readonly string[] {
  if (guest.driver !== 'qemu') return [];
  return [call('must_have_socat', guest.name, shellOf(guest, group, source).isDown)];
}
