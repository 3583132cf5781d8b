// What dd says of a read. Recorded: coreutils 9.1.

import test from 'ava';
import { parseReport } from '../../daemon/drivers/disk-probe/report.ts';

const lines = (text: string) => text.split('\n');

test('a read that was done has the time that it took', (t) => {
  const said = lines(
    '1+0 records in\n1+0 records out\n4096 bytes (4.1 kB, 4.0 KiB) copied, 0.000181211 s, 22.6 MB/s',
  );
  const report = parseReport(0, said);
  t.is(report.kind, 'read');
  t.is(report.kind === 'read' ? report.tookMs?.toFixed(6) : undefined, '0.181211');
  const small = parseReport(0, ['4096 bytes (4.1 kB, 4.0 KiB) copied, 5.9e-05 s, 69.4 MB/s']);
  t.is(small.kind === 'read' ? small.tookMs?.toFixed(3) : undefined, '0.059');
});

test('a read that was done in words that are not understood was done', (t) => {
  t.deepEqual(parseReport(0, ['something new']), { kind: 'read' });
  t.deepEqual(parseReport(0, []), { kind: 'read' });
});

test('a read beyond the end is none', (t) => {
  const said = lines(
    'dd: /dev/loop0: cannot skip: Invalid argument\n0+0 records in\n0+0 records out\n0 bytes copied, 9.7312e-05 s, 0.0 kB/s',
  );
  t.deepEqual(parseReport(0, said), { kind: 'nothing' });
});

test('a read that failed has the words of the system', (t) => {
  const said = lines(
    "dd: error reading '/dev/loop0': Input/output error\n0+0 records in\n0+0 records out\n0 bytes copied, 0.00129751 s, 0.0 kB/s",
  );
  const message = "error reading '/dev/loop0': Input/output error";
  t.deepEqual(parseReport(1, said), { kind: 'failed', message });
  t.deepEqual(parseReport(127, ['sh: 2: dd: not found']), {
    kind: 'failed',
    message: 'sh: 2: dd: not found',
  });
  t.deepEqual(parseReport(137, []), { kind: 'failed', message: 'dd ended with 137' });
});
