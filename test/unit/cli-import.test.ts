// `battito import` as it is typed: where the result goes, what is told beside it, and what is refused.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { loadConfig } from '../../daemon/config/load.ts';
import { temporaryDirectory } from '../support.ts';
import { run } from './fixtures/cli/terminal.ts';
import { pair, writeFiles } from './support/import.ts';

const nodes = ['--address', 'alpha=192.168.1.2', '--address', 'beta=192.168.1.3'];
const keepalivedText = `vrrp_instance VI_1 {
  state MASTER
  interface eth0
  virtual_ipaddress { 192.168.1.1/24 }
}
`;

test('The configuration goes to standard output, and what is told to standard error', async (t) => {
  const directory = writeFiles(t, pair());
  const { exitCode, stdout, stderr } = await run(['import', 'heartbeat', directory, ...nodes]);
  t.is(exitCode, 0);
  const path = join(directory, 'printed.yaml');
  writeFileSync(path, stdout);
  t.is(loadConfig(path).groups[0]?.preferred, 'alpha');
  t.regex(stderr, /^The configuration above: 1 group, 1 line without an equal\.$/m);
  t.regex(stderr, /^Safer now\n {2}- sha1 of authkeys is weak; its key is not taken over/m);
  t.regex(stderr, /^To look at\n/m);
  t.regex(stderr, /^ +battito keygen$/m);
  t.true(
    stderr.indexOf('systemctl disable --now heartbeat') < stderr.indexOf('systemctl enable --now battito'),
  );
});

test('With --output it is written to a new file, and never over another one', async (t) => {
  const directory = writeFiles(t, { ...pair(), 'keepalived.conf': keepalivedText });
  const file = join(directory, 'battito.yaml');
  const source = ['keepalived', join(directory, 'keepalived.conf')];
  const first = await run(['import', ...source, ...nodes, '--output', file]);
  t.is(first.exitCode, 0, first.stderr);
  t.true(first.stdout.startsWith(`${file} is written: 1 group, 0 lines without an equal.\n`));
  const written = readFileSync(file, 'utf8');
  t.is(loadConfig(file).groups[0]?.name, 'VI_1');
  const again = await run(['import', 'heartbeat', directory, ...nodes, '--output', file]);
  t.is(again.exitCode, 1);
  t.is(
    again.stderr,
    `battito: ${file} is there already; it was not touched\nnext: name another file with --output, and compare the two with diff\n`,
  );
  t.is(readFileSync(file, 'utf8'), written);
  const nowhere = await run(['import', ...source, ...nodes, '--output', join(directory, 'no/such/file')]);
  t.is(nowhere.exitCode, 1);
  t.regex(nowhere.stderr, /cannot be written: there is no such directory/);
});

test('As JSON: the configuration, the lines without an equal, and what to do next', async (t) => {
  const directory = writeFiles(t, pair());
  const { exitCode, stdout } = await run(['import', 'heartbeat', directory, ...nodes, '--json']);
  t.is(exitCode, 0);
  const answer = JSON.parse(stdout);
  t.like(answer, {
    file: null,
    withoutEqual: [{ file: join(directory, 'authkeys'), line: 2, text: 'sha1 ...' }],
  });
  t.regex(answer.configuration, /^cluster: alpha-beta/m);
  t.deepEqual(answer.next.at(-1).command, 'systemctl enable --now battito');
});

test('Files that are not there are named, and nothing is written', async (t) => {
  const directory = temporaryDirectory(t);
  const output = join(directory, 'new.yaml');
  const full = writeFiles(t, pair());
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [
      ['heartbeat', join(directory, 'ha.d')],
      /ha\.d: there is no such directory\nnext: name the directory with ha\.cf/,
    ],
    [['heartbeat', directory], /ha\.cf: cannot read the directives of Heartbeat: there is no such file/],
    [
      ['heartbeat', writeFiles(t, pair({ haresources: null }))],
      /haresources: cannot read the resources of Heartbeat/,
    ],
    [['heartbeat', join(full, 'ha.cf')], /ha\.cf\/ha\.cf: cannot read the directives/],
    [['keepalived', join(directory, 'k.conf')], /k\.conf: cannot read the configuration of keepalived/],
    [['keepalived', directory], /cannot read the configuration of keepalived: it is a directory/],
  ];
  for (const [words, message] of cases) {
    const { exitCode, stdout, stderr } = await run(['import', ...words, ...nodes, '--output', output]);
    t.is(exitCode, 78, words.join(' '));
    t.regex(stderr, message);
    t.is(stdout, '');
    t.false(existsSync(output));
  }
});

test('What our own loader would refuse is not written', async (t) => {
  const directory = writeFiles(t, pair({ haresources: 'alpha 192.168.1.2/24/eth0\n' }));
  const output = join(directory, 'new.yaml');
  const { exitCode, stderr } = await run(['import', 'heartbeat', directory, ...nodes, '--output', output]);
  t.is(exitCode, 78);
  t.regex(
    stderr,
    /192\.168\.1\.2 is the own address of node alpha.*\n +- 192\.168\.1\.2\/24 dev eth0 # haresources:1\n/,
  );
  t.regex(stderr, /^1 problem; nothing was written$/m);
  t.false(existsSync(output));
});

const mistakes: readonly (readonly [words: readonly string[], message: string, next: string])[] = [
  [
    [],
    'say what to import: heartbeat DIRECTORY or keepalived FILE',
    'did you mean `battito import heartbeat /etc/ha.d`?',
  ],
  [
    ['hearbeat', '/x'],
    'import knows heartbeat and keepalived, not "hearbeat"',
    'did you mean `battito import heartbeat`?',
  ],
  [['heartbeat'], 'say which directory has ha.cf', 'did you mean `battito import heartbeat /etc/ha.d`?'],
  [
    ['heartbeat', '/x', '/y'],
    'import heartbeat does not know what to do with "/y"',
    '`battito import --help` lists what is possible',
  ],
  [
    ['keepalived'],
    'say which file',
    'did you mean `battito import keepalived /etc/keepalived/keepalived.conf`?',
  ],
  [
    ['heartbeat', '/x', '--address', 'alpha'],
    '--address takes NODE=ADDRESS, not "alpha"',
    '`battito import --help` lists what is possible',
  ],
  [
    ['heartbeat', '/x', '--address', 'alpha=fd00::1'],
    '--address alpha=... takes an IPv4 address, not "fd00::1"',
    '`battito import --help` lists what is possible',
  ],
  [
    ['heartbeat', '/x', '--address', 'a=192.168.1.2', '--address', 'a=192.168.1.3'],
    '--address a=... is given twice',
    '`battito import --help` lists what is possible',
  ],
  [
    ['heartbeat', '/x', '--prefix', '0'],
    '--prefix takes a number such as 24, not "0"',
    '`battito import --help` lists what is possible',
  ],
  [
    ['heartbeat', '/x', '--interface', 'eth0:1'],
    '--interface takes the name of an interface such as eth0, not "eth0:1"',
    '`battito import --help` lists what is possible',
  ],
];

for (const [words, message, next] of mistakes) {
  test(`Not understood: import ${words.join(' ')}`, async (t) => {
    const { exitCode, stderr } = await run(['import', ...words]);
    t.is(exitCode, 64);
    t.is(stderr, `battito: ${message}\nnext: ${next}\n`);
  });
}
