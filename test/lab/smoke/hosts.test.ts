// The two nodes are hosts of their own: they boot, have networks and power, and can stand still.

import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs } from '../../support.ts';
import { otherNode, outsiderAddresses } from '../support/plan.ts';
import { labTest } from '../support/use-lab.ts';

labTest('both nodes have booted to multi-user, and nothing has failed on them', async (t, lab) => {
  await lab.both(async (node) => {
    t.is((await node.run('systemctl is-active multi-user.target')).trim(), 'active');
    t.is(await node.run('systemctl --failed --plain --no-legend'), '');
    t.is((await node.run('uname -n')).trim(), node.name);
  });
});

labTest('commands bring back their exit codes, output and input', async (t, lab) => {
  const result = await lab.primary.tryRun('cat; echo told >&2; exit 7', { input: 'given' });
  t.deepEqual(result, { exitCode: 7, stdout: 'given', stderr: 'told\n' });
  t.is(await lab.primary.run(['printf', '%s', "it's $HOME; a b"]), "it's $HOME; a b");
});

labTest(
  'the nodes reach each other on both networks, and the gateway and the client on the LAN',
  async (t, lab) => {
    await lab.both(async (node) => {
      const peer = lab.node(otherNode(node.name));
      const { gateway, client } = outsiderAddresses;
      for (const address of [peer.address('lan'), peer.address('heartbeat'), gateway, client]) {
        t.regex(await node.run(`ping -c 1 -W 10 ${address}`), / 0% packet loss/, address);
      }
      t.is((await lab.outside('client', ['ping', '-c', '1', '-W', '10', node.address('lan')])).exitCode, 0);
    });
  },
);

for (const [cable, card] of [
  ['lan', 'eth0'],
  ['heartbeat', 'eth1'],
] as const) {
  labTest(`a cut ${cable} cable is seen as NO-CARRIER, and the other network goes on`, async (t, lab) => {
    const { primary, secondary } = lab;
    const other = cable === 'lan' ? 'heartbeat' : 'lan';
    const carrier = (wanted: string) =>
      primary.until(
        `carrier ${wanted}`,
        `cat /sys/class/net/${card}/carrier`,
        (text) => text.trim() === wanted,
      );
    await primary.cut(cable);
    await carrier('0');
    t.regex(await primary.run(`ip link show ${card}`), /NO-CARRIER/);
    t.is((await primary.tryRun(`ping -c 1 -W 1 ${secondary.address(cable)}`)).exitCode, 1);
    t.regex(await primary.run(`ping -c 1 -W 10 ${secondary.address(other)}`), / 0% packet loss/);
    await primary.mend(cable);
    await carrier('1');
    t.regex(await primary.run(`ping -c 3 -W 10 ${secondary.address(cable)}`), /[1-3] received/);
  });
}

labTest('a silent cut passes nothing, and the node sees no change of carrier', async (t, lab) => {
  const { primary, secondary } = lab;
  await primary.cut('heartbeat', 'silent');
  t.is((await primary.run('cat /sys/class/net/eth1/carrier')).trim(), '1');
  t.is((await primary.tryRun(`ping -c 1 -W 1 ${secondary.address('heartbeat')}`)).exitCode, 1);
  await primary.mend('heartbeat');
  t.regex(await primary.run(`ping -c 3 -W 10 ${secondary.address('heartbeat')}`), /[1-3] received/);
});

labTest(
  'a node that loses its power keeps what was flushed, and boots again; a cut cable stays cut',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const boot = await primary.run('cat /proc/sys/kernel/random/boot_id');
    await primary.run('echo kept >/root/kept; sync; echo lost >/dev/shm/lost');
    await primary.cut('heartbeat');
    await primary.powerOff();
    t.is(primary.power(), 'off');
    t.is((await secondary.tryRun(`ping -c 1 -W 1 ${primary.address('lan')}`)).exitCode, 1);
    const startedAtMs = monotonicMs();
    await primary.powerOn();
    t.log(`booted in ${((monotonicMs() - startedAtMs) / 1000).toFixed(1)} s`);
    t.not(await primary.run('cat /proc/sys/kernel/random/boot_id'), boot);
    t.is(await primary.run('cat /root/kept; ls /dev/shm'), 'kept\n');
    t.is((await primary.run('cat /sys/class/net/eth1/carrier')).trim(), '0');
    t.is((await primary.run('systemctl is-active multi-user.target')).trim(), 'active');
    t.regex(await secondary.run(`ping -c 3 -W 10 ${primary.address('lan')}`), /[1-3] received/);
  },
);

labTest('a frozen node answers nobody; thawed, it goes on, and its clock has gone on', async (t, lab) => {
  const { primary, secondary } = lab;
  const frozenMs = 3000;
  const uptime = async () => Number((await primary.run('cat /proc/uptime')).split(' ')[0]) * 1000;
  const before = await uptime();
  await primary.freeze();
  t.is(primary.power(), 'frozen');
  t.is((await secondary.tryRun(`ping -c 1 -W 1 ${primary.address('lan')}`)).exitCode, 1);
  await sleep(frozenMs);
  await primary.cut('heartbeat');
  await primary.thaw();
  t.true((await uptime()) - before >= frozenMs);
  t.regex(await secondary.run(`ping -c 3 -W 10 ${primary.address('lan')}`), /[1-3] received/);
  await primary.until('NO-CARRIER', 'cat /sys/class/net/eth1/carrier', (text) => text.trim() === '0');
});

labTest('the power button shuts a node down in order', async (t, lab) => {
  await lab.secondary.shutDown();
  t.is(lab.secondary.power(), 'off');
});

labTest('a node that reboots by itself is waited for', async (t, lab) => {
  const { primary } = lab;
  const before = await primary.run('cat /proc/sys/kernel/random/boot_id');
  await primary.rebooting(() => primary.run('systemctl reboot'));
  t.not(await primary.run('cat /proc/sys/kernel/random/boot_id'), before);
});
