// A cluster whose guests are libvirt domains, as a test has it: their order, their definitions on both nodes, and the
// libvirt of a node.

import { type GuestRow, guestRows } from '../../../daemon/cli/guests/view.ts';
import type { GuestDefinitions, GuestVersion } from '../../../daemon/control/guests.ts';
import { waitFor } from '../../support.ts';
import { Cluster, patience, useCluster } from './cluster.ts';
import { dbInstallation, dnsAddress, domainsInstallation, webInstallation } from './installations.ts';
import type { Lab } from './lab.ts';
import { guestMirror } from './mirror.ts';
import type { LabNode } from './node.ts';

/** Four domains count on the primary; dns is ready, since somebody answers for it. */
export async function useDomains(lab: Lab): Promise<Domains> {
  await answersAsDns(lab);
  const cluster = await useCluster(lab, { installation: domainsInstallation });
  return new Domains(cluster);
}

/** web alone counts on the primary; whatever else is defined on the group's file system belongs to it. */
export async function useWeb(lab: Lab): Promise<Domains> {
  return new Domains(await useCluster(lab, { installation: webInstallation }));
}

/** db alone counts on the primary, on its own device; the other node could start it. */
export async function useDb(lab: Lab): Promise<Domains> {
  const cluster = new Domains(await useCluster(lab, { installation: dbInstallation }));
  await cluster.lists(lab.secondary, 'stored', 'db', ({ definition }) => definition?.state === 'same');
  return cluster;
}

/** The client on the LAN has the address that dns is asked at: its cable decides whether dns is ready. */
async function answersAsDns(lab: Lab): Promise<void> {
  const argv = ['ip', 'address', 'replace', `${dnsAddress}/24`, 'dev', 'eth0'];
  const { exitCode, stderr } = await lab.outside('client', argv);
  if (exitCode !== 0) throw new Error(stderr);
}

export class Domains extends Cluster {
  constructor({ lab, installation }: Cluster) {
    super(lab, installation);
  }

  /** What `battito guests` shows, on any node. */
  async listed(node: LabNode): Promise<readonly GuestRow[]> {
    const [definitions, status] = await Promise.all([node.ask('/v1/guests'), this.status(node)]);
    return guestRows(definitions as GuestDefinitions, status);
  }

  /** Waits until a guest is listed as wanted; tells what is listed at last when it is not. */
  async lists<T>(node: LabNode, description: string, name: string, look: (row: GuestRow) => T): Promise<T> {
    return await waitFor(
      `${node.name}: ${name} is ${description}`,
      async () => {
        const rows = await this.listed(node);
        const row = rows.find((one) => one.name === name);
        const seen = row === undefined ? undefined : look(row);
        if (!seen) throw new Error(JSON.stringify(row ?? rows.map((one) => one.name)));
        return seen;
      },
      patience,
    );
  }

  /** Waits until the definition of a guest that was edited on a node is in the node's own store. */
  async storesEdit(node: LabNode, name: string): Promise<void> {
    const uuid = await this.lists(node, 'listed', name, ({ definition }) => definition?.uuid);
    await waitFor(
      `${node.name}: the edit of ${name} is stored`,
      async () => {
        const versions = (await node.ask(`/v1/guests/history?uuid=${uuid}`)) as readonly GuestVersion[];
        if (versions.length > 1 && versions[0]?.node === node.name) return true;
        throw new Error(JSON.stringify(versions));
      },
      patience,
    );
  }

  /** What libvirt itself has here, by name. */
  async defined(node: LabNode): Promise<readonly string[]> {
    return (await node.run('virsh --quiet list --all --name')).trim().split('\n').filter(Boolean).sort();
  }

  /** What libvirt itself has running, or paused, here. */
  async present(node: LabNode): Promise<readonly string[]> {
    return (await node.run('virsh --quiet list --name')).trim().split('\n').filter(Boolean).sort();
  }

  /** Does DRBD, as it runs, let db's device be primary on both nodes? */
  async letsTwo(node: LabNode): Promise<boolean> {
    const options = await node.run(`drbdsetup show ${guestMirror.name}`);
    return /^\s*allow-two-primaries(\s+yes)?;/m.test(options);
  }

  /** When the QEMU of a guest was started, in clock ticks after the node's boot (proc(5)); null: there is none. */
  async startedAt(node: LabNode, name: string): Promise<number | null> {
    const text = await node.run(
      `pid=$(pgrep -o -f '[q]emu-system.*guest=${name},') && sed 's/.*) //' /proc/$pid/stat | cut -d' ' -f20 || true`,
    );
    return text.trim() === '' ? null : Number(text);
  }
}
