// DRBD's online verify with its tools as a script: begun from the beginning, followed to its end, counted, and stopped.

import { readFileSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { verifyResource } from '../../daemon/drivers/drbd/verify.ts';
import { waitFor } from '../support.ts';
import { type FakeDrbd, type FakeState, fakeDrbd } from './support/drbd-tools.ts';

const dump = new URL('fixtures/drbd/dump-8.4.txt', import.meta.url).pathname;
const begin = 'drbdadm -- --start=0 verify r0';
const stop = 'drbdadm -- --stop=0 verify r0';

/** What a kernel does: a verify runs until the test, or `--stop`, ends it. */
const kernel = `case "$tool $*" in
  "drbdadm dump r0") cat "${dump}"; exit 0 ;;
  "drbdsetup show r0") exit 0 ;;
  "${begin}") become REPL VerifyS; exit 0 ;;
  "${stop}") become REPL Established; exit 0 ;;
esac
`;

/** As drbd_seq_show() writes it; \`oos\` in KiB. */
function countOutOfSync({ procFile }: FakeDrbd, kib: number): void {
  const line = '98765: cs:Connected ro:Primary/Secondary ds:UpToDate/UpToDate C r-----\n';
  const numbers = `    ns:0 nr:0 dw:0 dr:0 al:0 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:f oos:${kib}\n`;
  writeFileSync(procFile, `${readFileSync(procFile, 'utf8')}${line}${numbers}`);
}

async function opened(t: Parameters<typeof fakeDrbd>[0], script = '', state: Partial<FakeState> = {}) {
  const fake = await fakeDrbd(t, { ROLE: 'Primary', ...state });
  await fake.override(`${script}\n${kernel}`);
  const abort = new AbortController();
  const { logger, procFile } = fake;
  const verifying = verifyResource('r0', { signal: abort.signal, logger, procFile });
  const begun = () =>
    waitFor('it has begun', () => readFileSync(`${fake.directory}/state`, 'utf8').includes('REPL=VerifyS'));
  return { fake, abort, verifying, begun };
}

test.serial(
  'both copies are the same: it is followed to its end, whatever else changes meanwhile',
  async (t) => {
    const { fake, verifying, begun } = await opened(t);
    await begun();
    fake.become({ PEERROLE: 'Secondary' });
    countOutOfSync(fake, 0);
    fake.become({ REPL: 'Established' });
    t.like(await verifying, { kind: 'verified', outOfSyncKib: 0 });
    t.deepEqual(
      (await fake.calls()).filter((line) => line.includes('verify')),
      [begin],
    );
  },
);

test.serial('what differs is counted, and said with what copies it', async (t) => {
  const { fake, verifying, begun } = await opened(t);
  await begun();
  countOutOfSync(fake, 1024);
  fake.become({ REPL: 'Established' });
  t.deepEqual(await verifying, {
    ...{ kind: 'verified', outOfSyncKib: 1024 },
    mend: 'drbdadm disconnect r0 && drbdadm connect r0',
  });
});

test.serial('told to stop, it has DRBD stop, and parts no connection', async (t) => {
  const { fake, abort, verifying, begun } = await opened(t);
  await begun();
  abort.abort('office is not settled');
  t.deepEqual(await verifying, { kind: 'stopped' });
  const calls = await fake.calls();
  t.deepEqual(
    calls.filter((line) => line.includes('verify')),
    [begin, stop],
  );
  t.false(calls.some((line) => /disconnect|secondary|primary/.test(line)));
});

test.serial('a peer that is lost in the middle ends it, and it does not count as compared', async (t) => {
  const { fake, verifying, begun } = await opened(t);
  await begun();
  fake.become({ REPL: 'Off' });
  fake.become({ CONN: 'Connecting' });
  const end = await verifying;
  t.is(end.kind, 'failed');
  t.like(end.kind === 'failed' ? end.trouble : {}, { code: 'drbd-verify-cut' });
});

test.serial(
  'without an algorithm, or where DRBD refuses, nothing is begun, and it is said what mends it',
  async (t) => {
    const bare = `[[ "$tool $*" = "drbdadm dump r0" ]] && { grep -v verify-alg "${dump}"; exit 0; }`;
    const without = await opened(t, bare);
    const one = await without.verifying;
    t.like(one.kind === 'failed' ? one.trouble : {}, { code: 'drbd-no-verify-alg' });
    t.regex(
      one.kind === 'failed' ? one.trouble.next : '',
      /net \{ verify-alg crc32c; \}.*drbdadm adjust r0$/,
    );
    t.deepEqual(await without.fake.calls(), ['drbdadm dump r0', 'drbdadm sh-dev r0']);

    const refusing = await opened(
      t,
      `[[ "$tool $*" = "${begin}" ]] && refuse -14 "Need a verify algorithm to start online verify"`,
    );
    const two = await refusing.verifying;
    t.like(two.kind === 'failed' ? two.trouble : {}, { code: 'drbd-verify-refused', next: begin });
    t.regex(two.kind === 'failed' ? two.trouble.what : '', /Need a verify algorithm/);
  },
);
