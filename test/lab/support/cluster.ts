// A cluster as a test has it: what its daemons say, what is so on its hosts, whether its guests count, and what is done
// to it. What is asserted of hosts is looked at on the hosts; the daemons' word is used to wait.

import type { GroupView, HistoryEntry, Status } from '../../../daemon/control/api.ts';
import { waitFor } from '../../support.ts';
import { counterInstallation } from './installations.ts';
import {
  floatingAddress,
  groupName,
  type Installation,
  type InstalledGuest,
  mirrorsOf,
  mountPoint,
  resetToInstalled,
} from './installed.ts';
import type { Lab } from './lab.ts';
import { type Mirror, mirrorDevice, mirrorIs } from './mirror.ts';
import type { LabNode } from './node.ts';
import { cardAddress, type NodeName, otherNode } from './plan.ts';

export { mountPoint } from './installed.ts';

const guestWatch = '/run/counter.watch';

/** Generous: an emulated node under load is slow, and no test is about speed. To ask costs it seconds as well. */
export const patience = { timeoutMs: 900_000, intervalMs: 1000 } as const;

// ---- the cluster ----

export interface ClusterOptions {
  /** False: the daemons are not started. */
  readonly start?: boolean;
  /** What is installed; the counting guest of the qemu driver unless told. */
  readonly installation?: Installation;
}

/** A cluster whose group is active on the primary, and its guests count there. */
export async function useCluster(
  lab: Lab,
  { start = true, installation = counterInstallation }: ClusterOptions = {},
): Promise<Cluster> {
  await resetToInstalled(lab, installation);
  const cluster = new Cluster(lab, installation);
  if (!start) return cluster;
  // DRBD first: a daemon whose device is not up yet is not willing, and the other node would take the group.
  const up = cluster.mirrors.map(({ name }) => `drbdadm up ${name} && drbdadm wait-connect ${name}`);
  await lab.both((node) => node.run(up.join(' && ')));
  await lab.both((node) => node.run('systemctl start battito'));
  await cluster.settled('primary');
  return cluster;
}

export class Cluster {
  readonly lab: Lab;
  readonly installation: Installation;

  constructor(lab: Lab, installation: Installation) {
    this.lab = lab;
    this.installation = installation;
  }

  get guests(): readonly InstalledGuest[] {
    return this.installation.guests;
  }

  get mirrors(): readonly Mirror[] {
    return mirrorsOf(this.installation);
  }

  /** By its name; the first one when that is left out. */
  #guest(name?: string): InstalledGuest {
    const found = name === undefined ? this.guests[0] : this.guests.find((guest) => guest.name === name);
    if (found === undefined) throw new Error(`there is no guest ${name}`);
    return found;
  }

  // ---- what the daemons say ----

  async status(node: LabNode): Promise<Status> {
    return (await node.ask('/v1/status')) as Status;
  }

  async group(node: LabNode): Promise<GroupView> {
    const found = (await this.status(node)).groups.find(({ name }) => name === groupName);
    if (found === undefined) throw new Error(`no group ${groupName}`);
    return found;
  }

  /** Waits until the status of a node is as wanted; tells what it was at last when it does not get so. */
  async says<T>(
    node: LabNode,
    description: string,
    look: (status: Status) => T,
    timeoutMs: number = patience.timeoutMs,
  ) {
    return await waitFor(
      `${node.name}: ${description}`,
      async () => {
        const status = await this.status(node);
        const seen = look(status);
        if (!seen) throw new Error(summary(status));
        return seen;
      },
      { ...patience, timeoutMs },
    );
  }

  async phaseIs(node: LabNode, phase: GroupView['phase'], timeoutMs?: number): Promise<void> {
    await this.says(node, `${groupName} is ${phase}`, ({ groups }) => groups[0]?.phase === phase, timeoutMs);
  }

  /** What the daemon has noted since its state directory was made, oldest first. */
  async history(node: LabNode): Promise<readonly HistoryEntry[]> {
    return JSON.parse(await node.run('battito history --json')) as readonly HistoryEntry[];
  }

  /** The service's own log. */
  log(node: LabNode): Promise<string> {
    return node.run('journalctl --no-pager --quiet -o short-precise -u battito');
  }

  kernelLog(node: LabNode): Promise<string> {
    return node.run('journalctl --no-pager --quiet -o short-precise -k');
  }

  // ---- what is so ----

  /** Everything of the group is up on `active` and the guests count; the other node is a standby in step. */
  async settled(active: NodeName): Promise<void> {
    const standby = this.lab.node(otherNode(active));
    await this.runsOn(this.lab.node(active));
    await this.inStep(active);
    await this.says(standby, 'standby', ({ groups, verdict }) => {
      const [group] = groups;
      return verdict.kind === 'alive' && group?.phase === 'stopped' && group.runsOn === active;
    });
  }

  /** Active, all up, and the guests count. */
  async runsOn(node: LabNode): Promise<void> {
    await this.says(node, 'active, everything up', ({ groups }) => {
      const [group] = groups;
      return group?.phase === 'active' && group.resources.every(({ status }) => status === 'up');
    });
    for (const { name } of this.guests) await this.counts(node, 3, name);
  }

  async inStep(active: NodeName): Promise<void> {
    const inStep = { connection: 'Connected', disks: 'UpToDate/UpToDate', roles: 'Primary/Secondary' };
    for (const { name } of this.mirrors)
      await mirrorIs(this.lab.node(active), inStep, name, patience.timeoutMs);
  }

  /** Nothing of the group is here: address, role, mount, guest. */
  async holdsNothing(node: LabNode): Promise<boolean> {
    const held = await this.held(node);
    return !held.address && !held.mounted && held.guestPids.length === 0 && !held.primary;
  }

  /** What a look at the host itself shows, whatever the daemon says. */
  async held(node: LabNode) {
    const text = await node.run(
      [
        `ip -o addr show | grep -c 'inet ${floatingAddress}/' || true`,
        `grep -c '^${mirrorDevice} ${mountPoint} ' /proc/mounts || true`,
        `{ ${this.mirrors.map(({ name }) => `drbdadm role ${name} 2>/dev/null`).join('; ')}; } | grep -c ^Primary/ || true`,
        ...this.guests.map(({ process }) => `pgrep -d, -f '[q]emu-system.*${process}' || echo`),
      ].join('; '),
    );
    const [address, mounted, primaries, ...guests] = text.split('\n');
    const pids = guests.flatMap((line) => line.split(',').filter(Boolean).map(Number));
    return {
      address: address !== '0',
      mounted: mounted !== '0',
      /** Of any of the group's devices. */
      primary: primaries !== '0',
      /** In the order of {@link guests}, when all run; two of one guest would be there too. */
      guestPids: pids,
      guestPid: pids[0],
    };
  }

  /** The node whose card answers for the floating address; null: nobody does. */
  async answersFrom(): Promise<NodeName | null> {
    const argv = ['arping', '-c', '1', '-w', '2', '-I', 'eth0', floatingAddress];
    const { stdout } = await this.lab.outside('client', argv);
    const card = /\[([0-9A-Fa-f:]{17})\]/.exec(stdout)?.[1]?.toLowerCase();
    const names = ['primary', 'secondary'] as const;
    return names.find((name) => cardAddress('lan', name) === card) ?? null;
  }

  // ---- a guest: the first one unless it is named ----

  /** What the guest has shown on this node, oldest first. */
  async shown(
    node: LabNode,
    name?: string,
  ): Promise<readonly { readonly what: string; readonly count: number }[]> {
    const text = await node.run(`cat ${this.#guest(name).serial} 2>/dev/null || true`);
    return [...text.matchAll(/(start|count|stop|fail) (\d+)\r\n/g)].map(([, what = '', count]) => ({
      what,
      count: Number(count),
    }));
  }

  /** The last count that the guest has shown on this node; it was on the disk before. */
  async lastCount(node: LabNode, name?: string): Promise<number> {
    return (await this.shown(node, name)).findLast(({ what }) => what === 'count')?.count ?? 0;
  }

  /** What it went on from when it was last started on this node. */
  async startedFrom(node: LabNode, name?: string): Promise<number> {
    return (await this.shown(node, name)).findLast(({ what }) => what === 'start')?.count ?? -1;
  }

  /** Waits until the guest has counted on from here; returns how far. */
  async counts(node: LabNode, more = 3, name?: string): Promise<number> {
    const lines = async () => (await this.shown(node, name)).filter(({ what }) => what === 'count');
    const before = (await lines()).length;
    const seen = await waitFor(
      `${node.name}: ${this.#guest(name).name} counts on`,
      async () => {
        const now = await lines();
        if (now.length < before + more) throw new Error(`${now.length - before} more counts`);
        return now;
      },
      patience,
    );
    return seen.at(-1)?.count ?? 0;
  }

  // ---- did two copies run? ----

  /** Notes on the node, by its clock, how much the guest has shown; to be read by {@link ranAt}. */
  async watchGuest(node: LabNode): Promise<void> {
    const loop = `while :; do echo "$EPOCHREALTIME $(wc -c <${this.#guest().serial})"; sleep 0.2; done >>${guestWatch} 2>/dev/null`;
    await node.run(['systemd-run', '--quiet', '--collect', 'bash', '-c', loop]);
  }

  /** The times, in seconds since 1970, at which the guest was seen to have gone on since the look before. */
  async ranAt(node: LabNode): Promise<readonly number[]> {
    const lines = (await node.run(`cat ${guestWatch}`)).trim().split('\n');
    const looks = lines.map((line) => line.split(' ').map(Number) as [at: number, bytes: number]);
    return looks.flatMap(([at, bytes], index) => (bytes > (looks[index - 1]?.[1] ?? bytes) ? [at] : []));
  }

  /** By the command of an operator who is as patient as an emulated host needs; returns what it prints. */
  async handOver(from: LabNode): Promise<string> {
    const command = `battito handover --timeout ${patience.timeoutMs / 60_000}m`;
    return await from.run(command, { timeoutMs: patience.timeoutMs + 60_000 });
  }

  // ---- faults ----

  /** No cable of the node leads anywhere. */
  async cutOff(node: LabNode): Promise<void> {
    await Promise.all([node.cut('lan'), node.cut('heartbeat')]);
  }

  async mend(node: LabNode): Promise<void> {
    await Promise.all([node.mend('lan'), node.mend('heartbeat')]);
  }

  /** So much on the file system that a resync of it can be met half way. */
  async write(node: LabNode, mebibytes: number): Promise<void> {
    await node.run(
      `dd if=/dev/urandom of=${mountPoint}/bulk bs=1M count=${mebibytes} conv=fsync status=none`,
      { timeoutMs: patience.timeoutMs },
    );
  }

  /** What people are told: alarms and warnings of the status. */
  async complaints(node: LabNode): Promise<readonly string[]> {
    const { attention } = await this.status(node);
    return attention
      .filter(({ severity }) => severity !== 'info')
      .map(({ code, message, next }) => `${code}: ${message}; ${next}`);
  }
}

function summary({ verdict, groups, attention }: Status): string {
  const [group] = groups;
  const resources = group?.resources.map(
    ({ id, status, operation, quarantined, lastError }) =>
      `${id} ${status}${operation === null ? '' : ` (${operation.action})`}${quarantined === null ? '' : ` given up: ${quarantined}`}${lastError === null ? '' : `: ${lastError}`}`,
  );
  const notes = attention.map(({ code, message }) => `${code}: ${message}`);
  return [
    `peer ${verdict.kind}; ${group?.name} ${group?.phase}, runs on ${group?.runsOn}: ${group?.reason}`,
    ...(resources ?? []),
    ...notes,
  ].join('; ');
}
