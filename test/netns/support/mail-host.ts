// Run in the namespace of the LAN: a mail server at the gateway's address, which writes each mail as a line of JSON.
// Arguments: the directory of its certificates, the file of the mails, the address, the port.

import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setInterval } from 'node:timers';
import { startMailServer } from '../../unit/support/mail-server.ts';

const [folder = '', file = '', host = '', port = ''] = process.argv.slice(2);
const read = (name: string) => readFileSync(join(folder, name), 'utf8');
const certificates = { caFile: join(folder, 'ca.pem'), key: read('key.pem'), cert: read('cert.pem') };
const server = await startMailServer(certificates, {}, { host, port: Number(port) });
writeFileSync(`${file}.ready`, 'ready\n');
let written = 0;
setInterval(() => {
  for (const mail of server.mails.slice(written)) appendFileSync(file, `${JSON.stringify(mail)}\n`);
  written = server.mails.length;
}, 100);
