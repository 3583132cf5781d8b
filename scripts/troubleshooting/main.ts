// Writes what is made from the messages in the sources. Run by `npm run troubleshooting`; a test holds both to be fresh.

import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { extract } from './extract.ts';
import { renderMessages, renderPage } from './page.ts';

const root = resolve(import.meta.dirname, '../..');

export const made = { messages: 'daemon/why/messages.json', page: 'docs/troubleshooting.md' } as const;

if (import.meta.main) {
  const extracted = extract(join(root, 'daemon'));
  writeFileSync(join(root, made.messages), renderMessages(extracted));
  writeFileSync(join(root, made.page), renderPage(extracted));
}
