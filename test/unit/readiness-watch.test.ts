// The watch that asks guests that are up, with probes whose answers the test gives one by one.

import { setImmediate as nextTurn } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import type { ReadinessAnswer, ReadinessProbe } from '../../daemon/drivers/readiness/readiness.ts';
import { createReadinessWatch } from '../../daemon/runtime/guests/readiness-watch.ts';
import { waitFor } from '../support.ts';

const up = { kind: 'up' } as const;
const yes = { ready: true, why: 'it answers' };
const no = { ready: false, why: 'it is silent' };

/** A probe whose questions wait for the test; an abort answers them, as it does with a real one. */
function slowProbe() {
  const open: Array<(answer: ReadinessAnswer) => void> = [];
  let [asked, most] = [0, 0];
  const probe: ReadinessProbe = {
    isReady(signal) {
      asked += 1;
      const { promise, resolve } = Promise.withResolvers<ReadinessAnswer>();
      open.push(resolve);
      most = Math.max(most, open.length);
      signal.addEventListener('abort', () => {
        const at = open.indexOf(resolve);
        if (at >= 0) open.splice(at, 1);
        resolve(no);
      });
      return promise;
    },
    commands: () => [],
  };
  return {
    probe,
    asked: () => asked,
    mostAtOnce: () => most,
    async answer(answer: ReadinessAnswer) {
      await waitFor('a question', () => open.length > 0);
      open.shift()?.(answer);
    },
  };
}

function watched(t: ExecutionContext, probes: ReadonlyMap<string, ReadinessProbe>) {
  const told: string[] = [];
  const watch = createReadinessWatch({
    probes,
    everyMs: 1,
    onReady: (group, resource) => told.push(`${group} ${resource}`),
    logger: pino({ level: 'silent' }),
  });
  t.teardown(() => watch.close());
  return { watch, told };
}

/** Time in which a question that should not be asked would be: many intervals of the watch. */
async function manyTurns(): Promise<void> {
  for (let turn = 0; turn < 200; turn += 1) await nextTurn();
}

test('a guest that is up is asked until it answers, and told of once', async (t) => {
  const mail = slowProbe();
  const { watch, told } = watched(t, new Map([['guest:mail', mail.probe]]));
  watch.seen('office', 'guest:mail', up);
  t.is(watch.lastWhy('guest:mail'), null);
  await mail.answer(no);
  await waitFor('it was asked again', () => mail.asked() === 2);
  t.is(watch.lastWhy('guest:mail'), 'it is silent');
  watch.seen('office', 'guest:mail', up);
  await mail.answer(no);
  await mail.answer(yes);
  await waitFor('told', () => told.length > 0);
  watch.seen('office', 'guest:mail', up);
  await manyTurns();
  t.deepEqual(told, ['office guest:mail']);
  t.is(watch.lastWhy('guest:mail'), 'it answers');
  t.is(mail.asked(), 3);
  t.is(mail.mostAtOnce(), 1);
});

for (const status of [
  { kind: 'down' },
  { kind: 'paused' },
  { kind: 'unknown', message: 'libvirt does not answer' },
] as const) {
  test(`a guest that is seen ${status.kind} is asked no more, and anew at the next up`, async (t) => {
    const mail = slowProbe();
    const { watch, told } = watched(t, new Map([['guest:mail', mail.probe]]));
    watch.seen('office', 'guest:mail', up);
    await mail.answer(no);
    await waitFor('asked again', () => mail.asked() === 2);
    watch.seen('office', 'guest:mail', status);
    t.is(watch.lastWhy('guest:mail'), null);
    await manyTurns();
    t.is(mail.asked(), 2);
    watch.seen('office', 'guest:mail', up);
    await mail.answer(yes);
    await waitFor('told', () => told.length > 0);
    watch.seen('office', 'guest:mail', status);
    watch.seen('office', 'guest:mail', up);
    await mail.answer(yes);
    await waitFor('told again', () => told.length > 1);
    t.deepEqual(told, ['office guest:mail', 'office guest:mail']);
    t.is(mail.mostAtOnce(), 1);
  });
}

test('an answer that comes after the guest went down is not told, nor is a second question asked beside it', async (t) => {
  const answers: Array<(answer: ReadinessAnswer) => void> = [];
  const deaf: ReadinessProbe = {
    isReady: () => new Promise((resolve) => answers.push(resolve)),
    commands: () => [],
  };
  const { watch, told } = watched(t, new Map([['guest:mail', deaf]]));
  watch.seen('office', 'guest:mail', up);
  await waitFor('asked', () => answers.length === 1);
  watch.seen('office', 'guest:mail', { kind: 'down' });
  watch.seen('office', 'guest:mail', up);
  await manyTurns();
  t.is(answers.length, 1);
  answers[0]?.(yes);
  await waitFor('asked for the guest that is up now', () => answers.length === 2);
  t.deepEqual(told, []);
  answers[1]?.(yes);
  await waitFor('told', () => told.length > 0);
  t.deepEqual(told, ['office guest:mail']);
});

test('each guest is asked by itself, one that comes late too, and what has no probe is left alone', async (t) => {
  const [mail, web] = [slowProbe(), slowProbe()];
  const probes = new Map([['guest:mail', mail.probe]]);
  const { watch, told } = watched(t, probes);
  watch.seen('office', 'guest:mail', up);
  watch.seen('office', 'guest:web', up);
  watch.seen('office', 'address:192.168.1.1', up);
  t.is(watch.lastWhy('guest:web'), null);
  probes.set('guest:web', web.probe);
  watch.seen('lab', 'guest:web', up);
  await web.answer(yes);
  await waitFor('told', () => told.length > 0);
  t.deepEqual(told, ['lab guest:web']);
  await mail.answer(yes);
  await waitFor('told', () => told.length > 1);
  t.deepEqual(told, ['lab guest:web', 'office guest:mail']);
});

test('a probe that throws is no answer, and is asked again', async (t) => {
  let asked = 0;
  const broken: ReadinessProbe = {
    async isReady() {
      asked += 1;
      if (asked === 1) throw new Error('no process can be made');
      return yes;
    },
    commands: () => [],
  };
  const { watch, told } = watched(t, new Map([['guest:mail', broken]]));
  watch.seen('office', 'guest:mail', up);
  await waitFor('told', () => told.length > 0);
  t.is(asked, 2);
});

test('nothing is asked or told after the end', async (t) => {
  const mail = slowProbe();
  const { watch, told } = watched(t, new Map([['guest:mail', mail.probe]]));
  watch.seen('office', 'guest:mail', up);
  await waitFor('asked', () => mail.asked() === 1);
  await watch.close();
  watch.seen('office', 'guest:mail', { kind: 'down' });
  watch.seen('office', 'guest:mail', up);
  await manyTurns();
  t.is(mail.asked(), 1);
  t.deepEqual(told, []);
});
