// The web page: its key, its tokens, its listener.

import { type Explanation, explained } from './explanation.ts';

export const ofWeb = {
  'web-down': explained(
    'The web page of this node is not served.',
    'Its address or port is taken, or its certificate, key or tokens cannot be used.',
    'Do what stands behind `next:`; groups do not depend on it.',
  ),
  'web-tokens': explained(
    'The file with the logins of the web page cannot be used.',
    'It does not exist, or a line of it is not understood.',
    'Do what stands behind `next:`; until then the page only shows.',
  ),
  'web-key-missing': explained(
    'The key file of the web page does not exist.',
    'The path is wrong, or it was not copied to this node.',
    'Give the file with the key of the certificate under `web`.',
  ),
  'web-key-mode': explained(
    'Others may read the key file of the web page, so it is refused.',
    'It was copied without its mode.',
    '`chown root FILE; chmod 0600 FILE`',
  ),
  'web-key-unreadable': explained(
    'The key file of the web page cannot be read.',
    'The command does not run as root.',
    'Run it as root.',
  ),
  'web-key-invalid': explained(
    'The key file of the web page is too long to be one.',
    'It is another file.',
    'Give the file with the key of the certificate under `web`.',
  ),
} as const satisfies Readonly<Record<string, Explanation>>;
