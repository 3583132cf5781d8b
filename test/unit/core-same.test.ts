// Equality of plain data: what decides whether the ledger is written and a heartbeat says something new.

import test from 'ava';
import { isSame } from '../../daemon/core/same.ts';

const pairs: readonly (readonly [string, unknown, unknown])[] = [
  ['a number and an object', 5, {}],
  ['null and an object', null, {}],
  ['null and a list', null, []],
  ['a list and its beginning', ['a', 'b'], ['a']],
  ['lists in another order', ['a', 'b'], ['b', 'a']],
  ['an object and one with a key more', { a: 1 }, { a: 1, b: 2 }],
  ['objects with other keys', { a: 1 }, { b: 1 }],
  ['an object with a value that is missing in the other', { a: undefined }, {}],
  ['what differs far inside', { a: [{ b: null }] }, { a: [{ b: 0 }] }],
];

for (const [what, a, b] of pairs) {
  test(`not the same, either way round: ${what}`, (t) => {
    t.false(isSame(a, b));
    t.false(isSame(b, a));
  });
}

test('a list is not the same as an object with its indices', (t) => {
  t.false(isSame([], {}));
  t.false(isSame(['a'], { 0: 'a' }));
});

test('data that were copied are the same, also with their keys in another order', (t) => {
  const data = { name: 'office', owner: null, sole: false, list: [1, { deep: ['x'] }, []], empty: {} };
  t.true(isSame(data, structuredClone(data)));
  t.true(isSame({ a: 1, b: [2] }, { b: [2], a: 1 }));
});
