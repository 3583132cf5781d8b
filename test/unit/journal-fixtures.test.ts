// Journals of real daemons, recorded by test/netns/incident.test.ts, run through the core of today: it must decide the
// same, byte for byte. A core that is meant to decide otherwise needs them recorded anew:
//
//   BATTITO_RECORD=1 ./scripts/test test/netns/incident.test.ts

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { readJournal } from '../../daemon/incident/read.ts';
import { createReplayer } from '../../daemon/incident/replay.ts';

const directory = join(import.meta.dirname, 'fixtures', 'journals');
const recorded = existsSync(directory) ? readdirSync(directory).filter((name) => name.endsWith('.gz')) : [];

test('journals of a takeover and of a handover are there, of both nodes', (t) => {
  const wanted = ['takeover', 'handover'].flatMap((story) =>
    ['primary', 'secondary'].map((node) => `${story}-${node}.jsonl.gz`),
  );
  t.deepEqual(
    wanted.filter((name) => !recorded.includes(name)),
    [],
    'record them: BATTITO_RECORD=1 ./scripts/test test/netns/incident.test.ts',
  );
});

for (const name of recorded) {
  test(`${name} is decided the same again`, async (t) => {
    const replayer = createReplayer();
    const { skipped } = await readJournal(join(directory, name), [replayer]);
    const { difference, compared } = replayer.result();
    t.is(difference, null);
    t.is(skipped, 0);
    t.true(compared > 50, `${compared} events were compared`);
  });
}
