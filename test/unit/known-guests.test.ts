// The guests of a group: those that the configuration names, and what `all` adds to them from the stored definitions.

import test from 'ava';
import { knownGuests } from '../../daemon/runtime/guests/known-guests.ts';
import { configOf, officeStorage } from './support/check-host.ts';
import { domain, storeOf } from './support/definitions.ts';

const guestsOf = (guests: string, names: readonly string[]) =>
  (
    knownGuests(
      configOf(`${officeStorage}, guests: ${guests}`),
      storeOf(names.map((name) => domain(name, 512))),
    ).get('office') ?? []
  ).map(({ config: { name, priority }, memoryMiB }) => [name, priority, memoryMiB]);

test('what is named comes first, with its options, and `all` adds the others by name', (t) => {
  t.deepEqual(guestsOf('[all, { name: web, priority: 5 }, lost]', ['web', 'mail', 'dns']), [
    ['web', 5, 594],
    ['lost', 0, 0],
    ['dns', 0, 594],
    ['mail', 0, 594],
  ]);
  t.deepEqual(guestsOf('[web]', ['web', 'mail']), [['web', 0, 594]]);
});

test('of names that are no words of the configuration, `all` takes those that virsh can be asked for', (t) => {
  const odd = ['a mail server', 'n'.repeat(200), 'Büro'];
  const unusable = ['4711', '7c5cea09-6ec0-4fac-92e5-92bbe48a3436'];
  t.deepEqual(
    guestsOf('all', [...odd, ...unusable]).map(([name]) => name),
    odd.toSorted(),
  );
});
