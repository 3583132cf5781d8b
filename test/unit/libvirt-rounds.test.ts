// One question for the states of all domains: who is told by it, and by nothing older than the wish.

import test from 'ava';
import { createRounds } from '../../daemon/drivers/libvirt/rounds.ts';
import type { VirshFailure, VirshResult } from '../../daemon/drivers/libvirt/virsh.ts';

const uuid = '0b8b2c1e-5a52-4f0e-9a4a-0c4f7f6f3a01';
const all = (
  ...domains: readonly (readonly [name: string, state: number, reason: number])[]
): VirshResult => ({
  kind: 'done',
  stdout: [
    ...domains.map(([name]) => `${uuid} ${name}\n`),
    ...domains.map(([name, ...n]) => `Domain: '${name}'\n  state.state=${n[0]}\n  state.reason=${n[1]}\n\n`),
  ].join(''),
});
const failure = (code: VirshFailure['code']): VirshFailure => ({ kind: 'failed', code, message: code });
const running = { state: 'running', reason: 'booted' };

/** Each question of all is answered by the test; those for one domain by `own`. */
function createAsker(own: (name: string) => VirshResult = () => failure('libvirt-refused')) {
  const questions: ((answer: VirshResult) => void)[] = [];
  const heard: (() => void)[] = [];
  const askedFor: string[] = [];
  const state = createRounds((args) => {
    const [word = '', option = ''] = args;
    if (word === 'domstate') {
      const name = option.slice('--domain='.length);
      askedFor.push(name);
      return Promise.resolve(own(name));
    }
    const { promise, resolve } = Promise.withResolvers<VirshResult>();
    questions.push(resolve);
    for (const hear of heard.splice(0)) hear();
    return promise;
  });
  const asked = async (count: number) => {
    while (questions.length < count) await new Promise<void>((resolve) => heard.push(resolve));
  };
  return {
    questions,
    askedFor,
    asked,
    state: (name: string, signal?: AbortSignal) => state(name, signal === undefined ? {} : { signal }),
  };
}

test('whoever asks at the time is told by one question', async (t) => {
  const asker = createAsker();
  const answers = Array.from({ length: 20 }, (_, index) => asker.state(`guest${index}`));
  await asker.asked(1);
  const running19 = Array.from({ length: 19 }, (_, index) => [`guest${index}`, 1, 1] as const);
  asker.questions[0]?.(all(...running19));
  const seen = await Promise.all(answers);
  for (const one of seen.slice(0, 19)) t.like(one, { kind: 'done', state: running, uuid });
  t.like(seen[19], { kind: 'failed', code: 'libvirt-no-domain', message: 'libvirt has no domain guest19' });
  t.is(asker.questions.length, 1);
  t.deepEqual(asker.askedFor, []);
});

test('nobody is told by a question that was asked before', async (t) => {
  const asker = createAsker();
  const early = asker.state('mail');
  await asker.asked(1);
  const late = [asker.state('mail'), asker.state('mail')];
  asker.questions[0]?.(all(['mail', 1, 1]));
  t.like(await early, { state: running });
  await asker.asked(2);
  asker.questions[1]?.(all(['mail', 5, 2]));
  for (const one of late) t.like(await one, { state: { state: 'shut off', reason: 'destroyed' } });
  t.is(asker.questions.length, 2);
});

test('one who gives up waiting leaves the others to it', async (t) => {
  const asker = createAsker();
  const abort = new AbortController();
  const [given, waits] = [asker.state('mail', abort.signal), asker.state('mail')];
  await asker.asked(1);
  abort.abort();
  t.like(await given, { code: 'libvirt-aborted' });
  t.like(await asker.state('mail', abort.signal), { code: 'libvirt-aborted' });
  asker.questions[0]?.(all(['mail', 1, 1]));
  t.like(await waits, { state: running });
});

test('a domain that is listed without a state is asked for by itself, and never taken for gone', async (t) => {
  const asker = createAsker(() => ({ kind: 'done', stdout: 'paused (user)\n\n' }));
  const answers = [asker.state('listed'), asker.state('mute')];
  await asker.asked(1);
  asker.questions[0]?.({ kind: 'done', stdout: `${uuid} listed\nDomain: 'mute'\n` });
  for (const one of answers) t.like(await one, { state: { state: 'paused', reason: 'user' } });
  t.deepEqual(asker.askedFor, ['listed', 'mute']);
});

test('where all cannot be told of at once each is asked for by itself for a while', async (t) => {
  for (const code of ['libvirt-refused', 'libvirt-silent'] as const) {
    const asker = createAsker((name) =>
      name === 'stuck' ? failure('libvirt-silent') : { kind: 'done', stdout: 'running (booted)\n\n' },
    );
    const answers = ['mail', 'stuck'].map((name) => asker.state(name));
    await asker.asked(1);
    asker.questions[0]?.(failure(code));
    t.like(await answers[0], { state: running });
    t.like(await answers[1], { code: 'libvirt-silent' });
    t.like(await asker.state('mail'), { state: running });
    t.is(asker.questions.length, 1, code);
  }
});

test('a libvirt that tells nobody anything is asked one question again', async (t) => {
  const asker = createAsker(() => failure('libvirt-silent'));
  const answer = asker.state('mail');
  await asker.asked(1);
  asker.questions[0]?.(failure('libvirt-silent'));
  t.like(await answer, { code: 'libvirt-silent' });
  const again = asker.state('mail');
  await asker.asked(2);
  asker.questions[1]?.(failure('libvirt-down'));
  t.like(await again, { code: 'libvirt-down' });
  t.deepEqual(asker.askedFor, ['mail']);
});
