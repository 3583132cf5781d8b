// From the file to a `Config`: reads, validates, fills in, and sums up in a digest.
// All problems of a file are told at once. It reads one file and touches nothing else on the machine.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { BattitoError, exitCodes } from '../errors.ts';
import { checkRules } from './check.ts';
import type { Config, GroupConfig, LinkConfig, NodeConfig } from './config.ts';
import { readDocument } from './document.ts';
import { toFencing } from './fencing.ts';
import { guestContent, toGuests } from './guests.ts';
import { toNotify } from './notify.ts';
import { normalPath } from './paths.ts';
import { type ConfigProblem, formatProblem, toFindings, toProblems } from './problem.ts';
import { type ConfigFile, configSchema, defaultLibvirtUri, defaultMulticastGroup } from './schema.ts';
import { toDrill } from './schema-drill.ts';
import { toMetrics } from './schema-metrics.ts';
import { isDefaultSchedule, toSchedule } from './schema-schedule.ts';
import { toWatchdog } from './schema-watchdog.ts';
import { toWeb } from './schema-web.ts';
import { toWitness } from './witness.ts';

export { type ConfigProblem, formatProblem } from './problem.ts';

export type ParsedConfig =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/**
 * Reads and validates the configuration at `path`.
 *
 * @throws BattitoError `config-unreadable` or `config-invalid`, both with exit code 78
 */
export function loadConfig(path: string): Config {
  const parsed = parseConfig(readConfigFile(path), path);
  if (parsed.ok) {
    return parsed.config;
  }
  const count = parsed.problems.length;
  const lines = [
    ...parsed.problems.map(formatProblem),
    `${count} ${count === 1 ? 'problem' : 'problems'} in ${path}`,
  ];
  throw new BattitoError('config-invalid', lines.join('\n'), {
    exitCode: exitCodes.config,
    next: `Mend ${path}, then run \`battito check\`; nothing has been changed.`,
  });
}

function readConfigFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const [reason, next] = {
      ENOENT: [
        'there is no such file',
        '`battito init` makes it on the first host; copy it to the other one, or name another file with --config.',
      ],
      EACCES: ['permission denied', `Run the command as root, or make ${path} readable.`],
      EISDIR: ['it is a directory', 'Name the file itself with --config.'],
    }[code ?? ''] ?? [cause instanceof Error ? cause.message : String(cause), `Make ${path} readable.`];
    throw new BattitoError('config-unreadable', `${path}: cannot read the configuration: ${reason}`, {
      exitCode: exitCodes.config,
      cause,
      ...(next === undefined ? {} : { next }),
    });
  }
}

/** Validates a text; `fileName` is only what problems are reported under. Never throws. */
export function parseConfig(text: string, fileName: string): ParsedConfig {
  const source = readDocument(text);
  if (source.value === undefined) {
    return { ok: false, problems: toProblems(fileName, source, source.findings) };
  }
  const validated = configSchema.safeParse(source.value);
  const findings = [
    ...source.findings,
    ...(validated.success ? [] : toFindings(validated.error.issues, source.value)),
    ...checkRules(source.value),
  ];
  if (!validated.success || findings.length > 0) {
    return { ok: false, problems: toProblems(fileName, source, findings) };
  }
  const config = toConfig(validated.data);
  return { ok: true, config: { ...config, digest: configDigest(config) } };
}

/** Hex SHA-256 that does not depend on comments, on the order of keys, or on how a value was spelt. */
export function configDigest(config: Omit<Config, 'digest'>): string {
  const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
  const { cluster, nodes, heartbeat, connectivity, libvirt, start, groups } = config;
  const { fencing, witness, watchdog, drill, schedule, notify, metrics, web } = config;
  const content = {
    cluster,
    nodes: nodes.toSorted(byName),
    heartbeat,
    connectivity,
    ...(libvirt.uri !== defaultLibvirtUri && { libvirt }),
    ...((start.parallel ?? start.memoryReserveMiB) !== null && { start }),
    ...(fencing !== null && { fencing }),
    ...(watchdog !== null && { watchdog }),
    groups: groups.toSorted(byName).map(withoutNews),
    ...(witness !== null && { witness }),
    ...(drill !== null && { drill }),
    ...(!isDefaultSchedule(schedule) && { schedule }),
    ...(notify !== null && { notify }),
    ...(metrics !== null && { metrics }),
    ...(web !== null && { web }),
  };
  return createHash('sha256').update(canonicalJson(content)).digest('hex');
}

/** Keys that came later count only where they are used, so that a new release does not disagree with an old one. */
function withoutNews({ drbd, filesystems, guests, allGuests, ...group }: GroupConfig) {
  return {
    ...group,
    guests: guests.map(guestContent),
    ...(allGuests !== null && { allGuests: guestContent(allGuests) }),
    ...(drbd.length > 0 && { drbd }),
    ...(filesystems.length > 0 && { filesystems }),
  };
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

function toConfig(file: ConfigFile): Omit<Config, 'digest'> {
  const nodes = Object.entries(file.nodes).map(([name, { address }]): NodeConfig => ({ name, address }));
  const [first, second] = nodes;
  if (first === undefined || second === undefined) {
    throw new Error('broken invariant: a validated configuration has two nodes');
  }
  return {
    cluster: file.cluster,
    nodes: [first, second],
    heartbeat: {
      keyFile: file.heartbeat['key-file'],
      keepaliveMs: file.heartbeat.keepalive,
      warntimeMs: file.heartbeat.warntime,
      deadtimeMs: file.heartbeat.deadtime,
      initdeadMs: file.heartbeat.initdead,
      links: file.heartbeat.links.map((link) => toLink(link, file.heartbeat.port, nodes)),
    },
    connectivity: file.connectivity,
    libvirt: file.libvirt,
    start: {
      parallel: file.start.parallel ?? null,
      memoryReserveMiB: file.start['memory-reserve'] ?? null,
    },
    fencing: file.fencing === undefined ? null : toFencing(file.fencing),
    watchdog: toWatchdog(file.watchdog),
    drill: toDrill(file.drill),
    schedule: toSchedule(file.schedule),
    groups: Object.entries(file.groups).map(([name, group]) => toGroup(name, group)),
    witness: file.witness === undefined ? null : toWitness(file.witness),
    notify: toNotify(file.notify),
    metrics: toMetrics(file.metrics),
    web: toWeb(file.web),
  };
}

function toLink(
  link: ConfigFile['heartbeat']['links'][number],
  defaultPort: number,
  nodes: readonly NodeConfig[],
): LinkConfig {
  const common = { interface: link.interface, port: link.port ?? defaultPort };
  switch (link.mode) {
    case 'broadcast':
      return { mode: 'broadcast', ...common };
    case 'multicast':
      return { mode: 'multicast', ...common, group: link.group ?? defaultMulticastGroup };
    case 'unicast': {
      const own = Object.fromEntries(nodes.map(({ name, address }) => [name, address]));
      return { mode: 'unicast', ...common, addresses: link.addresses ?? own };
    }
  }
}

function toGroup(name: string, group: ConfigFile['groups'][string]): GroupConfig {
  return {
    name,
    preferred: group.preferred,
    failback: group.failback,
    failbackDelayMs: group['failback-delay'],
    addresses: group.addresses,
    drbd: group.drbd,
    // The kernel shows it in this form, and so do we.
    filesystems: group.filesystems.map((filesystem) => ({
      ...filesystem,
      mount: normalPath(filesystem.mount),
    })),
    ...toGuests(group.guests),
  };
}
