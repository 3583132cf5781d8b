// Two files overwritten by turns: whatever interrupts a write, the record before it is still there.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { encodeSlot, openSlots, SlotError } from '../../daemon/runtime/records/slots.ts';
import { temporaryDirectory } from '../support.ts';

const names = ['a', 'b'] as const;
const open = (directory: string, mayBeTorn = true) => openSlots(directory, names, () => mayBeTorn);

test('the newest of both is known, over any number of writes and starts', async (t) => {
  const directory = temporaryDirectory(t);
  t.is((await open(directory)).known, undefined);
  let count = 0;
  for (const writes of [1, 1, 2, 3, 4]) {
    const slots = await open(directory, false);
    t.is(slots.known, count === 0 ? undefined : count);
    for (let index = 0; index < writes; index += 1) await slots.write(++count);
  }
  t.deepEqual([(await open(directory, false)).known, readdirSync(directory)], [count, ['a', 'b']]);
});

test('a write that was cut short anywhere leaves the record before it', async (t) => {
  const directory = temporaryDirectory(t);
  const old = encodeSlot(1, { text: 'o'.repeat(9000) });
  const next = encodeSlot(3, { text: 'n'.repeat(9000) });
  const before = encodeSlot(2, 'before');
  t.is(old.length, next.length);
  const sector = 512;
  const mixed = fc
    .array(fc.boolean(), { minLength: old.length / sector, maxLength: old.length / sector })
    .filter((isNew) => isNew.includes(true) && isNew.includes(false));
  await fc.assert(
    fc.asyncProperty(mixed, async (isNew) => {
      const torn = isNew.map((one, index) =>
        (one ? next : old).subarray(index * sector, (index + 1) * sector),
      );
      writeFileSync(join(directory, 'a'), Buffer.concat(torn));
      writeFileSync(join(directory, 'b'), before);
      const slots = await open(directory);
      // The blanks at the end are in both.
      const newest = JSON.parse(next.toString()).content;
      const isWhole = Buffer.concat(torn).equals(next);
      t.deepEqual(slots.known, isWhole ? newest : 'before');
      await slots.write('after');
      t.deepEqual(
        isWhole ? readFileSync(join(directory, 'a')) : readFileSync(join(directory, 'b')),
        isWhole ? next : before,
      );
      t.is((await open(directory, false)).known, 'after');
    }),
    { numRuns: 60 },
  );
});

test('a write that fails is made again in the same file: the last one that was certain stays', async (t) => {
  const directory = temporaryDirectory(t);
  const [a, b] = [join(directory, 'a'), join(directory, 'b')];
  const slots = await open(directory);
  for (const content of [1, 2, 3]) await slots.write(content);
  const kept = readFileSync(a);
  rmSync(b);
  mkdirSync(b);
  for (const content of [4, 5]) {
    await t.throwsAsync(slots.write(content));
    t.deepEqual(readFileSync(a), kept);
  }
  rmSync(b, { recursive: true });
  await slots.write(6);
  t.deepEqual(readFileSync(a), kept);
  t.is((await open(directory, false)).known, 6);
});

test('files that are taken away, or whose content grows, while it runs are made anew', async (t) => {
  const directory = temporaryDirectory(t);
  const slots = await open(directory);
  for (const length of [10, 10, 10_000, 10_000, 10_000, 20, 20]) {
    const content = 'x'.repeat(length);
    await slots.write(content);
    t.is((await open(directory, false)).known, content);
  }
  for (const name of names) rmSync(join(directory, name));
  for (const content of ['y', 'z']) await slots.write(content);
  t.is((await open(directory, false)).known, 'z');
});

test('damage that no write explains is refused, with the file that has it', async (t) => {
  const how = async (a: string | Buffer | null, b: string | Buffer | null, mayBeTorn: boolean) => {
    const directory = temporaryDirectory(t);
    for (const [name, content] of [['a', a] as const, ['b', b] as const])
      if (content !== null) writeFileSync(join(directory, name), content);
    try {
      return (await open(directory, mayBeTorn)).known;
    } catch (error) {
      if (!(error instanceof SlotError)) throw error;
      return `${error.path.slice(-1)} ${error.how}`;
    }
  };
  const [one, two] = [encodeSlot(1, 'one'), encodeSlot(2, 'two')];
  const edited = one.toString().replace('"one"', '"two"');
  t.is(await how(one, null, false), 'one');
  t.is(await how(one, two, false), 'two');
  t.is(await how(two, one, false), 'two');
  t.is(await how(two, null, true), 'b missing');
  t.is(await how(null, two, true), 'a missing');
  t.is(await how('', null, true), 'a damaged');
  t.is(await how(null, '{}', true), 'b damaged');
  t.is(await how('', '', true), 'a damaged');
  t.is(await how(edited, two, false), 'a damaged');
  t.is(await how(edited, two, true), 'two');
  t.is(await how(edited, null, true), 'a damaged');
  t.is(await how(two, one.subarray(0, 100), true), 'two');
  // One that was put back, or copied over the other.
  t.is(await how(encodeSlot(57, 'old'), encodeSlot(100, 'new'), true), 'a not-the-one-before');
  t.is(await how(encodeSlot(100, 'new'), encodeSlot(100, 'new'), true), 'b not-the-one-before');
});
