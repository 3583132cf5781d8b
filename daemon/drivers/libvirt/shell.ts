// The driver's actions as a person would type them.

import type { BasicAction } from '../driver.ts';
import { assertNever } from '../never.ts';
import { asPattern, shellLine, shellQuote } from '../shell.ts';
import type { Libvirt } from './connection.ts';
import { savedImages } from './images.ts';
import type { Domain } from './look.ts';
import { migrateWords } from './migrate.ts';

/** What the commands of a domain depend on. */
export type ShellDomain = Pick<Domain, 'config' | 'saveDirectory' | 'passage'> & {
  readonly libvirt: Pick<Libvirt, 'uri'>;
};

/** Each line stands for itself; what follows `||` is done when libvirt does not do it. */
export function describeCommands(
  domain: ShellDomain,
  action: BasicAction | 'save' | 'migrate',
): readonly string[] {
  const { name } = domain.config;
  const virsh = (...args: readonly string[]) => shellLine(['virsh', '-c', domain.libvirt.uri, ...args]);
  const images = savedImages(domain);
  // In QEMU's options a comma of the name is doubled.
  const guest = asPattern(name.replaceAll(',', ',,'));
  const qemu = `"$(pgrep -f ${shellQuote(`^[^ ]*qemu[^ ]* .*guest=${guest},[^,]`)})"`;
  const isOff = `[ "$(${virsh('domstate', name)})" = 'shut off' ]`;
  switch (action) {
    case 'start': {
      const boot = virsh('start', name, '--force-boot');
      if (images === null) return [boot];
      const [saved, restoring] = [shellQuote(images.saved), shellQuote(images.restoring)];
      const restore = `mv ${saved} ${restoring} && ${virsh('restore', images.restoring, '--running')}`;
      return [
        `if [ -e ${saved} ]; then ${restore}; rm -f ${restoring}; fi`,
        `[ "$(${virsh('domstate', name)})" = running ] || ${boot}`,
      ];
    }
    case 'stop': {
      const { agentTimeoutMs, shutdownTimeoutMs } = domain.config;
      const wait = (ms: number) =>
        `timeout ${Math.ceil(ms / 1000)} sh -c ${shellQuote(`until ${isOff}; do sleep 1; done`)}`;
      const agent = `${virsh('shutdown', name, '--mode', 'agent')} && ${wait(agentTimeoutMs)}`;
      return [
        ...(agentTimeoutMs > 0 ? [agent] : []),
        `${isOff} || { ${virsh('shutdown', name, '--mode', 'acpi')}; ${wait(shutdownTimeoutMs)}; }`,
        `${isOff} || ${virsh('destroy', name)}`,
      ];
    }
    case 'destroy':
      return [
        `timeout 25 ${virsh('destroy', name, '--graceful')} || timeout 25 ${virsh('destroy', name)} || kill -KILL ${qemu}`,
      ];
    case 'freeze':
      return [`timeout 0.5 ${virsh('suspend', name)} || kill -STOP ${qemu}`];
    case 'resume':
      return [`kill -CONT ${qemu}`, virsh('resume', name)];
    case 'save': {
      if (images === null) return [];
      return [
        virsh('save', name, images.saving, '--running'),
        `sync ${shellQuote(images.saving)} && mv ${shellQuote(images.saving)} ${shellQuote(images.saved)}`,
      ];
    }
    case 'migrate': {
      if (domain.passage === null) return [];
      return [virsh(...migrateWords(name, `qemu+ssh://${domain.passage.peer}/system`))];
    }
    default:
      return assertNever(action);
  }
}

/** Asks a domain's guest agent whether it is there. */
export function agentWords(name: string): readonly string[] {
  return ['qemu-agent-command', '--domain', name, '{"execute":"guest-ping"}'];
}

export function agentCommand(name: string, uri: string): string {
  return shellLine(['virsh', '-c', uri, ...agentWords(name)]);
}
