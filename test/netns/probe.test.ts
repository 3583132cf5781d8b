// The probes against a real neighbour that answers, falls silent or is cut off.

import type { ProbeTarget } from '../../daemon/drivers/probe/probe.ts';
import type { WorkerEvent } from './support/driver-worker.ts';
import { type DriverHost, eventually, type NamespacePair, pairTest } from './support/namespace-pair.ts';

const icmp: ProbeTarget = { kind: 'icmp', address: '10.9.0.2' };
const arp: ProbeTarget = { kind: 'arp', address: '10.9.0.2', interface: 'eth0' };

const isResult = (kind: string) => (event: WorkerEvent) =>
  event.event === 'result' && event.value.kind === kind;

async function start({ left }: NamespacePair, target: ProbeTarget): Promise<DriverHost> {
  const drivers = left.startDrivers();
  await drivers.ask({ kind: 'create-probe', target });
  await drivers.ask({ kind: 'set-pace', intervalMs: 100 });
  return drivers;
}

for (const target of [icmp, arp]) {
  const title = target.kind.toUpperCase();

  pairTest(`${title}: answers, silence and answers again are told apart`, async (t, pair) => {
    const { right } = pair;
    const drivers = await start(pair, target);
    const answered = await drivers.until('an answer', isResult('answered'));
    right.run('ip', 'address', 'del', '10.9.0.2/24', 'dev', 'eth0');
    const silent = await drivers.until('silence', isResult('unanswered'), answered);
    await drivers.until('silence that lasts', isResult('unanswered'), silent + 1);
    right.run('ip', 'address', 'add', '10.9.0.2/24', 'dev', 'eth0');
    await drivers.until('an answer again', isResult('answered'), silent);
    t.false(drivers.events.some(isResult('failed')));
  });

  pairTest(
    `${title}: a target that never answers is unanswered from the first result on`,
    async (t, pair) => {
      const drivers = await start(pair, { ...target, address: '10.9.0.66' });
      let seen = 0;
      for (let count = 0; count < 5; count += 1)
        seen = 1 + (await drivers.until('silence', isResult('unanswered'), seen));
      t.true(drivers.events.every(isResult('unanswered')));
    },
  );

  pairTest(`${title}: the own cable pulled is a failed question, not a silent peer`, async (t, pair) => {
    const { left, right } = pair;
    const drivers = await start(pair, target);
    await drivers.until('an answer', isResult('answered'));
    right.run('ip', 'link', 'set', 'eth0', 'down');
    const failed = await drivers.until('failed', isResult('failed'));
    t.regex(drivers.events.find(isResult('failed'))?.value.message, /carrier|unreachable/i);
    const from = 1 + (await drivers.until('failed again', isResult('failed'), failed + 1));
    left.run('ip', 'link', 'set', 'eth0', 'down');
    await drivers.until('failed still', isResult('failed'), from);
    t.false(drivers.events.slice(failed).some(isResult('unanswered')));
    left.run('ip', 'link', 'set', 'eth0', 'up');
    right.run('ip', 'link', 'set', 'eth0', 'up');
    await drivers.until('an answer again', isResult('answered'), from);
  });

  pairTest(
    `${title}: a new pace starts a new round, null ends it, close leaves no child`,
    async (t, pair) => {
      const drivers = await start(pair, target);
      await drivers.until('an answer', isResult('answered'));
      const old = [...drivers.children().keys()];
      await drivers.ask({ kind: 'set-pace', intervalMs: 10_000 });
      await eventually(
        'the old children gone',
        () => !old.some((pid) => drivers.children().has(pid)) || undefined,
      );
      await drivers.ask({ kind: 'set-pace', intervalMs: null });
      await eventually('no child', () => drivers.children().size === 0 || undefined);
      const paused = drivers.events.length;
      await drivers.ask({ kind: 'set-pace', intervalMs: 30_000 });
      const slow = await drivers.until('an answer at the slow pace', isResult('answered'), paused);
      await drivers.ask({ kind: 'set-pace', intervalMs: 100 });
      const next = await drivers.until('an answer at the faster pace', isResult('answered'), slow + 1);
      await drivers.until('and the next', isResult('answered'), next + 1);
      await drivers.ask({ kind: 'close' });
      t.is(drivers.children().size, 0);
      t.false(drivers.events.some(isResult('failed')), 'changing the pace is not a failure');
    },
  );

  pairTest(`${title}: a missing command is a failed question`, async (t, { left }) => {
    const drivers = left.startDrivers({ searchPath: '/nonexistent' });
    await drivers.ask({ kind: 'create-probe', target });
    await drivers.ask({ kind: 'set-pace', intervalMs: 100 });
    const first = await drivers.until('failed', isResult('failed'));
    await drivers.until('failed again', isResult('failed'), first + 1);
    t.regex(drivers.events.find(isResult('failed'))?.value.message, /not installed/);
    const results = drivers.events.filter(({ event }) => event === 'result');
    t.true(results.every(isResult('failed')));
    t.is(drivers.events.filter(({ event, value }) => event === 'log' && value.level === 40).length, 1);
  });
}

pairTest('ICMP: IPv6 answers as well', async (t, pair) => {
  const drivers = await start(pair, { ...icmp, address: 'fd00:9::2' });
  await drivers.until('an answer', isResult('answered'));
  t.pass();
});

pairTest('ICMP: no route is a failed question, and is tried again until there is one', async (t, pair) => {
  const { left, right } = pair;
  const drivers = await start(pair, { ...icmp, address: '10.77.0.2' });
  const failed = await drivers.until('failed', isResult('failed'));
  t.regex(drivers.events[failed]?.value.message ?? '', /unreachable/i);
  right.run('ip', 'address', 'add', '10.77.0.2/24', 'dev', 'eth0');
  left.run('ip', 'address', 'add', '10.77.0.1/24', 'dev', 'eth0');
  const answered = await drivers.until('an answer', isResult('answered'), failed);
  left.run('ip', 'address', 'del', '10.77.0.1/24', 'dev', 'eth0');
  await drivers.until('failed when the route is gone', isResult('failed'), answered);
  t.pass();
});

pairTest('ICMP: a ping that is killed is a failed question and is replaced', async (t, pair) => {
  const drivers = await start(pair, icmp);
  await drivers.until('an answer', isResult('answered'));
  const [pid] = [...drivers.children()].find(([, line]) => line.startsWith('ping ')) ?? [];
  process.kill(pid ?? t.fail(), 'SIGKILL');
  const failed = await drivers.until('failed', isResult('failed'));
  t.regex(drivers.events[failed]?.value.message ?? '', /SIGKILL/);
  await drivers.until('an answer again', isResult('answered'), failed);
});

pairTest('ICMP: a ping that stands still is replaced', async (t, pair) => {
  const drivers = await start(pair, icmp);
  await drivers.until('an answer', isResult('answered'));
  const [pid] = [...drivers.children()].find(([, line]) => line.startsWith('ping ')) ?? [];
  process.kill(pid ?? t.fail(), 'SIGSTOP');
  const failed = await drivers.until('failed', isResult('failed'));
  await drivers.until('an answer again', isResult('answered'), failed);
  t.false(drivers.children().has(pid ?? 0));
});

pairTest('ARP: an answer names the MAC address that gave it', async (t, pair) => {
  const drivers = await start(pair, arp);
  const answered = await drivers.until('an answer', isResult('answered'));
  t.deepEqual(drivers.events[answered]?.value, { kind: 'answered', mac: pair.right.mac });
});

pairTest('ARP: a missing interface, or one without an address, is a failed question', async (t, { left }) => {
  const drivers = left.startDrivers();
  await drivers.ask({ kind: 'create-probe', target: { ...arp, interface: 'eth7' } });
  await drivers.ask({ kind: 'set-pace', intervalMs: 100 });
  await drivers.until('failed', isResult('failed'));
  t.regex(drivers.events.find(isResult('failed'))?.value.message, /eth7/);
  left.run('ip', 'address', 'del', '10.9.0.1/24', 'dev', 'eth0');
  const bare = left.startDrivers();
  await bare.ask({ kind: 'create-probe', target: arp });
  await bare.ask({ kind: 'set-pace', intervalMs: 100 });
  await bare.until('failed', isResult('failed'));
  t.false([...drivers.events, ...bare.events].some(isResult('unanswered')));
});
