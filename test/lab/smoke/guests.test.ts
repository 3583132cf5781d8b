// libvirt inside the nodes runs real guests.

import { monotonicMs } from '../../support.ts';
import {
  countOnDisk,
  defineGuest,
  guestCounts,
  guestLines,
  startGuest,
  writeGuestDisk,
} from '../support/guest.ts';
import { createMirror, mirrorDevice, mirrorIs } from '../support/mirror.ts';
import { labTest } from '../support/use-lab.ts';

labTest('libvirt answers on both nodes', async (t, lab) => {
  await lab.both(async (node) => {
    t.is((await node.run('systemctl is-active libvirtd.socket')).trim(), 'active');
    t.is((await node.run('virsh --quiet list --all')).trim(), '');
  });
});

labTest(
  'a guest on the mirror counts; after its host lost power it goes on counting on the other node',
  async (t, lab) => {
    const { primary, secondary } = lab;
    await createMirror(lab);
    await lab.both((node) => defineGuest(node, { disk: mirrorDevice }));
    await primary.run('drbdadm primary r0');
    await writeGuestDisk(primary, mirrorDevice);
    const startedAtMs = monotonicMs();
    await startGuest(primary);
    t.is(await guestCounts(primary, 3), 'start 0');
    t.log(`counting ${((monotonicMs() - startedAtMs) / 1000).toFixed(1)} s after virsh start`);
    const stored = await countOnDisk(primary, mirrorDevice);
    t.true(stored >= 3);

    await primary.powerOff();
    await mirrorIs(secondary, { connection: 'WFConnection' });
    await secondary.run('drbdadm primary r0');
    await startGuest(secondary);
    await guestCounts(secondary, stored + 1);
    const [start = ''] = await guestLines(secondary);
    const from = Number(/^start (\d+)$/.exec(start)?.[1]);
    t.true(from >= stored, `it had counted to ${stored} at least, and began with: ${start}`);
    await secondary.run('virsh --quiet shutdown --mode acpi counter');
    await secondary.until('counter is off', 'virsh domstate counter', (text) => text.trim() === 'shut off');
    t.regex((await guestLines(secondary)).at(-1) ?? '', /^stop \d+$/);
  },
);
