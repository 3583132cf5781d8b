// The file for node_exporter: whole at any moment, readable by others, gone at an orderly end; and what is said when it
// cannot be written.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { pino } from 'pino';
import { createTextfile } from '../../daemon/metrics/textfile.ts';
import { temporaryDirectory, waitFor } from '../support.ts';

const logger = pino({ level: 'silent' });

const read = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : null);

test('it is written at once and again and again, for everybody to read, and removed at the end', async (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'battito.prom');
  let count = 0;
  const render = async () => `battito_count ${++count}\n`;
  const textfile = createTextfile({ config: { textfile: path, intervalMs: 5 }, render, logger });
  t.teardown(() => textfile.close());
  await waitFor('it is written', () => read(path));
  t.is(statSync(path).mode & 0o777, 0o644);
  await waitFor('it is written again', () => /[3-9]\n$|\d\d\n$/.test(read(path) ?? ''));
  t.deepEqual(textfile.attention(), []);
  await textfile.close();
  t.deepEqual(readdirSync(directory), []);
  const last = count;
  await new Promise((resolve) => setImmediate(resolve));
  t.is(count, last, 'nothing is rendered any more');
});

test('a umask that hides all from others, as the service has it, hides nothing of it', (t) => {
  const path = join(temporaryDirectory(t), 'battito.prom');
  const module = new URL('../../daemon/metrics/textfile.ts', import.meta.url).href;
  const script = `import { createTextfile } from ${JSON.stringify(module)};
    const config = { textfile: ${JSON.stringify(path)}, intervalMs: 60_000 };
    createTextfile({ config, render: async () => 'battito_x 1\\n', logger: { warn: console.error } });`;
  const node = [process.execPath, '--input-type=module', '--eval', script];
  execFileSync('sh', ['-c', 'umask 077 && exec "$@"', 'sh', ...node], { timeout: 60_000 });
  t.is(read(path), 'battito_x 1\n');
  t.is(statSync(path).mode & 0o777, 0o644);
});

test('a directory that is missing is said with what mends it, and no more once it is there', async (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'later', 'battito.prom');
  const config = { textfile: path, intervalMs: 5 };
  const textfile = createTextfile({ config, render: async () => 'battito_x 1\n', logger });
  t.teardown(() => textfile.close());
  const [item] = await waitFor('it is said', () => {
    const all = textfile.attention();
    return all.length > 0 && all;
  });
  t.like(item, { severity: 'warning', code: 'metrics-not-written' });
  t.regex(item?.message ?? '', /cannot be written to .*later\/battito\.prom: ENOENT/);
  t.regex(item?.next ?? '', /make .*later /);
  mkdirSync(join(directory, 'later'));
  await waitFor('it is written', () => read(path));
  await waitFor('nothing is said', () => textfile.attention().length === 0);
  await textfile.close();
  t.deepEqual(textfile.attention(), []);
});

test('what lies in the way of another user is neither followed nor written into', async (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'battito.prom');
  const victim = join(directory, 'victim');
  writeFileSync(victim, 'precious');
  chmodSync(victim, 0o600);
  symlinkSync(victim, `${path}.new`);
  symlinkSync(victim, path);
  const config = { textfile: path, intervalMs: 60_000 };
  const textfile = createTextfile({ config, render: async () => 'battito_x 1\n', logger });
  t.teardown(() => textfile.close());
  await waitFor('it is written', () => read(path) === 'battito_x 1\n');
  t.is(readFileSync(victim, 'utf8'), 'precious');
  t.is(statSync(victim).mode & 0o777, 0o600);
  t.deepEqual(readdirSync(directory).toSorted(), ['battito.prom', 'victim']);
});

test('one write at a time: a disk that hangs is not asked twice, and the end does not wait for it for ever', async (t) => {
  const directory = temporaryDirectory(t);
  let asked = 0;
  const render = () => {
    asked += 1;
    return new Promise<string>(() => {});
  };
  const config = { textfile: join(directory, 'battito.prom'), intervalMs: 5 };
  const textfile = createTextfile({ config, render, logger });
  for (let turn = 0; turn < 10; turn += 1) await sleep(5);
  t.is(asked, 1);
  await textfile.close();
  t.deepEqual(readdirSync(directory), []);
});

test('with another configuration the old file goes and the new one comes; without one nothing is written', async (t) => {
  const directory = temporaryDirectory(t);
  const [first, second] = [join(directory, 'a.prom'), join(directory, 'b.prom')];
  const render = async () => 'battito_x 1\n';
  const textfile = createTextfile({ config: null, render, logger });
  t.teardown(() => textfile.close());
  t.deepEqual(readdirSync(directory), []);
  textfile.configure({ textfile: first, intervalMs: 5 });
  await waitFor('the first', () => existsSync(first));
  textfile.configure({ textfile: second, intervalMs: 5 });
  await waitFor('the second', () => existsSync(second) && !existsSync(first));
  textfile.configure(null);
  await waitFor('none', () => readdirSync(directory).length === 0);
  t.deepEqual(textfile.attention(), []);
});
