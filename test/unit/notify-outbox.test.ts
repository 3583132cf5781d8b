// Messages on their way: kept, bounded, tried again, and never twice at a time.

import test from 'ava';
import { pino } from 'pino';
import type { NotifyChannelConfig } from '../../daemon/config/config.ts';
import type { Delivery, Message } from '../../daemon/notify/message.ts';
import { createOutbox, type OutboxRecord } from '../../daemon/notify/outbox.ts';
import { tellTest } from '../../daemon/notify/story.ts';
import { waitFor } from '../support.ts';

const channel = (name: string, severity: 'warning' | 'alarm' = 'warning'): NotifyChannelConfig => ({
  ...{ name, severity, timeoutMs: 1000, secrets: null, caFile: null },
  way: { kind: 'hook', program: '/bin/true' },
});
const message = (id: string, rank: Message['rank'] = 'alarm'): Message => ({
  ...tellTest({ cluster: 'office', node: 'primary' }, id, 0),
  rank,
});

const later: Delivery = { kind: 'later', message: 'no route', next: 'mend the network' };
const sent: Delivery = { kind: 'sent', message: 'taken' };

function box(answer: (channel: string, id: string) => Delivery, known: OutboxRecord | null = null) {
  const tried: string[] = [];
  const lines: string[] = [];
  const kept: string[] = [];
  const time = { ms: 1_000_000 };
  /** What the wall clock is ahead. */
  const step = { ms: 0 };
  const begunAt = Date.now();
  let underWay = 0;
  const outbox = createOutbox({
    known,
    channels: [channel('admin'), channel('pager', 'alarm')],
    async send({ id }, { name }) {
      underWay += 1;
      if (underWay > 1) throw new Error('two at once');
      await Promise.resolve();
      underWay -= 1;
      tried.push(`${name} ${id}`);
      return answer(name, id);
    },
    logger: pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line).msg) }),
    nowMs: () => time.ms + Date.now() - begunAt,
    wallMs: () => time.ms + step.ms + Date.now() - begunAt,
    save: async () => void kept.push(JSON.stringify(outbox.record())),
    againMs: 20,
  });
  return { outbox, tried, lines, kept, time, step };
}

const idle = (tried: readonly string[], count: number) =>
  waitFor(`${count} attempts`, () => tried.length >= count);

test('each channel gets what it wants, once, and nothing is kept then', async (t) => {
  const { outbox, tried, kept } = box(() => sent);
  outbox.put(message('a'));
  outbox.put(message('b', 'warning'));
  await waitFor('all is sent', () => outbox.record().waiting.length === 0);
  t.deepEqual(tried.toSorted(), ['admin a', 'admin b', 'pager a']);
  t.true(kept[0]?.includes('"id":"a"'), 'it is kept before the first attempt');
});

test('what fails is tried again, said once, kept for the next run, and sent when the network is back', async (t) => {
  let answer: Delivery = later;
  const { outbox, tried, lines, time } = box((name) => (name === 'admin' ? answer : sent));
  outbox.put(message('a'));
  await idle(tried, 2);
  await waitFor('it waits', () => outbox.attention().length === 1);
  t.like(outbox.attention()[0], {
    code: 'notify-failed',
    message: 'notifications by admin do not get through: no route; 1 message waits',
    next: 'mend the network',
  });
  for (let time_ = 0; time_ < 3; time_ += 1) {
    const before = tried.length;
    time.ms += 600_000;
    outbox.put(message(`later-${time_}`, 'warning'));
    await idle(tried, before + 1);
  }
  const failures = lines.filter((line) => line.startsWith('a notification did not get through'));
  t.deepEqual(failures, ['a notification did not get through: no route']);

  const next = box(() => sent, JSON.parse(JSON.stringify(outbox.record())) as OutboxRecord);
  await waitFor('the next run has sent it', () => next.outbox.record().waiting.length === 0);
  t.deepEqual(next.tried, ['admin a', 'admin later-0', 'admin later-1', 'admin later-2']);

  answer = sent;
  outbox.hurry();
  await waitFor('all is sent', () => outbox.record().waiting.length === 0);
  t.deepEqual(outbox.attention(), []);
  t.true(lines.includes('notifications get through again'));
  outbox.close();
});

test('of too many the least urgent and the oldest go; what is a week old is of no use', async (t) => {
  const { outbox, time, tried } = box(() => later);
  outbox.put(message('warning', 'warning'));
  await idle(tried, 1);
  for (let index = 0; index < 120; index += 1) outbox.put(message(`alarm-${index}`));
  const { waiting, dropped } = outbox.record();
  t.is(waiting.length, 100);
  t.is(dropped, 21);
  t.is(waiting[0]?.message.id, 'alarm-20');
  time.ms += 8 * 24 * 3_600_000;
  outbox.put(message('new'));
  t.deepEqual(
    outbox.record().waiting.map(({ message: { id } }) => id),
    ['new'],
  );
  outbox.close();
});

test('a clock that is set years ahead makes no message old, also over a restart after it', async (t) => {
  const { outbox, tried, step } = box(() => later);
  outbox.put(message('takeover'));
  await idle(tried, 2);
  step.ms = 26 * 365 * 86_400_000;
  outbox.put(message('new'));
  const record = outbox.record();
  t.deepEqual(
    record.waiting.map(({ message: { id } }) => id),
    ['takeover', 'new'],
  );
  t.is(record.dropped, 0);
  t.true(
    record.waiting.every(({ sinceMs }) => sinceMs > step.ms),
    'by the clock as it is now',
  );
  outbox.close();
});

test('at a start with a clock that is years ahead no message is too old to be tried, for a day', async (t) => {
  const one = { message: message('takeover'), channels: ['admin'], sinceMs: -800 * 86_400_000 };
  const { outbox, tried, time } = box(() => later, { waiting: [one], dropped: 0 });
  await idle(tried, 1);
  t.like(outbox.record(), { waiting: { length: 1 }, dropped: 0 });
  time.ms += 25 * 3_600_000;
  outbox.put(message('new'));
  t.deepEqual(
    outbox.record().waiting.map(({ message: { id } }) => id),
    ['new'],
  );
  outbox.close();
});

test('a message that is refused for its own sake keeps no other one back, and is given up', async (t) => {
  const refusal: Delivery = { kind: 'refused', message: 'too long (400)', next: 'make it shorter' };
  let closed = false;
  const { outbox, tried, time, lines } = box((_, id) => (id === 'long' || closed ? refusal : sent));
  const put = async (id: string, ms: number) => {
    const { length } = tried;
    time.ms += ms;
    outbox.put(message(id, 'warning'));
    await idle(tried, length + 1);
  };
  outbox.put(message('long', 'warning'));
  await idle(tried, 1);
  outbox.put(message('soon', 'warning'));
  t.is(tried.length, 1, 'nobody mends a password within minutes');
  await put('next', 6 * 60_000);
  await waitFor('the long one is left', () => outbox.record().waiting.length === 0);
  t.deepEqual(tried, ['admin long', 'admin soon', 'admin next', 'admin long']);
  t.true(lines.includes('this notification alone is refused: given up'));
  t.is(outbox.attention().length, 1);
  await put('last', 0);
  t.deepEqual(outbox.attention(), []);
  closed = true;
  await put('kept', 0);
  await put('kept too', 6 * 60_000);
  t.is(outbox.record().waiting.length, 2, 'where all are refused none is given up');
  outbox.close();
});

test('a hook that failed is not run again, and a channel that is gone is waited for no more', async (t) => {
  const { outbox, tried } = box((name) => (name === 'pager' ? { ...later, kind: 'failed' } : later));
  outbox.put(message('a'));
  await idle(tried, 2);
  await waitFor('the hook is over', () => outbox.record().waiting[0]?.channels.join() === 'admin');
  outbox.configure([channel('pager', 'alarm')]);
  t.deepEqual(outbox.record().waiting, []);
  outbox.close();
});
