// What tests begin with: one counting guest of the qemu driver; or domains of libvirt, made with libvirt's own tools on
// one node as an administrator would.

import { guestConsole, guestXml, writeGuestDisk } from './guest.ts';
import { type Installation, mountPoint } from './installed.ts';
import type { LabNode } from './node.ts';

const counterDisk = `${mountPoint}/counter.raw`;
const counterSerial = '/var/lib/counter.serial';

/** Times that hold when both hosts are emulated on two busy processors. */
export const counterInstallation: Installation = {
  timings: 'keepalive: 500ms\n  warntime: 2s\n  deadtime: 5s\n  initdead: 20s',
  guestsText: `    guests:
      - name: counter
        driver: qemu
        memory: 32M
        accel: tcg
        disk: { file: ${counterDisk}, format: raw }
        serial: ${counterSerial}
        start-timeout: 60s
`,
  guests: [{ name: 'counter', serial: counterSerial, process: 'counter' }],
  setUp: (primary) => makeDisk(primary, counterDisk),
};

/** Who answers there says that dns is ready: the guests of the lab have no cards. */
export const dnsAddress = '192.168.1.53';

export const domainDisk = (name: string) => `${mountPoint}/${name}.raw`;

/** About one count a second: what several guests write makes an emulated host slow. */
const domainTicks = 18;

/** In the order in which they are to start: web is one of all, which nobody has named. */
const domainNames = ['dns', 'mail', 'web'] as const;

/** Three domains on the file system, of which only the primary's libvirt has ever heard. */
export const domainsInstallation: Installation = {
  // Four emulators on an emulated host: it is slower still.
  timings: 'keepalive: 1s\n  warntime: 6s\n  deadtime: 15s\n  initdead: 60s',
  guestsText: `    guests:
      - all
      - name: dns
        priority: 10
        start-timeout: 5m
        readiness: ping ${dnsAddress}
        readiness-timeout: 10m
      - name: mail
        after: [dns]
        priority: 5
        start-timeout: 5m
        handover: save
start: { memory-reserve: 384M }
`,
  guests: domainNames.map((name) => ({
    name,
    serial: guestConsole(name),
    process: `guest=${name},`,
  })),
  async setUp(primary) {
    for (const name of domainNames) await addDomain(primary, name);
  },
};

/** A counting guest on the group's file system, made known to the libvirt of the node where that is mounted. */
export async function addDomain(
  node: LabNode,
  name: string,
  change: (xml: string) => string = (xml) => xml,
): Promise<void> {
  const disk = domainDisk(name);
  await makeDisk(node, disk, domainTicks);
  await node.run('virsh --quiet define /dev/stdin', { input: change(guestXml({ name, disk })) });
}

async function makeDisk(node: LabNode, disk: string, ticksPerCount?: number): Promise<void> {
  await node.run(`truncate -s 1M ${disk}`);
  await writeGuestDisk(node, disk, ticksPerCount);
}
