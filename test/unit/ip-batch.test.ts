// The long-lived ip: what it says, and what becomes of what it was told when it hangs, ends or is called off. A shell
// script stands in for ip(8): it answers as that does, and remembers what it was told.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import { createIpBatch, type IpBatch } from '../../daemon/drivers/address/ip-batch.ts';
import { isRunning, temporaryDirectory, waitFor } from '../support.ts';

/** What it does with a line that has `add` in it is in the file `mode`. */
const program = `echo $$ >> "$0/pids"
address=
while read -r line; do
  echo "$line" >> "$0/told"
  case $line in
    *' add '*)
      case $(cat "$0/mode") in
        hang) kill -STOP $$ ;;
        end) exit 3 ;;
        refuse) ;;
        slow) sleep 0.8 ;;
        *) address='{"family":"inet","local":"10.0.0.1","prefixlen":24}' ;;
      esac ;;
    *' dev eth0') printf '[{"ifindex":2,"ifname":"eth0","flags":["UP"],"addr_info":[%s]}]\\n' "$address" ;;
    *' dev old0') printf '[{"ifindex":2,"ifname":"new0","flags":["UP"],"addr_info":[]}]\\n' ;;
    *' dev lo') printf '[{"ifindex":1,"ifname":"lo","flags":["UP"],"addr_info":[]}]\\n\\n' ;;
    *) echo 'Device does not exist.' >&2; printf '[]\\n' ;;
  esac
done
`;

interface Stand {
  readonly batch: IpBatch;
  /** The number that eth0 has. */
  readonly kernel: { index: number };
  readonly logged: string[];
  mode(name: 'add' | 'hang' | 'end' | 'refuse' | 'slow'): void;
  told(): string;
  pids(): number[];
}

const add = ['address', 'add', '10.0.0.1/24', 'dev', 'eth0'];

/** Six slow answers take longer, each of them far less. */
const answerTimeoutMs = 4000;

async function stand(t: ExecutionContext): Promise<Stand> {
  const folder = temporaryDirectory(t);
  const file = (name: string) => join(folder, name);
  for (const name of ['mode', 'told', 'pids']) writeFileSync(file(name), '');
  const logged: string[] = [];
  const logger = pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) });
  const kernel = { index: 2 };
  const indexOf = () => kernel.index;
  const argv = ['sh', '-c', program, folder];
  const batch = createIpBatch({ logger, argv, indexOf, answerTimeoutMs });
  t.teardown(() => batch.close());
  const pids = () => readFileSync(file('pids'), 'utf8').split('\n').filter(Boolean).map(Number);
  await waitFor('it runs', () => pids().length === 1);
  return {
    ...{ batch, kernel, logged },
    mode: (name) => writeFileSync(file('mode'), name),
    told: () => readFileSync(file('told'), 'utf8'),
    pids,
  };
}

const perform = ({ batch }: Stand, words = add, networkInterface = 'eth0') =>
  batch.perform(words, networkInterface, AbortSignal.timeout(30_000));

test('a line is carried out, and what the kernel shows is the answer', async (t) => {
  const host = await stand(t);
  const shown = await perform(host);
  t.like(shown, { name: 'eth0', index: 2 });
  t.deepEqual(
    shown?.addresses.map(({ address }) => address),
    ['10.0.0.1'],
  );
  t.is(host.pids().length, 1);
});

test('a line that fails is no error here: the interface is shown without the address', async (t) => {
  const host = await stand(t);
  host.mode('refuse');
  t.deepEqual((await perform(host))?.addresses, []);
});

test('several at once are answered each, in order', async (t) => {
  const host = await stand(t);
  const shown = await Promise.all([perform(host), perform(host), perform(host)]);
  t.deepEqual(
    shown.map((each) => each?.name),
    ['eth0', 'eth0', 'eth0'],
  );
});

test('one that hangs is gone before that is said, whoever waits; the next one works', async (t) => {
  const host = await stand(t);
  host.mode('hang');
  const [first] = host.pids();
  t.deepEqual(await Promise.all([perform(host), perform(host)]), [null, null]);
  t.true(!isRunning(first ?? 0), 'what it was told cannot happen later');
  t.true(host.logged.some((line) => line.includes('did not answer within')));
  host.mode('add');
  await waitFor('another one runs', () => host.pids().length === 2);
  t.is((await perform(host))?.addresses.length, 1);
});

test('of many at once each waits for its turn: one that goes on answering is not taken for one that hangs', async (t) => {
  const host = await stand(t);
  host.mode('slow');
  const shown = await Promise.all(Array.from({ length: 6 }, () => perform(host)));
  t.true(shown.every((one) => one?.name === 'eth0'));
  t.is(host.pids().length, 1);
});

test('one that ends is started again, and what it was told is unknown', async (t) => {
  const host = await stand(t);
  host.mode('end');
  t.is(await perform(host), null);
  t.true(host.logged.some((line) => line.includes('ended with exit code 3')));
  host.mode('add');
  await waitFor('another one works', async () => (await perform(host)) !== null);
});

test('what is called off is not done later', async (t) => {
  const host = await stand(t);
  host.mode('hang');
  const [first] = host.pids();
  const abort = new AbortController();
  const answer = host.batch.perform(add, 'eth0', abort.signal);
  await waitFor('it was told', () => host.told().includes(' add '));
  abort.abort();
  t.is(await answer, null);
  t.true(!isRunning(first ?? 0));
});

test('what was called off before is not even told', async (t) => {
  const host = await stand(t);
  t.is(await host.batch.perform(add, 'eth0', AbortSignal.abort()), null);
  t.false(host.told().includes(' add '));
});

test('an interface that it has seen under its present number is not asked for before each action', async (t) => {
  const host = await stand(t);
  const asked = () =>
    host
      .told()
      .split('\n')
      .filter((line) => line === 'address show dev eth0').length;
  host.kernel.index = 3;
  for (const _address of ['10.0.0.1', '10.0.0.2']) host.batch.prepare('eth0');
  await perform(host);
  t.is(
    asked(),
    3,
    'once for both addresses; before the action, since the name may be that of another one now; after it',
  );
  host.kernel.index = 2;
  await perform(host);
  t.is(asked(), 4, 'after the action');
  host.kernel.index = 3;
  await perform(host);
  t.is(asked(), 6);
  host.kernel.index = 2;
  host.mode('end');
  t.is(await perform(host), null);
  const before = asked();
  host.mode('add');
  await waitFor('another one works', async () => (await perform(host)) !== null);
  t.is(asked(), before + 2, 'it remembers nothing');
});

test('to prepare for an interface that is not there does no harm', async (t) => {
  const host = await stand(t);
  host.batch.prepare('eth7');
  t.like(await perform(host), { name: 'eth0' });
  t.is(host.pids().length, 1);
});

for (const [title, name] of [
  ['that is not there', 'eth7'],
  ['whose name it remembers for another one', 'old0'],
] as const) {
  test(`nothing is done to an interface ${title}, and a new process looks afresh`, async (t) => {
    const host = await stand(t);
    t.is(await perform(host, ['address', 'add', '10.0.0.1/24', 'dev', name], name), null);
    t.false(host.told().includes(' add '));
    await waitFor('another one runs', () => host.pids().length === 2);
  });
}

test('a program that is missing is said, and answers nothing', async (t) => {
  const logged: string[] = [];
  const logger = pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) });
  const batch = createIpBatch({ logger, argv: ['/no/such/ip'] });
  t.teardown(() => batch.close());
  t.is(await batch.perform(add, 'eth0', AbortSignal.timeout(30_000)), null);
  t.true(logged.some((line) => line.includes('/no/such/ip is not installed')));
});
