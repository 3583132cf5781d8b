// A record that is kept over restarts, and what becomes of it when the disk is not as it should be.

import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import { z } from 'zod';
import { openKeptFile } from '../../daemon/runtime/records/kept-file.ts';
import { temporaryDirectory } from '../support.ts';

const schema = z.object({ format: z.literal(1), count: z.int() });

const recordOf = (count: number) => ({ format: 1 as const, count });

function host(t: ExecutionContext) {
  const stateDir = join(temporaryDirectory(t), 'state');
  mkdirSync(stateDir);
  const said: string[] = [];
  const logger = pino({}, { write: (line: string) => void said.push(JSON.parse(line).msg) });
  return {
    ...{ stateDir, said, path: join(stateDir, 'counts.json') },
    open: () => openKeptFile({ stateDir, name: 'counts.json', schema, what: 'the record of counts', logger }),
  };
}

test('what was saved is there at the next start', async (t) => {
  const { open, said } = host(t);
  const first = await open();
  t.is(first.known, null);
  await first.save(() => recordOf(3));
  t.deepEqual((await open()).known, recordOf(3));
  t.deepEqual(said, []);
});

test('what is in the file already is not written again', async (t) => {
  const { open, path } = host(t);
  const file = await open();
  await file.save(() => recordOf(3));
  const { ino } = statSync(path);
  await file.save(() => recordOf(3));
  t.is(statSync(path).ino, ino);
  await file.save(() => recordOf(4));
  t.deepEqual(JSON.parse(readFileSync(path, 'utf8')), recordOf(4));
});

test('writes come in the order in which they were asked for, each with what is so when its turn has come', async (t) => {
  const { open, path } = host(t);
  const file = await open();
  let count = 1;
  const order: number[] = [];
  const save = (number: number) =>
    file.save(() => {
      order.push(number);
      return recordOf(count);
    });
  const saving = [save(1), save(2)];
  count = 2;
  await Promise.all(saving);
  t.deepEqual(order, [1, 2]);
  t.deepEqual(JSON.parse(readFileSync(path, 'utf8')), recordOf(2));
});

for (const [what, text] of [
  ['cut short', '{"format":1,"cou'],
  ['of another format', '{"format":2,"count":3}'],
] as const) {
  test(`a file that is ${what} is told of, and a new one is begun`, async (t) => {
    const { open, path, said } = host(t);
    writeFileSync(path, text);
    const file = await open();
    t.is(file.known, null);
    t.deepEqual(said, ['the record of counts cannot be read; a new one is begun']);
    await file.save(() => recordOf(1));
    t.deepEqual((await open()).known, recordOf(1));
  });
}

test('a disk that takes nothing is told of once, and is written to as soon as it takes something', async (t) => {
  const { open, stateDir, said } = host(t);
  const file = await open();
  rmSync(stateDir, { recursive: true });
  await file.save(() => recordOf(1));
  await file.save(() => recordOf(1));
  t.deepEqual(said, ['the record of counts cannot be written']);
  mkdirSync(stateDir);
  await file.save(() => recordOf(1));
  t.deepEqual((await open()).known, recordOf(1));
});
