// Definitions of guests on both nodes, made with virt-install and libvirt's own tools on one of them.

import { useWeb } from '../support/domains.ts';
import { guestLines } from '../support/guest.ts';
import { virtInstall } from '../support/installations.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { labTest } from '../support/use-lab.ts';

labTest(
  'a guest that virt-install makes and starts on the active node is one of the group and runs on, and its definition is ' +
    'in the store of the other node, whose libvirt knows nothing of it',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useWeb(lab);
    const watch = startStopwatch(t);
    for (const { name } of cluster.guests) {
      await cluster.lists(primary, 'in step', name, ({ definition }) => definition?.state === 'same');
    }
    await virtInstall(primary, 'printer');
    watch.restart('virt-install has made printer on the active node, and started it');
    const row = await cluster.lists(secondary, 'stored', 'printer', (found) => {
      const own = found.definition?.sides.find(({ node }) => node === 'secondary');
      return own?.stored === true && own.libvirt === 'none' ? found : undefined;
    });
    watch.lap('it is in the store of the other node');
    t.like(row, { group: 'office', runsOn: 'primary' });
    await cluster.says(primary, 'printer runs', ({ groups }) =>
      groups[0]?.resources.some(({ id, status }) => id === 'guest:printer' && status === 'up'),
    );
    watch.lap('it runs');
    for (const node of [primary, secondary]) {
      await cluster.lists(node, 'in step', 'printer', ({ definition }) => definition?.state === 'same');
    }
    t.deepEqual(await cluster.defined(primary), ['printer', 'web']);
    t.deepEqual(await cluster.defined(secondary), []);
    const text = await secondary.run('battito guests');
    t.regex(text, /^printer +office +primary +defined +stored +the same on both nodes$/m);
    t.is((await primary.run('battito guests diff')).trim(), '');
    const starts = (await guestLines(primary, 'printer')).filter((line) => line.startsWith('start '));
    t.deepEqual(starts, ['start 0'], 'it was started once');
  },
);

labTest(
  'a guest is edited on both nodes while they do not hear each other: both are told of, nothing is merged, and a person ' +
    'decides',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useWeb(lab);
    const watch = startStopwatch(t);
    await cluster.lists(secondary, 'stored', 'web', ({ definition }) => definition?.state === 'same');
    await secondary.run('virsh --quiet define /var/lib/battito/definitions/web.xml');
    await cluster.lists(secondary, 'defined on both', 'web', ({ definition }) =>
      definition?.sides.every(({ libvirt }) => libvirt === 'in-use'),
    );
    await cluster.cutOff(secondary);
    watch.restart('the standby is cut off');
    await cluster.says(secondary, 'isolated', ({ verdict }) => verdict.kind === 'isolated');
    await primary.run('virsh --quiet setvcpus web 2 --maximum --config');
    await secondary.run('virsh --quiet setmaxmem web 48M --config');
    for (const node of [primary, secondary]) await cluster.storesEdit(node, 'web');
    watch.lap('web was edited on both');
    await cluster.mend(secondary);
    for (const node of [primary, secondary]) {
      await cluster.lists(node, 'in conflict', 'web', ({ definition }) => definition?.state === 'conflict');
    }
    watch.lap('both tell of it');
    const listed = await primary.tryRun('battito guests');
    t.is(listed.exitCode, 3);
    t.regex(listed.stdout, /^! web was edited on both nodes$/m);
    const diff = await primary.tryRun('battito guests diff web');
    t.is(diff.exitCode, 1);
    t.regex(diff.stdout, /^-.*<vcpu[^>]*>2</m);
    t.regex(diff.stdout, /^[+].*<memory[^>]*>49152</m);
    const xml = await Promise.all(
      [primary, secondary].map((node) => node.run('virsh dumpxml --inactive web')),
    );
    t.deepEqual(
      xml.map((text) => [/<vcpu[^>]*>(\d)</, /<memory[^>]*>(\d+)</].map((part) => part.exec(text)?.[1])),
      [
        ['2', '32768'],
        ['1', '49152'],
      ],
      'each node has what was made there',
    );

    t.log((await primary.run('battito guests keep web --from secondary')).trim());
    for (const node of [primary, secondary]) {
      await cluster.lists(node, 'settled', 'web', ({ definition }) => definition?.state === 'same');
      t.regex(await node.run('cat /var/lib/battito/definitions/web.xml'), /<memory[^>]*>49152</);
    }
    t.is(
      (await cluster.shown(primary, 'web')).filter(({ what }) => what === 'start').length,
      1,
      'it runs on',
    );
  },
);
