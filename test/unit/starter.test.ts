// The long-lived shell that starts programs: a real one, and one that hangs.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import { createStarter } from '../../daemon/drivers/address/starter.ts';
import { isRunning, temporaryDirectory, waitFor } from '../support.ts';

const silent = pino({ level: 'silent' });
const never = new AbortController().signal;

/** Reads a line and stands still; the one after it does what it is told. */
const hangsOnce = `echo $$ >> "$0/pids"
[ -e "$0/hung" ] && exec sh
: > "$0/hung"
read -r line
kill -STOP $$
eval "$line"
exec sh
`;

/** With a shell that hangs first, in a folder of its own. */
function hanging(t: ExecutionContext) {
  const folder = temporaryDirectory(t);
  const logged: string[] = [];
  const logger = pino({ level: 'warn' }, { write: (line: string) => void logged.push(line) });
  const starter = createStarter({ logger, argv: ['sh', '-c', hangsOnce, folder] });
  t.teardown(() => starter.close());
  return { starter, logged, file: (name: string) => join(folder, name) };
}

test('programs are started beside each other, with their words as they are, and leave nothing behind', async (t) => {
  const folder = temporaryDirectory(t);
  const file = (name: string) => join(folder, name);
  const shell = ['sh', '-c', 'echo $$ > "$0"; exec sh', file('pid')];
  const starter = createStarter({ logger: silent, argv: shell });
  t.teardown(() => starter.close());
  const waits = ['sh', '-c', 'until [ -e "$0" ]; do sleep 0.05; done; : > "$0.seen"', file('second')];
  t.true(starter.start(waits, never));
  t.true(
    starter.start(['sh', '-c', 'printf %s "$1" > "$0"; exit 3', file('second'), "it's $HOME; `id`"], never),
  );
  await waitFor('the first one has seen what the second one wrote', () => existsSync(file('second.seen')));
  t.is(readFileSync(file('second'), 'utf8'), "it's $HOME; `id`");
  t.true(starter.start(['/no/such/program'], never));
  t.true(starter.start(['touch', file('last')], never));
  await waitFor('the one after a missing program was started', () => existsSync(file('last')));
  const pid = readFileSync(file('pid'), 'utf8').trim();
  const children = () => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  await waitFor('the shell has no child any more, not even a dead one', () => children() === '');
});

test('a shell that hangs is killed, and what it was told is never started', async (t) => {
  const { starter, logged, file } = hanging(t);
  const pids = () =>
    existsSync(file('pids')) ? readFileSync(file('pids'), 'utf8').split('\n').filter(Boolean) : [];
  t.true(starter.start(['touch', file('late')], never));
  await waitFor('another shell runs', () => pids().length === 2);
  t.false(isRunning(Number(pids()[0])));
  t.regex(logged.join(''), /did not answer within 500 ms/);
  await waitFor('that one starts programs', () => {
    starter.start(['touch', file('next')], never);
    return existsSync(file('next'));
  });
  t.false(existsSync(file('late')));
});

test('what is called off before the shell has answered is never started', async (t) => {
  const { starter, logged, file } = hanging(t);
  const abort = new AbortController();
  t.true(starter.start(['touch', file('late')], abort.signal));
  abort.abort();
  t.false(starter.start(['touch', file('none')], abort.signal));
  await waitFor('another one starts programs', () => {
    starter.start(['touch', file('next')], never);
    return existsSync(file('next'));
  });
  t.deepEqual([existsSync(file('late')), existsSync(file('none'))], [false, false]);
  t.regex(logged.join(''), /called off/);
});

test('without a shell nothing is started, and that is said', async (t) => {
  const starter = createStarter({ logger: silent, argv: ['/no/such/shell'] });
  await waitFor('it has found that there is none', () => !starter.start(['true'], never));
  await starter.close();
  t.false(starter.start(['true'], never));
});
