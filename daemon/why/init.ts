// What `battito init` may end with.

import { type Explanation, explained } from './explanation.ts';

export const ofInit = {
  'init-stopped': explained(
    'The questions were ended before the last answer, so nothing was written.',
    'Ctrl-C, or the end of the input.',
    '`battito init` begins again.',
  ),
  'init-invalid': explained(
    'The answers make no valid configuration, so nothing was written.',
    'Two of them do not fit together; the message has the lines.',
    'Run it again with other answers; `battito init --help` has the option for each.',
  ),
  'init-exists': explained(
    'There is a configuration already; it was not touched.',
    'It was written before.',
    '`battito check` reads it; `battito init --force` writes a new one and keeps the old one beside it.',
  ),
  'init-unwritable': explained(
    'The configuration or the key cannot be written.',
    'The command does not run as root, or the directory is missing or read-only.',
    'Run it as root, or name another file with --config.',
  ),
} as const satisfies Readonly<Record<string, Explanation>>;
