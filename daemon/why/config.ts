// Problems of the configuration. All of a file are told at once, each with file, line and column; nothing is touched.

import { type Explanation, explained } from './explanation.ts';

const example = 'See the example in `man battito.yaml`, and /usr/share/doc/battito/examples.';

export const ofConfig = {
  'config-unreadable': explained(
    'The configuration cannot be read (exit code 78).',
    'There is no such file, it is a directory, or it belongs to root.',
    'Name another with --config, or write it: `man battito.yaml` has an example.',
  ),
  'config-invalid': explained(
    'The configuration has problems (exit code 78). A daemon that runs keeps the one that it has.',
    'Each problem stands with file, line and column.',
    'Mend the lines, then: `battito check`',
  ),
  'config-yaml': explained(
    'The file is not one valid YAML document.',
    'Mostly the indentation, a tab, a quote that is not closed, or a text with `: ` in it that is not quoted.',
    'Mend the line, or the one above it.',
  ),
  'config-key-unknown': explained(
    'A key is not known at this place.',
    'It is misspelt, indented too far or too little, or of another version.',
    'Take the nearest key that the message suggests; `man battito.yaml` lists all of them.',
  ),
  'config-key-missing': explained(
    'A key that is needed is missing.',
    'It was left out, or stands at another place.',
    example,
  ),
  'config-key-twice': explained(
    'A key stands twice in one mapping.',
    'The second one would silently win.',
    'Take one of them out.',
  ),
  'config-value': explained(
    'A value is not of the form that is expected.',
    'A wrong unit, a name with forbidden characters, a number that is too large, a list instead of a text.',
    'Write it as the message says: durations as 200ms, 2s, 1m or 1h, sizes as 64M or 1G.',
  ),
  'config-rule': explained(
    'Values that are valid alone do not go together.',
    'Two things claim the same, a name refers to nothing, or timings are in the wrong order.',
    'Change one of the two; the message names the other one.',
  ),
} as const satisfies Readonly<Record<string, Explanation>>;

export type ProblemCode = Exclude<keyof typeof ofConfig, 'config-unreadable' | 'config-invalid'>;
