// The web page: its key, its logins, its listener.

import { type Explanation, explained } from './explanation.ts';

export const ofWeb = {
  'web-down': explained(
    'The web page of this node is not served.',
    'Its address or port is taken, or its certificate or key cannot be used.',
    'Do what stands behind `next:`; groups do not depend on it.',
  ),
  'web-tokens': explained(
    'The file with the tokens of the web page cannot be used.',
    'It does not exist, or a line of it is not understood.',
    'Do what stands behind `next:`; until then nobody gets in by what is wrong in it.',
  ),
  'web-htpasswd': explained(
    'The file with the passwords of the web page cannot be used, or not all of it.',
    'A line of it is not understood, or has a hash that is no bcrypt: MD5, crypt and SHA are guessed too fast.',
    'Do what stands behind `next:`; until then nobody gets in by what is wrong in it.',
  ),
  'web-htpasswd-none': explained(
    'Passwords of the web page are asked for, and the configuration has no file of them (exit code 78).',
    'The section `web` has no key `htpasswd`.',
    'Add it: `man battito.yaml`.',
  ),
  'web-htpasswd-missing': explained(
    'The file with the passwords of the web page does not exist.',
    'The path is wrong, or it was not made, or not copied to this node.',
    '`(umask 077; htpasswd -B -C 10 -c FILE NAME)`; htpasswd is in the package apache2-utils.',
  ),
  'web-htpasswd-mode': explained(
    'Others may read the file with the passwords of the web page, so it is refused.',
    'It was made with the mode that files usually get.',
    '`chown root FILE; chmod 0600 FILE`',
  ),
  'web-htpasswd-unreadable': explained(
    'The file with the passwords of the web page cannot be read.',
    'The command does not run as root.',
    'Run it as root.',
  ),
  'web-htpasswd-invalid': explained(
    'The file with the passwords of the web page is too long to be one.',
    'It is another file.',
    'Give the file that htpasswd has written under `web`.',
  ),
  'web-login-wrong': explained(
    'The name and the password are not of anybody who may log in on the web page.',
    'One of them is mistyped, or the person is not in the file, or has no bcrypt there.',
    'Try again; `htpasswd -B -C 10 FILE NAME` gives a new password.',
  ),
  'web-login-input': explained(
    'What came by the standard input is not a name and a password (exit code 64).',
    'They stand each on a line of its own; there were fewer or more lines, or an empty one.',
    '`battito help web`',
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
