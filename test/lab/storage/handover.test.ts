// The group is moved by a command: everything is stopped in order, nothing is lost, nothing has to be resynced.

import { useCluster } from '../support/cluster.ts';
import { mirrorIs } from '../support/mirror.ts';
import type { LabNode } from '../support/node.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { labTest } from '../support/use-lab.ts';

/** Blocks that went to the peer by a resync since it was connected, as the kernel counts them. */
const resyncs = async (node: LabNode) =>
  (await node.run('journalctl --no-pager --quiet -k')).match(/Began resync as \w+ \(will sync (\d+) KB/g) ??
  [];

labTest(
  'a handover and back: the guest is shut down, the mirror demoted, then promoted on the other node; ' +
    'no resync is needed',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useCluster(lab);
    const watch = startStopwatch(t);
    const before = await resyncs(primary);

    for (const [from, to] of [
      [primary, secondary],
      [secondary, primary],
    ] as const) {
      const counted = await cluster.counts(from);
      watch.restart(`handover to ${to.name}`);
      await cluster.handOver(from);
      watch.lap('the command has ended');
      await cluster.settled(to.name);
      watch.lap('settled');
      t.true(await cluster.holdsNothing(from));
      t.is(await cluster.answersFrom(), to.name);
      const last = (await cluster.shown(from)).at(-1);
      t.is(last?.what, 'stop', 'the guest was shut down, not killed');
      t.true((last?.count ?? 0) >= counted);
      t.is(await cluster.startedFrom(to), last?.count ?? -1, 'it went on from there');
      await mirrorIs(to, { connection: 'Connected', disks: 'UpToDate/UpToDate', roles: 'Primary/Secondary' });
    }
    t.deepEqual(await resyncs(primary), before, 'nothing had to be resynced');
    const log = await cluster.log(primary);
    t.true(log.indexOf('demoted') > 0 && log.indexOf('demoted') < log.lastIndexOf('promoted'));
  },
);
