// What `battito init` shows: what it found, what should be known, and what to do next. Pure.

import { shellLine } from '../../drivers/shell.ts';
import { harmless, type Look, padTo, paint } from '../output.ts';
import { hanging } from '../status/picture.ts';
import { shortName } from './facts.ts';
import { guessDedicated, guessLan } from './guess.ts';
import type { Facts } from './host.ts';
import type { Note } from './notes.ts';
import type { Plan } from './plan.ts';

const columnsMax = 100;
const usualConfig = '/etc/battito/battito.yaml';

export interface Step {
  readonly why: string;
  readonly command: string;
}

/** From two files on this host to two hosts that guard each other. */
export function stepsOf({ peer }: Plan, configPath: string, keyFile: string): readonly Step[] {
  const there = `root@${peer.address}`;
  const check =
    configPath === usualConfig ? 'battito check' : shellLine(['battito', '--config', configPath, 'check']);
  const directory = `${configPath.replace(/[^/]*$/, '')}`;
  const alongside = keyFile.startsWith(directory) && !keyFile.slice(directory.length).includes('/');
  const copy = alongside
    ? shellLine(['scp', '-p', configPath, keyFile, `${there}:${directory}`])
    : `${shellLine(['scp', '-p', configPath, `${there}:${configPath}`])} && ${shellLine(['scp', '-p', keyFile, `${there}:${keyFile}`])}`;
  return [
    {
      why: `both files to ${peer.name}, and a look whether it is ready`,
      command: `${copy} && ssh ${there} ${check}`,
    },
    { why: 'here, too: what would make a takeover fail, each with what mends it', command: check },
    { why: 'on both hosts', command: 'systemctl enable --now battito' },
    { why: 'how it is, and what would happen if', command: 'battito status && battito explain' },
  ];
}

/** What was found, a row each. */
export function foundRows(facts: Facts): readonly (readonly [string, string])[] {
  const lan = guessLan(facts);
  const dedicated = guessDedicated(facts, lan?.value ?? null);
  const rows: (readonly [string, string])[] = [];
  const cards = facts.interfaces.filter(({ kind, addresses }) => kind !== 'loopback' && addresses.length > 0);
  for (const one of cards) {
    const what = [
      ...one.addresses.map(({ address, prefix }) => `${address}/${prefix}`),
      one.kind ?? 'card',
      one.carrier ? 'carrier' : 'no carrier',
      ...(one.speedMbit === null ? [] : [`${one.speedMbit} Mbit/s`]),
      ...(one.name === lan?.value.name ? [`the LAN: ${lan.because}`] : []),
      ...(one.name === dedicated?.value.interface.name
        ? [`the dedicated segment: ${dedicated.because}`]
        : []),
    ];
    rows.push([one.name, what.join(', ')]);
  }
  for (const { name, endpoints, devices } of facts.resources) {
    const others = endpoints
      .map(({ host }) => shortName(host))
      .filter((host) => host !== shortName(facts.node));
    const disks = devices.map(({ device }) => {
      const found = facts.fileSystems.find((each) => each.device === device);
      if (found === undefined) return `${device}, no file system`;
      return `${device}, ${found.type}${found.mount === null ? '' : ` at ${found.mount}`}`;
    });
    rows.push([`DRBD ${name}`, `with ${others.join(' and ') || 'nobody'}: ${disks.join('; ')}`]);
  }
  if (facts.bmc !== null)
    rows.push(['BMC', `${facts.bmc.device}, ${facts.bmc.address ?? 'address unknown'}`]);
  for (const { device, identity } of facts.watchdogs) rows.push(['watchdog', `${device}, ${identity}`]);
  return rows;
}

export function renderFound(facts: Facts, look: Look): string {
  const rows = foundRows(facts);
  const width = Math.max(...rows.map(([label]) => label.length), 0) + 4;
  const columns = Math.min(columnsMax, look.columns);
  return [
    paint(look, 'bold', `Found on ${facts.node}`),
    ...rows.flatMap(([label, text]) => hanging(padTo(`  ${label}`, width), harmless(text), columns)),
  ].join('\n');
}

export function renderNotes(notes: readonly Note[], look: Look): string {
  if (notes.length === 0) return '';
  const columns = Math.min(columnsMax, look.columns);
  const lines = notes.flatMap(({ what, next }) => [
    ...hanging('  - ', harmless(what), columns),
    ...(next === null ? [] : [`      ${harmless(next)}`]),
  ]);
  return [paint(look, 'bold', 'To look at'), ...lines].join('\n');
}

/** What is planned, to be read once more before it is written. */
export function renderPlanned(plan: Plan, look: Look): string {
  const { self, peer, dedicated, lan, ping, addresses, drbd, fileSystems, guests, preferred, timings } = plan;
  const mounts = fileSystems.map(({ device, mount }) => `${device} at ${mount}`);
  const rows: readonly (readonly [string, readonly string[]])[] = [
    ['hosts', [`${self.name} ${self.address}`, `${peer.name} ${peer.address}`]],
    [
      'heartbeats',
      [...(dedicated === null ? [] : [`${dedicated.interface.name}, broadcast`]), `${lan.name}, unicast`],
    ],
    ['pinged', ping],
    ['floating', addresses],
    ['mirrors', drbd],
    ['mounted', mounts],
    ['guests', guests === 'all' ? ['all on the storage of the group'] : guests],
    ['runs on', [`${preferred}, when both could; judged dead after ${timings.deadtime} of silence`]],
  ];
  return [
    paint(look, 'bold', 'Planned'),
    ...rows.map(([label, words]) => `  ${label.padEnd(12)}${harmless(words.join('; ') || 'none')}`),
  ].join('\n');
}

export function renderSteps(steps: readonly Step[], look: Look): string {
  return [
    paint(look, 'bold', 'Next'),
    ...steps.flatMap(({ why, command }, index) => [`  ${index + 1}. ${why}:`, `       ${harmless(command)}`]),
  ].join('\n');
}
