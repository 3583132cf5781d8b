// Runbooks: POSIX shell scripts, made from the configuration, that do by hand what the daemon does. They need neither the
// daemon nor its runtime. Pure: the same source gives the same text.

import manifest from '../../package.json' with { type: 'json' };
import type { Config, GroupConfig, GuestConfig, NodeConfig } from '../config/config.ts';
import { shellQuote } from '../drivers/shell.ts';
import { commonLibrary } from './library.ts';
import { returnParts } from './return.ts';
import { standbyParts } from './standby.ts';
import { comment, runbookDirectory, runDirOf } from './steps.ts';
import { takeoverParts } from './takeover.ts';

export const runbookKinds = ['takeover', 'standby', 'return'] as const;
export type RunbookKind = (typeof runbookKinds)[number];

export interface RunbookOptions {
  readonly config: Config;
  /** The node that the script is for. */
  readonly self: NodeConfig;
  readonly peer: NodeConfig;
  /** By group, also those that only definitions name; a group that is not in it has those of the configuration. */
  readonly guests: ReadonlyMap<string, readonly GuestConfig[]>;
  readonly stateDir: string;
  readonly socketPath: string;
  /** Has each QEMU a unit of its own, as where systemd runs? */
  readonly units: boolean;
}

export interface RunbookSource extends RunbookOptions {
  readonly runDir: string;
}

/** What makes one runbook differ from another; lines are shell. */
export interface RunbookParts {
  readonly purpose: readonly string[];
  /** What to do where the daemon runs. */
  readonly withDaemon: string;
  readonly options: readonly { readonly name: string; readonly variable: string; readonly help: string }[];
  readonly libraries: readonly string[];
  readonly before: readonly string[];
  readonly question: (group: GroupConfig) => string;
  readonly group: (group: GroupConfig) => readonly string[];
  /** Keeps in `went` and `left` which groups it was done with, and which not; `after` reads them. */
  readonly counts?: boolean;
  readonly after: readonly string[];
}

const makers: Readonly<Record<RunbookKind, (source: RunbookSource) => RunbookParts>> = {
  takeover: takeoverParts,
  standby: standbyParts,
  return: returnParts,
};

export { runbookDirectory } from './steps.ts';

export const runbookFile = (kind: RunbookKind) => `${kind}.sh`;

export function renderRunbook(kind: RunbookKind, options: RunbookOptions): string {
  const source = { ...options, runDir: runDirOf(options.socketPath) };
  const { config, self, peer } = source;
  const parts = makers[kind](source);
  const names = config.groups.map(({ name }) => name);
  const lines = [
    '#!/bin/sh',
    '# shellcheck disable=SC2016,SC1003',
    '# (Command lines are words in quotes here, quotes in them too: they are shown first, and then run.)',
    '#',
    comment(`${kind.toUpperCase()} by hand, cluster ${config.cluster}, for ${self.name} only.`),
    '#',
    ...parts.purpose.map(comment),
    '#',
    comment(`  sh ${runbookFile(kind)} --dry-run   shows every command, asks nothing, touches nothing`),
    comment(`  sh ${runbookFile(kind)} [GROUP...]  all groups, or these: ${names.join(' ')}`),
    '#',
    comment(
      `Made by Battito ${manifest.version} from the configuration ${config.digest.slice(0, 16)}; the daemon`,
    ),
    comment(
      `keeps a fresh one in ${runbookDirectory(options.stateDir)}. It needs neither the daemon nor its runtime.`,
    ),
    'set -u',
    'umask 077',
    'LC_ALL=C',
    'PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'export LC_ALL PATH',
    '',
    `self=${shellQuote(self.name)}`,
    `own_address=${shellQuote(self.address)}`,
    `peer=${shellQuote(peer.name)}`,
    `socket=${shellQuote(options.socketPath)}`,
    `run_dir=${shellQuote(source.runDir)}`,
    `groups=${shellQuote(names.join(' '))}`,
    `with_daemon=${shellQuote(parts.withDaemon)}`,
    'dry_run=no',
    'yes=no',
    comment('Seconds that libvirt has for each answer.'),
    'patience=120',
    ...parts.options.map(({ variable }) => `${variable}=no`),
    '',
    [commonLibrary, ...parts.libraries].map((library) => library.trim()).join('\n\n'),
    '',
    ...usageLines(kind, parts),
    '',
    ...config.groups.flatMap((group, index) => [
      comment(`---- group ${group.name} ----`),
      `group_${index + 1}() {`,
      ...indented(parts.group(group)),
      '}',
      '',
    ]),
    ...argumentLines(parts),
    '',
    'begin',
    'if [ "$dry_run" = yes ]; then say "A dry run: + is a command, ? a look before it. Nothing is asked or touched."; fi',
    ...parts.before,
    ...(parts.counts === true ? ['went=', 'left='] : []),
    ...config.groups.flatMap((group, index) => [
      `if wanted ${shellQuote(group.name)}; then`,
      `  say ${shellQuote(`== group ${group.name}`)}`,
      `  if agreed ${shellQuote(parts.question(group))}; then`,
      `    group_${index + 1}`,
      ...(parts.counts === true ? [`    went="$went ${group.name}"`] : []),
      '  else',
      '    say "   left as it is"',
      ...(parts.counts === true ? [`    left="$left ${group.name}"`] : []),
      '  fi',
      'fi',
    ]),
    'if [ "$dry_run" = yes ]; then exit 0; fi',
    ...parts.after,
  ];
  return `${lines.join('\n')}\n`;
}

/** What a group has none of is still a body that a shell takes. */
const indented = (lines: readonly string[]) =>
  lines.length === 0 ? ['  say "   there is nothing in it"'] : lines.map((line) => `  ${line}`);

function usageLines(kind: RunbookKind, parts: RunbookParts): readonly string[] {
  const options = [
    ['--dry-run', 'show every command, ask nothing, touch nothing'],
    ['--yes', 'answer the questions for yes or no; never those for a typed word'],
    ...parts.options.map(({ name, help }) => [name, help]),
  ];
  const rows = options.map(([name = '', help = '']) => `  say ${shellQuote(`  ${name.padEnd(16)}${help}`)}`);
  return [
    'usage() {',
    `  say ${shellQuote(`Usage: sh ${runbookFile(kind)} [--dry-run | --yes] ${parts.options.map(({ name }) => `[${name}] `).join('')}[GROUP...]`)}`,
    ...rows,
    '  say "Groups: $groups"',
    '}',
  ];
}

function argumentLines(parts: RunbookParts): readonly string[] {
  return [
    'chosen=',
    'for word in "$@"; do',
    '  case $word in',
    '    --dry-run) dry_run=yes ;;',
    '    --yes) yes=yes ;;',
    ...parts.options.map(({ name, variable }) => `    ${name}) ${variable}=yes ;;`),
    '    -h | --help)',
    '      usage',
    '      exit 0',
    '      ;;',
    '    *)',
    '      case " $groups " in',
    '        *" $word "*) chosen="$chosen $word" ;;',
    '        *)',
    '          problem "not understood, nothing was touched: $word"',
    '          usage >&2',
    '          exit 64',
    '          ;;',
    '      esac',
    '      ;;',
    '  esac',
    'done',
    '[ -n "$chosen" ] || chosen=" $groups"',
  ];
}
