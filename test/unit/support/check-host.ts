// A host as `battito check` sees it: a scripted libvirt with domains, networks and pools, and a configuration.

import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { noDefinitions } from '../../../daemon/cli/check/definitions.ts';
import { checkDomains, type DomainsResult, type DomainsSight } from '../../../daemon/cli/check/domains.ts';
import type { Config } from '../../../daemon/config/config.ts';
import { parseConfig } from '../../../daemon/config/load.ts';
import type { KnownGuest } from '../../../daemon/runtime/policy.ts';
import { temporaryDirectory } from '../../support.ts';
import { uuidOf } from './definitions.ts';

export interface FakeDomain {
  readonly xml: string;
  readonly autostart?: boolean;
  readonly transient?: boolean;
}

export interface FakeHost {
  readonly domains?: Readonly<Record<string, FakeDomain>>;
  /** Names of those that are active; `-` before one: it is not, `*`: nor is it started at boot. */
  readonly networks?: readonly string[];
  readonly pools?: readonly string[];
  /** What `domcapabilities` says, or, with `error:` before it, why it does not. */
  readonly capabilities?: string;
  /** What `capabilities` has of the host's processor. */
  readonly processor?: string;
  /** Does the host's processor lack something? */
  readonly lacksCpu?: boolean;
  /** Its configuration, under `groups: { office: { preferred: primary, ... } }`. */
  readonly group?: string;
  /** Files that are there. */
  readonly files?: readonly string[];
  /** Of the group's storage everything is, but for these. */
  readonly missing?: readonly string[];
  readonly mounted?: boolean;
  readonly sight?: Partial<DomainsSight>;
  /** Nothing is ever answered. */
  readonly hangs?: boolean;
  /** What the scripted virsh does at a command, by the name of its script. */
  readonly scripts?: Readonly<Record<string, string>>;
  /** Nobody listens. */
  readonly down?: boolean;
}

export interface DomainParts {
  readonly type?: string;
  readonly machine?: string;
  readonly os?: string;
  readonly cpu?: string;
  readonly devices?: string;
  readonly memoryMiB?: number;
}

/** With one disk on the group's file system, unless it is told otherwise. */
export function domainXml(name: string, parts: DomainParts = {}): string {
  const { type = 'qemu', machine = 'pc', os = '', cpu = '', memoryMiB = 512 } = parts;
  const { devices = diskXml(`/srv/guests/${name}.raw`) } = parts;
  return `<domain type='${type}'><name>${name}</name><uuid>${uuidOf(name)}</uuid><memory unit='MiB'>${memoryMiB}</memory>
<vcpu>1</vcpu><os><type arch='x86_64' machine='${machine}'>hvm</type>${os}</os>${cpu}<devices>${devices}</devices></domain>`;
}

export function diskXml(file: string, target = 'vda', more = ''): string {
  return `<disk type='file' device='disk'><driver name='qemu' type='${more === '' ? 'raw' : 'qcow2'}'/><source file='${file}'/>${more}<target dev='${target}'/></disk>`;
}

export const officeStorage = 'filesystems: [{ device: /dev/vg0/guests, mount: /srv/guests }]';

export function configOf(group: string, uri = 'qemu:///system'): Config {
  const parsed = parseConfig(
    `
cluster: office
nodes: { primary: { address: 192.168.1.2 }, secondary: { address: 192.168.1.3 } }
heartbeat: { links: [{ interface: eth1 }] }
groups: { office: { preferred: primary, ${group} } }
`,
    'battito.yaml',
  );
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return { ...parsed.config, libvirt: { uri } };
}

/** A directory in which the scripted virsh finds what it is to say; the URI of it. */
export async function fakeLibvirt(t: ExecutionContext, host: FakeHost): Promise<string> {
  const directory = temporaryDirectory(t);
  const write = (name: string, text: string) => writeFile(path.join(directory, name), text);
  const domains = Object.entries(host.domains ?? {});
  const uuids = (isMeant: (domain: FakeDomain) => boolean) =>
    domains.filter(([, domain]) => isMeant(domain)).map(([name]) => uuidOf(name));
  await write('names', domains.map(([name]) => `${uuidOf(name)} ${name}\n`).join(''));
  await write('autostart', uuids(({ autostart = false }) => autostart).join('\n'));
  await write('persistent', uuids(({ transient = false }) => !transient).join('\n'));
  for (const [name, { xml }] of domains) {
    for (const known of [name, uuidOf(name)]) await write(`xml-${known}`, xml);
  }
  await write(
    'list.sh',
    'cat "$dir/autostart"; echo; printf lasting:; cat "$dir/persistent"; echo; printf names:; cat "$dir/names"; exit 0',
  );
  await write('dumpxml.sh', 'cat "$dir/xml-$(expr "$2" : "--domain=\\(.*\\)")"; exit 0');
  for (const [kind, listed = []] of [['net', host.networks] as const, ['pool', host.pools] as const]) {
    const plain = (name: string) => name.replace(/^[-*]/, '');
    await write(`${kind}-all`, listed.map(plain).join('\n'));
    await write(
      `${kind}-active`,
      listed
        .filter((name) => !name.startsWith('-'))
        .join('\n')
        .replaceAll('*', ''),
    );
    await write(`${kind}-boot`, listed.filter((name) => !/^[-*]/.test(name)).join('\n'));
    await write(
      `${kind}-list.sh`,
      `case "$*" in *--autostart*) cat "$dir/${kind}-boot" ;; *--all*) cat "$dir/${kind}-all" ;; *) cat "$dir/${kind}-active" ;; esac; exit 0`,
    );
  }
  await write(
    'pool-dumpxml.sh',
    'echo "<pool type=\'dir\'><target><path>/$(expr "$2" : "--pool=\\(.*\\)")</path></target></pool>"; exit 0',
  );
  const { capabilities = 'error: this function is not supported by the connection driver' } = host;
  await write('events', '');
  await write('capabilities', capabilities);
  await write(
    'domcapabilities.sh',
    'case "$(cat "$dir/capabilities")" in error:*) cat "$dir/capabilities" >&2; exit 1 ;; *) cat "$dir/capabilities"; exit 0 ;; esac',
  );
  await write(
    'hypervisor-cpu-compare.sh',
    host.lacksCpu === true
      ? 'echo "CPU described in $2 is incompatible with the CPU provided by hypervisor on the host"; exit 1'
      : 'exit 0',
  );
  await write(
    'cpu-compare.sh',
    host.lacksCpu === true
      ? 'echo "CPU described in $2 is incompatible with host CPU"; exit 1'
      : 'grep -q "^<cpu>.*</cpu>$" "$2" && exit 0',
  );
  await write(
    'capabilities.sh',
    `echo "<capabilities><host>${host.processor ?? ''}</host><guest/></capabilities>"; exit 0`,
  );
  for (const [name, text] of Object.entries(host.scripts ?? {})) await write(name, text);
  if (host.hangs === true) await write('hangs', '');
  if (host.down === true) {
    await write('uri.sh', 'echo "error: Failed to connect socket to: No such file or directory" >&2; exit 1');
  }
  return `fake://${directory}`;
}

/** What `battito check` finds of the domains, as it is. */
export async function foundOn(
  t: ExecutionContext,
  host: FakeHost,
  definitions = noDefinitions,
): Promise<DomainsResult & { readonly uri: string }> {
  const uri = await fakeLibvirt(t, host);
  const config = configOf(host.group ?? `${officeStorage}, guests: all`, uri);
  const { files = [], missing = [], mounted = true } = host;
  const found = await checkDomains(config, 'primary', definitions, {
    unit: async () => undefined,
    factsOf: async () => null,
    autostartDirectory: '/nonexistent',
    exists: (file) => files.includes(file) || (file.startsWith('/srv/guests/') && !missing.includes(file)),
    isMounted: () => mounted,
    ...host.sight,
  });
  return { ...found, uri };
}

/** @returns `level: message | mend` of each finding, without the ways of this test's own libvirt */
export async function findingsOf(
  t: ExecutionContext,
  host: FakeHost,
  definitions = noDefinitions,
): Promise<{
  readonly told: readonly string[];
  readonly known: readonly [string, number][];
  readonly guests: readonly KnownGuest[];
}> {
  const { findings, known, uri } = await foundOn(t, host, definitions);
  const guests = known.get('office') ?? [];
  const plain = (text: string) => text.replaceAll(`virsh -c ${uri}`, 'virsh').replaceAll(uri, 'URI');
  return {
    told: findings.map(({ level, message, mend }) =>
      plain(`${level}: ${message}${mend === null ? '' : ` | ${mend}`}`),
    ),
    known: guests.map(({ config: { name }, memoryMiB }) => [name, memoryMiB]),
    guests,
  };
}
