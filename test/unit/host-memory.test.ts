// Memory for guests, from texts of /proc/meminfo that real kernels wrote: a host of 24 GiB (6.18), and a machine of
// 4 GiB (6.1) with 64 huge pages of 2 MiB and one of 1 GiB.

import { readFileSync, writeFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import {
  defaultReserveMiB,
  guestMemoryMiB,
  qemuGuestMiB,
  readGuestMemoryMiB,
} from '../../daemon/runtime/guests/host-memory.ts';
import { temporaryDirectory } from '../support.ts';

const recorded = (name: string) =>
  readFileSync(join(import.meta.dirname, 'fixtures/meminfo', `${name}.txt`), 'utf8');
const large = recorded('24-gib');
const hugePages = recorded('4-gib-huge-pages');
const without = (text: string, line: RegExp) =>
  text
    .split('\n')
    .filter((one) => !line.test(one))
    .join('\n');

test('a large host keeps a twentieth free of guests, a small one half a gibibyte', (t) => {
  t.is(defaultReserveMiB(4096), 512);
  t.is(defaultReserveMiB(10_240), 512);
  t.is(defaultReserveMiB(10_260), 513);
  t.is(guestMemoryMiB(large, null), 24_105 - 1206);
});

test('a configured reserve goes before the usual one, and may be none', (t) => {
  t.is(guestMemoryMiB(large, 2048), 24_105 - 2048);
  t.is(guestMemoryMiB(large, 0), 24_105);
});

test('huge pages of every size are no memory for ordinary guests', (t) => {
  t.is(guestMemoryMiB(hugePages, null), 3927 - 512 - (64 * 2 + 1024));
});

test('an older kernel tells of those of the default size alone, and one without huge pages of none', (t) => {
  t.is(guestMemoryMiB(without(hugePages, /^Hugetlb:/), null), 3927 - 512 - 64 * 2);
  t.is(guestMemoryMiB(without(hugePages, /^(Huge|Hugetlb)/), null), 3927 - 512);
});

test('where huge pages and the reserve leave nothing, that is no memory, and not less than none', (t) => {
  t.is(guestMemoryMiB(hugePages, 3000), 0);
});

test('a reserve that the host does not have is refused, and what to do is said', (t) => {
  const error = t.throws(() => guestMemoryMiB(hugePages, 4096), { code: 'memory-reserve-too-large' });
  t.like(error, { exitCode: 78, next: 'configure a smaller memory-reserve, or none' });
  t.is(error.message, 'start.memory-reserve: 4096 MiB are to be kept free of guests, and this host has 3927');
  t.throws(() => guestMemoryMiB(hugePages, 3927), { code: 'memory-reserve-too-large' });
});

test('what is not understood is not guessed', (t) => {
  const code = 'host-memory-unknown';
  t.throws(() => guestMemoryMiB('', null), { code, message: '/proc/meminfo has no line MemTotal' });
  t.throws(() => guestMemoryMiB(without(large, /^MemTotal/), null), { code });
  t.throws(() => guestMemoryMiB(large.replace(/MemTotal: .*/, 'MemTotal: 24 GB'), null), {
    code,
    message: '/proc/meminfo has a line that is not understood: MemTotal: 24 GB',
  });
  t.throws(() => guestMemoryMiB(large.replace(/Hugetlb: .*/, 'Hugetlb: much'), null), {
    code,
    message: /not understood: Hugetlb: much/,
  });
});

test('the file is read; one that is not there is named', async (t) => {
  const file = join(temporaryDirectory(t), 'meminfo');
  const error = await t.throwsAsync(readGuestMemoryMiB({ reserveMiB: null, file }), {
    code: 'host-memory-unknown',
  });
  t.true(error.message.startsWith(`${file} cannot be read: ENOENT`), error.message);
  writeFileSync(file, hugePages);
  t.is(await readGuestMemoryMiB({ reserveMiB: 100, file }), 3927 - 100 - 1152);
});

test('the memory of this host is told as the kernel has it', async (t) => {
  const free = await readGuestMemoryMiB({ reserveMiB: 0 });
  t.true(free >= 0 && free <= totalmem() / 1024 ** 2, `${free} MiB`);
});

test('a QEMU takes more than its guest sees: for itself, its processors, its display and its page tables', (t) => {
  t.is(qemuGuestMiB({ memoryMiB: 1024, cpus: 1 }), 1024 + 64 + 8 + 4);
  t.is(qemuGuestMiB({ memoryMiB: 1024, cpus: 4 }), 1024 + 64 + 32 + 4);
  t.is(qemuGuestMiB({ memoryMiB: 1024, cpus: 1, vnc: '127.0.0.1:1' }), 1024 + 64 + 8 + 16 + 4);
  t.is(qemuGuestMiB({ memoryMiB: 65_536, cpus: 8 }), 65_536 + 64 + 64 + 256);
});
