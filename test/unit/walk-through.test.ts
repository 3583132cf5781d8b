// The walk-through of the README, as far as it can be held to the product without two machines: the lab carries it out.

import { readFileSync } from 'node:fs';
import test from 'ava';
import { parseCommandLine } from '../../daemon/cli/arguments.ts';
import { walkThrough } from '../lab/support/walk-through.ts';
import { hostOf, mirrored, typeInit } from './support/init-host.ts';

const steps = walkThrough();
const lines = steps.flatMap((step) => (step.kind === 'line' ? [step] : []));

test('Every command of ours is one that is understood', async (t) => {
  const ours = lines.filter(({ line }) => line.startsWith('battito '));
  t.deepEqual(
    ours.map(({ line }) => line.split(' ')[1]),
    ['init', 'check', 'status', 'explain', 'takeover'],
  );
  for (const { line } of ours) t.is((await parseCommandLine(line.split(' ').slice(1))).kind, 'run', line);
});

test('The line that brings the files over is the one that init prints on such a host', async (t) => {
  const init = lines.find(({ line }) => line.startsWith('battito init '));
  const words = init?.line.split(' ').slice(2) ?? [];
  const guests = [{ name: 'mail', stays: null, autostart: false }];
  const typed = await typeInit(hostOf({ ...mirrored, guests }), [...words, '--dry-run', '--json']);
  const copy = lines.find(({ line }) => line.startsWith('scp '));
  t.is(copy?.line, JSON.parse(typed.stdout).next[0].command);
  t.is(copy?.where, 'primary');
});

test('The questions that it shows are those that are asked', async (t) => {
  const host = hostOf({ ...mirrored, guests: [{ name: 'mail', stays: null, autostart: false }] });
  const typed = await typeInit(host, ['--dry-run'], { answers: ['', '192.168.1.1', '', ''] });
  t.is(typed.exitCode, 0);
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  for (const question of typed.questions) {
    t.true(readme.includes(`\n    ${question.trimEnd()}`), question);
  }
  t.regex(readme, /^ {4}Write \/etc\/battito\/battito\.yaml and \/etc\/battito\/key \[yes\]:$/m);
});

test('On the other host the file has its own addresses, and nothing else is another', (t) => {
  const [file, ...others] = steps.filter(({ kind }) => kind === 'file');
  if (file?.kind !== 'file') throw new Error('no file is shown');
  t.deepEqual(others, []);
  t.is(file.path, '/etc/network/interfaces');
  const here = file.textFor('primary').split('\n');
  const there = file.textFor('secondary').split('\n');
  t.deepEqual(
    here.flatMap((line, index) =>
      line === there[index] ? [] : [`${line.trim()} => ${there[index]?.trim()}`],
    ),
    ['address 192.168.1.2/24 => address 192.168.1.3/24', 'address 192.168.2.2/24 => address 192.168.2.3/24'],
  );
});

test('A block that does not say where it is typed is no part of a walk-through', (t) => {
  t.throws(() => walkThrough('## Two hosts, from nothing\n```sh\nreboot\n```\n'), {
    message: /where this is typed: sh/,
  });
  t.throws(() => walkThrough('# Another\n'), { message: /the README has no/ });
});
