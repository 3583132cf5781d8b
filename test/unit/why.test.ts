// Every message has a code, every code an explanation, and `battito why` finds it by either.

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import test from 'ava';
import { transitions } from '../../daemon/core/transitions.ts';
import { exitCodes } from '../../daemon/errors.ts';
import { type Code, chapters, explanations } from '../../daemon/why/explanations.ts';
import { findCodes } from '../../daemon/why/find.ts';
import { extract } from '../../scripts/troubleshooting/extract.ts';
import { made } from '../../scripts/troubleshooting/main.ts';
import { renderMessages, renderPage } from '../../scripts/troubleshooting/page.ts';
import { run } from './fixtures/cli/terminal.ts';

const root = resolve(import.meta.dirname, '../..');
const extracted = extract(join(root, 'daemon'));
const codes = Object.keys(explanations) as Code[];

test('Every code that the sources print has an explanation', (t) => {
  // Codes of operations' failures stand in no message of their own: the note about the operation has one.
  const isOfOperation = (code: string) => ofDrivers.has(code);
  for (const code of extracted.messages.keys()) {
    // A single word may be anything; that a code of one word is explained the compiler sees.
    const isBeginning = codes.some((one) => one.startsWith(`${code}-`)); // `key-file` of `key-file-mode`.
    const isEnd = codes.some((one) => composed.some((form) => form.exec(one)?.groups?.['part'] === code));
    if (isOfOperation(code) || isBeginning || isEnd || !code.includes('-')) continue;
    t.true(Object.hasOwn(explanations, code), `${code} has none`);
  }
  t.true(extracted.messages.size > 150);
});

/** What a driver tells the core of a step that failed; `outcome.code` is for its own rules. */
const ofDrivers = new Set(
  ['daemon/drivers', 'daemon/sim']
    .flatMap((floor) => [...extract(join(root, floor)).messages.keys()])
    .filter((code) => !Object.hasOwn(explanations, code)),
);

/** Codes that are put together, and the parts that stand in the sources. */
const composed: readonly RegExp[] = [
  /^blocked-(?<part>.+)$/,
  /^(?:readiness|definitions|verify|drill|summary|prune)-(?<part>.+)$/,
  /^schedule-(?<part>.+)$/,
  /^peer-(?<part>alive|late|listening|departed|dead|fenced|isolated)$/,
  /^(?:key-file|witness-key|witness-password|web-key|web-htpasswd)-(?<part>mode|missing|unreadable|invalid)$/,
];

test('No explanation is of a code that nothing prints', (t) => {
  for (const code of codes) {
    const parts = composed.flatMap((one) => one.exec(code)?.groups?.['part'] ?? []);
    t.true(
      [code, ...parts].some((text) => extracted.literals.has(text)),
      `nothing prints ${code}`,
    );
  }
});

test('No code is explained twice, and every explanation says something', (t) => {
  const all = Object.values(chapters).flatMap((entries) => Object.keys(entries));
  t.deepEqual(all.toSorted(), codes.toSorted());
  for (const code of codes) {
    const { means, because, next } = explanations[code];
    t.regex(code, /^[a-z]+(-[a-z]+)*$/);
    t.regex(means, /^[A-Z`a-z].{8,}\.$/s, code);
    t.true(because.length > 8, code);
    t.true(next.length > 3, code);
  }
  for (const { id } of transitions) t.true(Object.hasOwn(explanations, id), id);
});

test('The commands that an explanation names exist, with their options', async (t) => {
  for (const code of codes) {
    const text = Object.values(explanations[code]).join(' ');
    for (const [, line = ''] of text.matchAll(/`battito ([a-z][^`]*)`/g)) {
      const words =
        line
          .split(';')[0]
          ?.split(' ')
          .filter((word) => /^(-|[a-z])/.test(word)) ?? [];
      const { exitCode, stdout } = await run(['help', words[0] ?? '']);
      t.is(exitCode, exitCodes.ok, `${code}: battito ${line}`);
      for (const option of words.filter((word) => word.startsWith('--')))
        t.true(stdout.includes(option.split('=')[0] ?? ''), `${code}: battito ${line}`);
    }
  }
});

for (const [what, file] of Object.entries(made)) {
  test(`${file} is fresh; else: npm run troubleshooting`, (t) => {
    const render = what === 'page' ? renderPage : renderMessages;
    t.true(readFileSync(join(root, file), 'utf8') === render(extracted));
  });
}

test('A code is explained: what it means, why it comes, what to do', async (t) => {
  const { exitCode, stdout } = await run(['why', 'peer-unresponsive']);
  t.is(exitCode, exitCodes.ok);
  t.regex(stdout, /^peer-unresponsive\n {2}".*is not proven off.*"[\s\S]*\n {2}means {2}The other node/);
  t.regex(stdout, /\n {2}why {4}/);
  t.regex(stdout, /\n {2}next {3}.*systemctl restart battito/);
  for (const line of stdout.split('\n')) t.true(line.length <= 80, line);
});

test('A message as it was printed, or a part of it, finds its code', (t) => {
  const first = (text: string) => findCodes(text, codes)[0];
  t.is(first('secondary is dead: nothing protects primary until it is back'), 'peer-dead');
  t.is(first('the configurations of primary and secondary differ'), 'config-differs');
  t.is(first('ALARM office runs on neither node'), 'nobody-runs-it');
  t.is(first('office is not started here: secondary could not be powered off'), 'blocked-not-fenced');
  t.is(first('secondary is not off: its heartbeats arrive'), 'peer-not-off');
  t.is(first('may have parted'), 'storage-standalone');
  t.is(first('no daemon answers at /run/battito/control.sock'), 'daemon-not-running');
  t.is(
    first('drbd:r0 is being copied to secondary, 12 %, 3.4 GiB left; until then nothing protects it'),
    'resync',
  );
  t.is(
    first('/etc/battito/battito.yaml:7:3: heartbeat.keepalve: unknown key; did you mean "keepalive"?'),
    'config-key-unknown',
  );
});

test('What no message has is refused, with what was probably meant', async (t) => {
  const near = await run(['why', 'peer-ded']);
  t.is(near.exitCode, exitCodes.failed);
  t.is(
    near.stderr,
    'battito: no message has the code or the words "peer-ded"\nnext: did you mean `battito why peer-dead`?\n',
  );
  const far = await run(['why', 'qqqqqqqqqq', '--json']);
  t.like(JSON.parse(far.stdout), { error: { code: 'code-unknown', next: '`battito why` lists all codes' } });
});

test('Without a word all codes are listed', async (t) => {
  const { stdout } = await run(['why']);
  for (const code of codes) t.true(stdout.includes(code), code);
  t.is((JSON.parse((await run(['why', '--json'])).stdout) as unknown[]).length, codes.length);
});
