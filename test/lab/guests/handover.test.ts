// Guests that are libvirt domains are handed over: shut down, or with their memory.

import { mountPoint } from '../support/cluster.ts';
import { useDomains } from '../support/domains.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { labTest } from '../support/use-lab.ts';

const checkTimeoutMs = 300_000;

labTest(
  'handover: a guest with `handover: save` goes on where it was, without a boot, and so does one with `live`; the others ' +
    'are shut down and started; one that libvirt would start by itself is named by check [ci]',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useDomains(lab);
    const watch = startStopwatch(t);
    for (const { name } of cluster.guests) {
      await cluster.lists(secondary, 'stored', name, ({ definition }) => definition?.state === 'same');
    }
    await primary.run('virsh --quiet autostart dns');
    const mends =
      /dns: libvirt starts it by itself with this host[\s\S]*?(virsh [^\n]*autostart --disable dns)/;
    const { stdout } = await primary.tryRun('battito check --this-node', { timeoutMs: checkTimeoutMs });
    const [, next = 'false'] = mends.exec(stdout) ?? [];
    t.log(next);
    await primary.run(next);
    t.regex(await primary.run('virsh dominfo dns'), /^Autostart: +disable$/m, stdout);

    watch.restart('checked');
    await cluster.handOver(primary);
    watch.lap('handed over');
    await cluster.settled('secondary');
    watch.lap('all count on the other node');
    t.true(await cluster.holdsNothing(primary));

    for (const name of ['mail', 'db']) {
      const [before, after] = [await cluster.shown(primary, name), await cluster.shown(secondary, name)];
      t.deepEqual(
        before.filter(({ what }) => what !== 'count').map(({ what }) => what),
        ['start'],
        `${name} was never told to stop`,
      );
      t.deepEqual(
        after.filter(({ what }) => what !== 'count'),
        [],
        `${name} did not boot`,
      );
      const [last = 0, first = 0] = [before.at(-1)?.count, after[0]?.count];
      // What it was showing when it was saved may be lost, with the buffer of the host that it was saved on.
      t.true(first === last + 1 || first === last + 2, `${name} had counted to ${last}, then ${first}`);
    }
    for (const name of ['dns', 'web']) {
      const stopped = (await cluster.shown(primary, name)).at(-1);
      t.deepEqual(stopped, { what: 'stop', count: await cluster.startedFrom(secondary, name) }, name);
    }
    const images = await secondary.run(`ls -A ${mountPoint}/.battito-saved`);
    t.is(images.trim(), '', 'the image is used once');
  },
);
