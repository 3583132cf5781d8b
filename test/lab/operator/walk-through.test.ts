// The walk-through of the README, word by word, on two hosts as Debian leaves them: from the package to a host that has
// lost its power. Only what a reader's hosts have already is made before, and only what emulated hosts on a busy
// machine need is changed.

import { basename } from 'node:path';
import { Cluster } from '../support/cluster.ts';
import { guestConsole, guestXml, writeGuestDisk } from '../support/guest.ts';
import type { Installation } from '../support/installed.ts';
import type { Lab } from '../support/lab.ts';
import type { LabNode } from '../support/node.ts';
import { packageFile } from '../support/package.ts';
import { type NodeName, nodePlans } from '../support/plan.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { labTest } from '../support/use-lab.ts';
import { type Step, walkThrough } from '../support/walk-through.ts';

const configFile = '/etc/battito/battito.yaml';
const images = '/var/lib/libvirt/images';
const stepTimeoutMs = 600_000;

const mail = { name: 'mail', serial: guestConsole('mail'), process: 'guest=mail,' };

/** What the walk-through leaves; it is not made from this. */
const walked: Installation = { timings: '', guestsText: '', guests: [mail], setUp: async () => {} };

/** What a reader's hosts have: a logical volume, the package, a way from one to the other, and on one a guest. */
async function asBefore(lab: Lab): Promise<void> {
  const deb = await packageFile();
  await lab.both(async (node) => {
    await node.copyTo(deb, `/root/${basename(deb)}`);
    // The lab's nodes have no logical volumes; the name is what counts.
    await node.writeFile('/etc/udev/rules.d/60-volume.rules', 'KERNEL=="vdb", SYMLINK+="vg0/guests"\n');
    // A host that is emulated on a busy processor may not run for longer than one that a person would wait for.
    await node.writeFile('/etc/systemd/system/battito.service.d/lab.conf', '[Service]\nWatchdogSec=90s\n');
  });
  const { primary } = lab;
  await primary.copyTo(lab.image.key, '/root/.ssh/id_ed25519');
  await primary.run('chmod 600 /root/.ssh/id_ed25519');
  await primary.writeFile(
    '/root/.ssh/config',
    'Host *\n  StrictHostKeyChecking accept-new\n  LogLevel ERROR\n',
    '0600',
  );
  await primary.run(`mkdir -p ${images} && truncate -s 1M /root/mail.raw`);
  await writeGuestDisk(primary, '/root/mail.raw');
  await primary.run(
    `qemu-img convert -f raw -O qcow2 /root/mail.raw ${images}/mail.qcow2 && rm /root/mail.raw`,
  );
  const xml = guestXml({ name: 'mail', disk: `${images}/mail.qcow2` }).replace("type='raw'", "type='qcow2'");
  await primary.run('virsh --quiet define /dev/stdin', { input: xml, timeoutMs: stepTimeoutMs });
}

/** What the file has for other interfaces stays: the way in, which is no part of an office. */
async function writeInterfaces(node: LabNode, path: string, text: string): Promise<void> {
  const others = `auto lo mgmt\niface lo inet loopback\niface mgmt inet static\n  address ${nodePlans[node.name].mgmt}/24\n`;
  await node.writeFile(path, `${others}${text}`);
}

/** Times that hold when both hosts, and the guest on them, are emulated on two busy processors. */
async function withPatience(node: LabNode): Promise<void> {
  const before = await node.run(`cat ${configFile}`);
  const swaps = [
    ['keepalive: 200ms', 'keepalive: 1s'],
    ['warntime: 800ms', 'warntime: 6s'],
    ['deadtime: 2s', 'deadtime: 15s'],
    ['initdead: 30s', 'initdead: 60s'],
    ['guests: all', 'guests: [all, { name: mail, start-timeout: 5m }]'],
  ] as const;
  const after = swaps.reduce((text, [from, to]) => {
    if (text.split(from).length !== 2) throw new Error(`init has not written ${from} once:\n${text}`);
    return text.replace(from, to);
  }, before);
  await node.writeFile(configFile, after);
}

/** Exit codes with which a command has done what it is typed for, besides 0. */
function fineCodes(line: string): readonly number[] {
  if (/^battito (status|explain)\b/.test(line)) return [3]; // It runs, and something needs attention: that is an answer.
  if (line === 'battito takeover') return [75]; // Still under way: what comes of it is looked at.
  return [];
}

async function carryOut(lab: Lab, step: Step): Promise<void> {
  if (step.kind === 'file') {
    await lab.both((node) => writeInterfaces(node, step.path, step.textFor(node.name)));
    return;
  }
  const { line, where } = step;
  const names: readonly NodeName[] = where === 'both' ? ['primary', 'secondary'] : [where];
  await Promise.all(
    names.map(async (name) => {
      const node = lab.node(name);
      if (line === 'reboot') return await node.rebooting(() => node.run('systemctl reboot'));
      const { exitCode, stdout, stderr } = await node.tryRun(line, { timeoutMs: stepTimeoutMs });
      if (exitCode !== 0 && !fineCodes(line).includes(exitCode)) {
        throw new Error(`on ${name}: ${line}: exit ${exitCode}\n${stdout}\n${stderr}`);
      }
    }),
  );
}

labTest(
  'the walk-through of the README: from two bare hosts to the first takeover, and a host that lost its power',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const watch = startStopwatch(t);
    await asBefore(lab);
    watch.restart('the hosts are as a reader has them');
    const cluster = new Cluster(lab, walked);
    for (const step of walkThrough()) {
      const line = step.kind === 'line' ? step.line : '';
      // A reader looks when it is up, and takes over when the guests are.
      if (line === 'battito status') {
        await cluster.settled('primary');
        watch.lap('the guest counts on the preferred host');
      }
      // One that has slept takes longer to wake up here than a check waits.
      if (line.includes('battito check')) await lab.both((node) => node.run('virsh --quiet list >/dev/null'));
      await carryOut(lab, step);
      if (line.startsWith('battito init ')) await withPatience(primary);
    }
    const counted = await cluster.lastCount(primary);
    await cluster.settled('secondary');
    watch.lap('taken over by hand');
    t.true((await cluster.startedFrom(secondary)) >= counted, 'with its disk');
    t.true(await cluster.holdsNothing(primary));

    const later = await cluster.counts(secondary);
    await secondary.powerOff();
    watch.restart('the plug is pulled');
    await cluster.runsOn(primary);
    watch.lap('the guest counts again');
    t.true((await cluster.startedFrom(primary)) >= later);
    t.true((await cluster.held(primary)).address);
  },
);
