// Guests that are libvirt domains, on the file system and on a device of their own, and a node whose libvirt has never
// heard of them: all of them are started, in order.

import { useDomains } from '../support/domains.ts';
import { addDomain } from '../support/installations.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { labTest } from '../support/use-lab.ts';

const emulator = '/usr/bin/qemu-system-x86_64';
/** On the primary only: libvirt refuses a definition with an emulator that is not there. */
const ownEmulator = '/usr/local/bin/qemu-of-the-primary';

labTest(
  'power loss of the active host: the survivor defines and starts every guest by priority, after and readiness; one ' +
    'whose definition its libvirt refuses is given up, and the others run [ci]',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useDomains(lab);
    const watch = startStopwatch(t);
    await primary.run(['ln', '-s', emulator, ownEmulator]);
    await addDomain(primary, 'broken', (xml) => xml.replace(emulator, ownEmulator));
    for (const name of ['broken', ...cluster.guests.map((guest) => guest.name)]) {
      await cluster.lists(secondary, 'stored', name, ({ definition }) => definition?.state === 'same');
    }
    watch.lap('all definitions are in the store of the survivor');
    t.deepEqual(await cluster.defined(secondary), []);
    const counted = new Map<string, number>();
    for (const { name } of cluster.guests) counted.set(name, await cluster.counts(primary, 1, name));

    await lab.cutOutsider('client');
    // A copy that was marked as the older one, for a cable that was slow, is rightly not taken over.
    await cluster.inStep('primary');
    await primary.powerOff();
    watch.restart('the active host lost its power, and nobody will answer for dns');
    await cluster.says(secondary, 'dns runs, the others wait', ({ groups }) => {
      const of = (name: string) => groups[0]?.resources.find(({ id }) => id === `guest:${name}`);
      return of('dns')?.status === 'up' && of('mail')?.waitsFor.includes('guest:dns');
    });
    watch.lap('dns runs');
    for (const name of ['mail', 'db', 'web'])
      t.is(await cluster.startedAt(secondary, name), null, `${name} waits`);
    await lab.mendOutsider('client');
    watch.lap('dns begins to answer');
    await cluster.says(secondary, 'all run, but one is given up', ({ groups }) => {
      const guests = groups[0]?.resources.filter(({ kind }) => kind === 'guest') ?? [];
      return guests.every(({ id, status, quarantined }) =>
        id === 'guest:broken' ? quarantined !== null : status === 'up',
      );
    });
    watch.lap('all run, but one is given up');

    const started = new Map<string, number>();
    for (const { name } of cluster.guests) {
      started.set(name, (await cluster.startedAt(secondary, name)) ?? 0);
      await cluster.counts(secondary, 1, name);
      const [from, to = 0] = [await cluster.startedFrom(secondary, name), counted.get(name)];
      t.true(from >= to, `${name} had counted to ${to} at least, and went on from ${from}`);
    }
    const order = ['dns', 'mail', 'db', 'web'].map((name) => started.get(name) ?? 0);
    t.true(
      order.every((at, index) => at > (order[index - 1] ?? 0)),
      `by when their QEMU was started: ${order.join(', ')}`,
    );
    const notes = (await cluster.history(secondary))
      .filter(({ code }) => ['operation-done', 'guest-ready', 'quarantined'].includes(code))
      .filter(({ message }) => message.includes('guest:'));
    for (const { message, tookMs } of notes)
      t.log(`${message}${tookMs === null ? '' : `, ${(tookMs / 1000).toFixed(1)} s`}`);
    const at = (message: string) => notes.findIndex((one) => one.message === message);
    t.true(at('guest:dns is ready') < at('start guest:mail'), 'mail was started once dns was ready');
    t.true(at('start guest:mail') < at('start guest:web'));
    const complaints = (await cluster.complaints(secondary)).join('\n');
    t.regex(complaints, /guest:broken.*qemu-of-the-primary/);
    t.deepEqual(await cluster.defined(secondary), ['db', 'dns', 'mail', 'web']);
  },
);
