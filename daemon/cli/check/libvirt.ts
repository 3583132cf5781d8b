// Libvirt itself: does it answer here, and does anything else start or stop the guests of a group? Asks, changes nothing.

import { existsSync, readdirSync } from 'node:fs';
import { runCommand } from '../../drivers/command.ts';
import type { Libvirt, ListedDomain } from '../../drivers/libvirt/connection.ts';
import { libvirtUnits, parseUnits, type UnitFacts } from '../../drivers/libvirt/units.ts';
import { shellQuote } from '../../drivers/shell.ts';
import { type Finding, type Reporter, reporter } from './finding.ts';

/** What of systemd is looked at; a test gives its own. */
export interface LibvirtSight {
  /** The unit that serves libvirt here; undefined: nobody knows. */
  readonly unit: (uri: string) => ReturnType<typeof libvirtUnits>;
  /** Null: there is no systemd to ask. */
  readonly factsOf: (unit: string) => Promise<UnitFacts | null>;
  /** Where libvirt keeps the links of what it starts with the host. */
  readonly autostartDirectory: string;
  /** How long libvirt may take to answer. */
  readonly answerTimeoutMs: number;
}

export const thisLibvirt: LibvirtSight = {
  unit: libvirtUnits,
  factsOf: readUnit,
  autostartDirectory: '/etc/libvirt/qemu/autostart',
  answerTimeoutMs: 10_000,
};

const timeoutMs = 5000;

async function readUnit(unit: string): Promise<UnitFacts | null> {
  if (!existsSync('/run/systemd/system')) return null;
  const argv = ['systemctl', 'show', '--property=Id,LoadState,ActiveState,UnitFileState', unit];
  const { stdout, exitCode } = await runCommand(argv, { timeoutMs, env: { LC_ALL: 'C' } });
  return exitCode === 0 ? (parseUnits(stdout)[0] ?? null) : null;
}

/** `virsh` as a person has to type it for this connection. */
export function virshWord(uri: string): string {
  return uri === 'qemu:///system' ? 'virsh' : `virsh -c ${shellQuote(uri)}`;
}

/** @returns whether libvirt answers, and what was found */
export async function checkLibvirt(
  libvirt: Libvirt,
  sight: LibvirtSight,
  signal: AbortSignal,
): Promise<{ readonly answers: boolean; readonly findings: readonly Finding[] }> {
  const report = reporter('libvirt');
  const answer = await libvirt.run(['uri'], { timeoutMs: sight.answerTimeoutMs, signal });
  if (answer.kind === 'done') {
    report.ok(`${libvirt.uri} answers`);
  } else {
    await sayWhyNot(report, libvirt, answer, sight);
  }
  await checkGuestsService(report, sight);
  return { answers: answer.kind === 'done', findings: report.findings };
}

async function sayWhyNot(
  report: Reporter,
  { uri, local }: Libvirt,
  failure: { readonly code: string; readonly message: string },
  sight: LibvirtSight,
): Promise<void> {
  const unknown = 'what it has could not be checked';
  if (failure.code === 'libvirt-missing') {
    report.problem(
      'virsh-missing',
      'virsh is missing: no domain can be started or stopped here',
      'apt-get install libvirt-clients libvirt-daemon-system',
    );
    return;
  }
  const found = local ? await sight.unit(uri) : undefined;
  const unit = found?.unit ?? 'libvirtd';
  if (failure.code === 'libvirt-silent' || failure.code === 'libvirt-aborted') {
    report.problem(
      'libvirt-unusable',
      `${uri} does not answer: ${unit} is there and hangs, its guests run on; ${unknown}`,
      `systemctl status ${unit}; dmesg | tail   # what does it wait for? then: systemctl restart ${unit}`,
    );
  } else if (failure.code === 'libvirt-down') {
    const state = found?.masked === true ? 'is masked' : 'does not run';
    const mend =
      found?.masked === true
        ? `systemctl unmask ${unit} && systemctl enable --now ${unit}`
        : local
          ? `systemctl enable --now ${unit}   # it does not start? journalctl -u ${unit} -n 30`
          : `${virshWord(uri)} uri   # mend the way to that host`;
    const what = local ? `${unit} ${state}` : failure.message;
    report.problem('libvirt-unusable', `nobody answers for ${uri}: ${what}; ${unknown}`, mend);
  } else {
    report.problem(
      'libvirt-unusable',
      `${uri} refuses: ${failure.message}; ${unknown}`,
      `sudo ${virshWord(uri)} list --all   # correct libvirt.uri in the configuration if that fails, too`,
    );
  }
}

/** It stops, or suspends, every guest when the host goes down, and may start them at the next boot, on either node. */
async function checkGuestsService(report: Reporter, sight: LibvirtSight): Promise<void> {
  const facts = await sight.factsOf('libvirt-guests.service');
  if (facts === null || facts.load !== 'loaded') return;
  const isEnabled = facts.file.startsWith('enabled');
  const isActive = facts.active === 'active';
  if (!isEnabled && !isActive) return;
  const word = isEnabled ? 'enabled' : 'active';
  const why = 'it stops or suspends guests when this host goes down, and may start them when it boots';
  report.problem(
    'libvirt-guests-enabled',
    `libvirt-guests.service is ${word}: ${why}, behind Battito's back`,
    isActive
      ? 'battito standby && systemctl disable --now libvirt-guests; battito standby off   # its end stops what runs here, so that goes first'
      : 'systemctl disable libvirt-guests',
  );
}

/** Of the guests of a group: those that libvirt would start with the host, whether or not they run on the other one. */
export function checkAutostart(
  report: Reporter,
  names: readonly string[],
  domains: readonly ListedDomain[] | null,
  virsh: string,
  sight: LibvirtSight,
): void {
  const links = domains === null ? autostartLinks(sight.autostartDirectory) : [];
  for (const name of names) {
    const isStarted =
      domains === null ? links.includes(name) : domains.some((one) => one.name === name && one.autostart);
    if (!isStarted) continue;
    const what = `${name}: libvirt starts it by itself with this host, even while it runs on the other one`;
    const mend =
      domains === null
        ? `rm ${shellQuote(`${sight.autostartDirectory}/${name}.xml`)}   # once libvirt answers: ${virsh} autostart --disable`
        : `${virsh} autostart --disable ${shellQuote(name)}`;
    report.problem('domain-autostart', what, mend);
  }
}

function autostartLinks(directory: string): readonly string[] {
  try {
    return readdirSync(directory).flatMap((file) => (file.endsWith('.xml') ? [file.slice(0, -4)] : []));
  } catch {
    return [];
  }
}
