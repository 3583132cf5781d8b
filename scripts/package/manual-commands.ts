// battito(8), made from the table of commands that the program itself prints its help from.

import type { Command, OptionSpecs } from '../../daemon/cli/command.ts';
import { type Heading, item, paragraph, plain, section, subsection, title, verbatim } from './roff.ts';

export function renderCommandManual(
  commands: readonly Command[],
  globalOptions: OptionSpecs,
  exitCodes: Readonly<Record<number, string>>,
  heading: Heading,
): string {
  return [
    title('battito', 8, heading),
    section('NAME'),
    'battito \\- two hosts that keep a floating address and its guests alive',
    section('SYNOPSIS'),
    '\\fBbattito\\fR [\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]',
    section('DESCRIPTION'),
    ...paragraph(
      'Two Linux hosts watch each other by authenticated heartbeats and keep floating addresses and guests alive. When a host dies, the other one takes the address and starts every guest again; when a person wants the work moved, one command moves it. The daemon of each host is started by systemd, reads `/etc/battito/battito.yaml`, and is asked and told by the commands below.',
    ),
    section('COMMANDS'),
    ...commands.flatMap(renderCommand),
    section('OPTIONS'),
    ...paragraph('They may stand before or after the command.'),
    ...optionItems(globalOptions),
    section('MIRRORED DISKS'),
    ...paragraph(
      'A group names DRBD resources under `drbd` and what is mounted on them under `filesystems`. The resource of the examples asks the daemon, by its fence-peer handler, before it writes without its mirror. Once, on both hosts:',
    ),
    ...verbatim([
      'cp /usr/share/doc/battito/examples/drbd-r0.res /etc/drbd.d/r0.res',
      'drbdadm create-md r0 && drbdadm up r0',
    ]),
    ...paragraph('then on one of them, which the first copy goes out from:'),
    ...verbatim([
      'drbdadm wait-connect r0 && drbdadm primary --force r0',
      'mkfs.ext4 /dev/drbd0 && drbdadm secondary r0',
    ]),
    ...paragraph('`battito check` says what is still missing on each host. Later a person is needed when'),
    ...mirrorCases.flatMap(([when, what]) => item(when, '', what)),
    section('EXIT STATUS'),
    ...Object.entries(exitCodes).flatMap(([code, meaning]) => item(code, '', meaning)),
    section('MESSAGES'),
    ...paragraph(
      'Every message has a code that stays the same: `battito status` shows it, errors have it with --json. `battito why CODE` explains it, as does /usr/share/doc/battito/docs/troubleshooting.md.gz.',
    ),
    section('FILES'),
    ...files.flatMap(([path, meaning]) => item(path, '', meaning)),
    section('SIGNALS'),
    ...item('SIGTERM, SIGINT', '', 'The daemon hands over and ends; a second one ends it at once.'),
    ...item('SIGHUP', '', 'The daemon reads its configuration and keys again.'),
    section('SEE ALSO'),
    '.BR battito.yaml (5),',
    '.BR systemctl (1),',
    '.BR drbdadm (8),',
    '.BR drbd.conf (5)',
    '',
  ].join('\n');
}

const mirrorCases: readonly (readonly [string, string])[] = [
  [
    'the copy that is left may not be the newest',
    'On the host that is left: `battito takeover --force`, which asks for the name of the resource.',
  ],
  [
    'two copies have parted',
    '`battito drbd resolve r0` on either host shows of both how much they wrote alone, since when, and what runs there. Then, on the host whose changes are given up, the same with --discard-here: it shows the commands of DRBD that will run, asks for the name of the resource, and waits until both copies are the same again.',
  ],
  ['a disk was replaced', 'On its host: `drbdadm create-md r0 && drbdadm adjust r0`.'],
];

const files: readonly (readonly [string, string])[] = [
  ['/etc/battito/battito.yaml', 'The configuration, the same on both hosts.'],
  ['/etc/battito/key', 'The shared key, of mode 0600, the same on both hosts.'],
  ['/etc/drbd.d', 'The DRBD resources, the same on both hosts.'],
  ['/var/lib/battito', 'What survives a restart: the state, the history, the journal of events.'],
  [
    '/var/lib/battito/definitions',
    "The guests' definitions of both hosts, with their last versions, for root only: they hold passwords. NAME.xml is what is in use, as libvirt takes it.",
  ],
  ['/run/battito', 'The control socket, and sockets and pid files of guests.'],
  ['/usr/lib/battito', 'The program, its runtime, and how it mounts for the host.'],
  [
    '/usr/lib/sysctl.d/60-battito.conf',
    'Settings of the kernel that the daemon wants; read at boot, or at once with `sysctl --load`.',
  ],
  ['/usr/share/doc/battito/examples', 'Examples of a configuration and of a DRBD resource.'],
];

function renderCommand(command: Command): string[] {
  const { name, summary, usage, description, options, examples, exitCodes } = command;
  const codes = Object.entries(exitCodes);
  return [
    subsection(name),
    ...usage.flatMap((line, index) => [...(index === 0 ? [] : ['.br']), `\\fBbattito ${plain(line)}\\fR`]),
    ...paragraph(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`),
    ...description.flatMap(paragraph),
    ...optionItems(options),
    ...(examples.length === 0 ? [] : paragraph('Examples:')),
    ...examples.flatMap((example) => item(example.command, '', example.meaning)),
    ...(codes.length === 0 ? [] : paragraph('Exit codes:')),
    ...codes.flatMap(([code, meaning]) => item(code, '', meaning)),
  ];
}

function optionItems(options: OptionSpecs): string[] {
  return Object.entries(options).flatMap(([name, { value, valueOptional, help }]) =>
    valueOptional === true ? item(`--${name}[=${value}]`, '', help) : item(`--${name}`, value ?? '', help),
  );
}
