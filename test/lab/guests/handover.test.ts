// Guests that are libvirt domains are handed over: shut down, or with their memory.

import { mountPoint } from '../support/cluster.ts';
import { useDomains } from '../support/domains.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { labTest } from '../support/use-lab.ts';

const handoverTimeoutMs = 300_000;

labTest(
  'handover: a guest with `handover: save` goes on where it was, without a boot; the others are shut down and started [ci]',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useDomains(lab);
    const watch = startStopwatch(t);
    for (const { name } of cluster.guests) {
      await cluster.lists(secondary, 'stored', name, ({ definition }) => definition?.state === 'same');
    }
    await primary.run('battito handover', { timeoutMs: handoverTimeoutMs });
    watch.lap('handed over');
    await cluster.settled('secondary');
    watch.lap('all count on the other node');
    t.true(await cluster.holdsNothing(primary));

    const [before, after] = [await cluster.shown(primary, 'mail'), await cluster.shown(secondary, 'mail')];
    t.deepEqual(
      before.filter(({ what }) => what !== 'count').map(({ what }) => what),
      ['start'],
      'it was never told to stop',
    );
    t.deepEqual(
      after.filter(({ what }) => what !== 'count'),
      [],
      'it did not boot',
    );
    const [last = 0, next = 0] = [before.at(-1)?.count, after[0]?.count];
    // What it was showing when it was saved may be lost, with the buffer of the host that it was saved on.
    t.true(next === last + 1 || next === last + 2, `it had counted to ${last}, and went on with ${next}`);
    for (const name of ['dns', 'web']) {
      const stopped = (await cluster.shown(primary, name)).at(-1);
      t.deepEqual(stopped, { what: 'stop', count: await cluster.startedFrom(secondary, name) }, name);
    }
    const images = await secondary.run(`ls -A ${mountPoint}/.battito-saved`);
    t.is(images.trim(), '', 'the image is used once');
  },
);
