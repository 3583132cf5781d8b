// etcd outside and softdog in both nodes: without the witness all goes on while the nodes hear each other; without both
// witness and peer the active node has frozen in time; and what is cut off has frozen before it is taken over.

import { setTimeout as sleep } from 'node:timers/promises';
import { noted, useWatchdogs, watchdogTimeoutS } from '../support/fenced.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { labTest } from '../support/use-lab.ts';

const bootIdOf = 'cat /proc/sys/kernel/random/boot_id';

labTest('witness lost while all is well: a warning, and nothing else', async (t, lab) => {
  const { primary } = lab;
  const { cluster, witness } = await useWatchdogs(t, lab);
  const before = await cluster.held(primary);
  const boot = await primary.run(bootIdOf);
  const watch = startStopwatch(t);
  await witness.stop();
  watch.restart('the witness is gone');
  await lab.both((node) =>
    cluster.says(node, 'a warning', ({ attention }) =>
      attention.some(({ code, severity }) => code === 'witness-unreachable' && severity === 'warning'),
    ),
  );
  watch.lap('both nodes warn');
  // What is not to happen can only be waited for: for longer than the lease and the watchdog together.
  await sleep(3 * watchdogTimeoutS * 1000);
  await cluster.counts(primary);
  t.deepEqual(await cluster.held(primary), before, 'nothing has moved');
  t.is(await primary.run(bootIdOf), boot);
  await witness.start();
  watch.restart('it is back');
  await lab.both((node) =>
    cluster.says(node, 'no warning', ({ attention }) =>
      attention.every(({ code }) => code !== 'witness-unreachable'),
    ),
  );
  watch.lap('no node warns');
  await cluster.settled('primary');
  t.deepEqual(await cluster.held(primary), before);
});

labTest(
  'witness and peer lost: the active node gives up in time, and goes on when it has the lease',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const { cluster, witness } = await useWatchdogs(t, lab);
    const boot = await primary.run(bootIdOf);
    const watch = startStopwatch(t);
    await witness.stop();
    await cluster.says(primary, 'a warning', ({ attention }) =>
      attention.some(({ code }) => code === 'witness-unreachable'),
    );
    await secondary.powerOff();
    watch.restart('the witness is gone, and now the peer has no power');
    await noted(primary, 'freeze');
    watch.lap('the active node has given up');
    await cluster.phaseIs(primary, 'frozen');
    t.is(await cluster.answersFrom(), null, 'nobody has the address');
    const counted = await cluster.lastCount(primary);
    // What is frozen needs no reset: it is fed on.
    await primary.run(`sleep ${2 * watchdogTimeoutS}`, { timeoutMs: 200_000 });
    t.is(await cluster.lastCount(primary), counted, 'the guest stands still');
    t.is(await primary.run(bootIdOf), boot);

    await witness.start();
    watch.restart('the witness is back');
    await cluster.runsOn(primary);
    watch.lap('the guest counts on');
    t.is((await cluster.shown(primary)).filter(({ what }) => what === 'start').length, 1, 'the same copy');
  },
);

labTest(
  'all links cut, with a lease: frozen before the other node starts, exactly one survives',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const { cluster } = await useWatchdogs(t, lab);
    const watch = startStopwatch(t);
    await lab.both((node) => cluster.watchGuest(node));
    const counted = await cluster.counts(primary);
    await cluster.cutOff(primary);
    watch.restart('every cable of the active node is cut');
    await noted(primary, 'freeze');
    watch.lap('it has given up');
    await cluster.runsOn(secondary);
    watch.lap('the guest counts on the other node');
    t.true((await cluster.startedFrom(secondary)) >= counted);
    t.is(await cluster.answersFrom(), 'secondary');
    await cluster.mend(primary);
    watch.restart('the cables are mended');
    await cluster.settled('secondary');
    watch.lap('the loser is a standby, and in step');
    const [last = 0, first = 0] = [
      (await cluster.ranAt(primary)).at(-1),
      (await cluster.ranAt(secondary))[0],
    ];
    t.log(`the one copy was last seen running ${(first - last).toFixed(1)} s before the other one was first`);
    t.true(last < first);
    t.notRegex(await cluster.kernelLog(secondary), /Split-Brain detected, dropping connection/);
  },
);
