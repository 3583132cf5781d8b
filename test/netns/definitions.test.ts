// Two real daemons on two hosts: what one has of a guest's definition comes to the other, over whichever link there is,
// and nobody else gets it.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { contentDigest, textDigest } from '../../daemon/runtime/definitions/content.ts';
import { emptyRecord, withEdit } from '../../daemon/runtime/definitions/merge.ts';
import { waitFor } from '../support.ts';
import { domain, uuidOf } from '../unit/support/definitions.ts';
import type { HostName } from './support/hosts.ts';
import { type Office, useOffice } from './support/office.ts';

/** As the daemon of the host would have stored it. */
async function store(office: Office, host: HostName, name: string, memory: number): Promise<void> {
  const xml = domain(name, memory);
  const edit = { name, group: 'office', node: host, takenAt: '2026-03-01T03:12:44.081Z', xml };
  const record = withEdit(emptyRecord(uuidOf(name)), { ...edit, content: contentDigest(xml) });
  const directory = join(office.network.hosts[host].stateDir, 'definitions');
  await mkdir(directory, { recursive: true });
  const file = { format: 1, contentForm: 1, ...record };
  await writeFile(join(directory, `${record.uuid}.json`), JSON.stringify(file));
}

const stored = (office: Office, host: HostName, name: string) =>
  readFile(join(office.network.hosts[host].stateDir, 'definitions', `${name}.xml`), 'utf8');

test('a definition comes to the peer over the link that is left; a stranger is refused; an edit on both is told', async (t) => {
  const office = await useOffice(t, { idle: true });
  await store(office, 'primary', 'erp', 1024);
  await store(office, 'primary', 'files', 1024);
  await store(office, 'secondary', 'files', 2048);
  await office.network.cut('primary', 'lan');
  await office.startDaemons();

  // The plain text beside the record is written when the record has come, or when it changes.
  await waitFor('it is on the other host', async () => (await stored(office, 'secondary', 'erp')) !== '');
  t.is(textDigest(await stored(office, 'secondary', 'erp')), textDigest(domain('erp', 1024)));
  for (const host of ['primary', 'secondary'] as const) {
    const list = await waitFor(`${host} knows of both`, async () => {
      const { stdout } = await office.battito(host, 'guests');
      return (
        /erp .*the same on both nodes/.test(stdout) && /files .*edited on both nodes/.test(stdout) && stdout
      );
    });
    t.regex(
      list,
      /next: battito guests diff files; then battito guests keep files --from primary\|secondary/,
    );
  }
  const diff = await office.battito('primary', 'guests', 'diff', 'files');
  t.is(diff.exitCode, 1);
  t.regex(diff.stdout, /^--- primary\/files\.xml\n\+\+\+ secondary\/files\.xml$/m);
  t.regex(diff.stdout, /^-.*>1024</m);
  t.regex(diff.stdout, /^\+.*>2048</m);
  t.notRegex(diff.stdout, /hunter2/);
  const kept = await office.battito('secondary', 'guests', 'keep', 'files', '--from', 'primary');
  t.is(kept.exitCode, 0, kept.stderr);
  await waitFor('both have what was kept', async () => {
    const each = await Promise.all([
      office.battito('primary', 'guests', 'diff'),
      office.battito('secondary', 'guests', 'diff'),
    ]);
    return each.every(({ exitCode }) => exitCode === 0);
  });
  t.is(await stored(office, 'secondary', 'files'), domain('files', 1024));

  const stranger = `
    const socket = require('node:tls').connect({ host: '10.0.0.2', port: 694, minVersion: 'TLSv1.3',
      ciphers: 'TLS_CHACHA20_POLY1305_SHA256', checkServerIdentity: () => undefined,
      pskCallback: () => ({ identity: '00000000 primary', psk: Buffer.alloc(32) }) });
    socket.on('secureConnect', () => console.log('let in')).on('error', () => console.log('refused'));`;
  const attempt = await office.network.run('primary', [process.execPath, '-e', stranger]);
  t.is(attempt.stdout.trim(), 'refused');
  await waitFor('it is in the log', async () =>
    (await office.log('secondary')).includes('without the shared key'),
  );
});
