// What tests begin with: one counting guest of the qemu driver; or domains of libvirt, made with libvirt's own tools on
// one node as an administrator would.

import type { CounterTraits } from '../../guest/build.ts';
import { defineGuest, guestConsole, guestXml, writeGuestDisk } from './guest.ts';
import { type Installation, type InstalledGuest, mountPoint } from './installed.ts';
import { guestMirror } from './mirror.ts';
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

/** In the order in which they are to start; db has a device of its own, and nobody has named web. */
const domainNames = ['dns', 'mail', 'db', 'web'] as const;

/** As a definition has it. */
const dbDisk = `/dev/drbd/by-res/${guestMirror.name}/0`;
/** Of the node where db runs: who connects to it is shown what db shows. */
export const dbPort = 4000;

const domain = (name: string): InstalledGuest => ({
  name,
  serial: guestConsole(name),
  process: `guest=${name},`,
});

/** Four emulators on an emulated host: it is slower still. */
const domainTimings = 'keepalive: 1s\n  warntime: 6s\n  deadtime: 15s\n  initdead: 60s';

/** Three domains on the file system and one on a device of its own, of which only the primary's libvirt has ever heard. */
export const domainsInstallation: Installation = {
  timings: domainTimings,
  slowHosts: true,
  guestMirrors: [guestMirror],
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
      - name: db
        priority: 2
        start-timeout: 5m
        handover: live
start: { memory-reserve: 384M }
`,
  guests: domainNames.map(domain),
  async setUp(primary) {
    for (const name of domainNames) {
      if (name === 'db') await addDb(primary, { ticksPerCount: domainTicks });
      else await addDomain(primary, name);
    }
  },
};

/** web alone, and whatever else is defined on the file system later: for tests of what is defined, not of what runs. */
export const webInstallation: Installation = {
  timings: domainTimings,
  slowHosts: true,
  guestsText: `    guests: all
`,
  guests: [domain('web')],
  setUp: (primary) => addDomain(primary, 'web'),
};

/** db alone, which counts more often and whose memory is worth moving. */
export const dbInstallation: Installation = {
  timings: domainTimings,
  slowHosts: true,
  guestMirrors: [guestMirror],
  guestsText: `    guests:
      - name: db
        start-timeout: 5m
        handover: live
`,
  guests: [domain('db')],
  setUp: (primary) => addDb(primary, { ticksPerCount: 6, filledMebibytes: 16 }),
};

async function addDb(node: LabNode, traits: CounterTraits): Promise<void> {
  await writeGuestDisk(node, dbDisk, traits);
  await defineGuest(node, { name: 'db', disk: dbDisk, consolePort: dbPort });
}

/** A counting guest on the group's file system, made known to the libvirt of the node where that is mounted. */
export async function addDomain(
  node: LabNode,
  name: string,
  change: (xml: string) => string = (xml) => xml,
): Promise<void> {
  const disk = domainDisk(name);
  await makeDisk(node, disk, { ticksPerCount: domainTicks });
  await node.run('virsh --quiet define /dev/stdin', { input: change(guestXml({ name, disk })) });
}

/** The same, made and started as an administrator does it, who imports a disk that is there. */
export async function virtInstall(node: LabNode, name: string): Promise<void> {
  const disk = domainDisk(name);
  await makeDisk(node, disk, { ticksPerCount: domainTicks });
  const machine = '--virt-type qemu --machine pc --memory 32 --vcpus 1 --osinfo require=off';
  const disks = `--import --disk path=${disk},format=raw,bus=ide,cache=none`;
  const serial = `--serial file,source.path=${guestConsole(name)}`;
  const none = '--network none --graphics none --controller usb,model=none --memballoon none --rng none';
  const command = `virt-install --name ${name} ${machine} ${disks} ${serial} ${none} --noautoconsole`;
  await node.run(command, { timeoutMs: virtInstallMs });
}

/** A large program in Python, on an emulated host. */
const virtInstallMs = 400_000;

async function makeDisk(node: LabNode, disk: string, traits: CounterTraits = {}): Promise<void> {
  await node.run(`truncate -s 1M ${disk}`);
  await writeGuestDisk(node, disk, traits);
}
