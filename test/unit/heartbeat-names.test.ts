// What old hands of Heartbeat type: hb_takeover, hb_standby and cl_status, with their arguments, words and exit codes.

import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Status } from '../../daemon/control/api.ts';
import { temporaryDirectory } from '../support.ts';
import { scriptedDaemon } from './fixtures/cli/server.ts';
import { group, groupAtPeer, link, status } from './fixtures/cli/statuses.ts';
import { run } from './fixtures/cli/terminal.ts';

const scripts = join(import.meta.dirname, '../../scripts');

/** The script under a name, with a battito that tells how it was called and ends with `exitCode`. */
function typed(t: ExecutionContext, name: string, words: readonly string[], exitCode = 0) {
  const directory = temporaryDirectory(t);
  const [places, bin] = [join(directory, 'sbin'), join(directory, 'bin')];
  for (const one of [places, bin]) mkdirSync(one);
  copyFileSync(join(scripts, name), join(places, name));
  writeFileSync(join(bin, 'battito'), `#!/bin/sh\nprintf '%s|' "$@"\nexit ${exitCode}\n`);
  chmodSync(join(bin, 'battito'), 0o755);
  const result = spawnSync('dash', [join(places, name), ...words], {
    encoding: 'utf8',
    env: { PATH: `${bin}:/usr/bin:/bin` },
  });
  return { called: result.stdout, exitCode: result.status, stderr: result.stderr };
}

test("Heartbeat's names are the same scripts", (t) => {
  const names = { hb_takeover: 'takeover', hb_standby: 'standby', cl_status: 'status' };
  for (const [alias, script] of Object.entries(names)) {
    t.is(readlinkSync(join(scripts, alias)), script);
    const { status: code, stdout } = spawnSync('shellcheck', ['-s', 'sh', join(scripts, script)], {
      encoding: 'utf8',
    });
    t.is(code, 0, stdout);
  }
});

const moves: readonly (readonly [string, readonly string[], string])[] = [
  ['hb_takeover', [], 'takeover|'],
  ['hb_takeover', ['all'], 'takeover|'],
  ['hb_takeover', ['local'], 'takeover|--preferred|here|'],
  ['hb_takeover', ['failback'], 'takeover|--preferred|here|'],
  ['hb_takeover', ['foreign', '--dry-run'], 'takeover|--preferred|there|--dry-run|'],
  ['takeover', ['two words', '--no-wait'], 'takeover|two words|--no-wait|'],
  ['hb_standby', [], 'handover|'],
  ['hb_standby', ['all', '--dry-run'], 'handover|--dry-run|'],
  ['hb_standby', ['local'], 'handover|--preferred|here|'],
  ['hb_standby', ['foreign'], 'handover|--preferred|there|'],
  ['hb_standby', ['failback'], 'handover|--preferred|there|'],
  ['standby', ['mail'], 'handover|mail|'],
  ['status', [], 'status|'],
  ['status', ['--watch'], 'status|--watch|'],
  ['status', ['rscstatus', '-m'], 'cl-status|rscstatus|--sentence|'],
  ['cl_status', [], 'cl-status|'],
  ['cl_status', ['listnodes', '-n'], 'cl-status|listnodes|--normal|'],
  ['cl_status', ['listnodes', '-pn'], 'cl-status|listnodes|--normal|--ping|'],
  ['cl_status', ['nodestatus', 'a b'], 'cl-status|nodestatus|a b|'],
  ['cl_status', ['bogus'], 'cl-status|bogus|'],
];

for (const [name, words, called] of moves) {
  test(`${[name, ...words].join(' ')} is battito ${called}`, (t) => {
    t.like(typed(t, name, words), { called, exitCode: 0, stderr: '' });
    t.is(typed(t, name, words, 1).exitCode, 1);
  });
}

test('cl_status ends with 11 where the words were not understood', (t) => {
  t.is(typed(t, 'cl_status', ['listnodes', '-x'], 64).exitCode, 11);
  t.is(typed(t, 'status', ['--x'], 64).exitCode, 64);
});

async function asked(t: ExecutionContext, words: readonly string[], changes: Partial<Status> = {}) {
  const { socketPath } = await scriptedDaemon(t, { statuses: [status(changes)] });
  return run(['cl-status', ...words, '--socket', socketPath]);
}

const shop = { name: 'shop', preferred: 'secondary' };
const dead = { verdict: { kind: 'dead', forMs: 1, silentMs: 9000, signs: [] } } as const;
const cut = { links: [link('eth1 broadcast', { fresh: false }), link('eth0 unicast')] };
const lost = { probes: [{ target: 'gateway 192.168.1.254', kind: 'gateway', last: 'unanswered' }] };

const answers: readonly (readonly [string, string, number, Partial<Status>?])[] = [
  ['hbstatus', 'Heartbeat is running on this machine.', 0],
  ['listnodes', 'primary\nsecondary\n192.168.1.254', 0],
  ['listnodes --normal', 'primary\nsecondary', 0],
  ['listnodes --ping', '192.168.1.254', 0],
  ['nodestatus primary', 'active', 0, dead],
  ['nodestatus secondary', 'active', 0],
  ['nodestatus secondary', 'dead', 1, dead],
  ['nodestatus secondary --sentence', 'The cluster node secondary is dead', 1, dead],
  ['nodestatus 192.168.1.254', 'ping', 0],
  ['nodestatus 192.168.1.254', 'dead', 1, lost],
  ['nodetype secondary', 'normal', 0],
  ['nodetype 192.168.1.254', 'ping', 0],
  ['listhblinks secondary', '\teth1\n\teth0', 0],
  ['hblinkstatus secondary eth1', 'up', 0],
  ['hblinkstatus secondary eth1', 'dead', 1, cut],
  ['rscstatus', 'all', 0],
  ['rscstatus --sentence', 'This node is holding all resources.', 0],
  ['rscstatus', 'none', 0, { groups: [groupAtPeer()] }],
  ['rscstatus', 'local', 0, { groups: [group(), groupAtPeer(shop)] }],
  ['rscstatus', 'foreign', 0, { groups: [groupAtPeer(), group(shop)] }],
];

for (const [question, answer, exitCode, changes] of answers) {
  test(`cl-status ${question}: ${answer.replaceAll(/\s+/g, ' ')}, exit code ${exitCode}`, async (t) => {
    t.deepEqual(await asked(t, question.split(' '), changes), {
      exitCode,
      stdout: `${answer}\n`,
      stderr: '',
    });
  });
}

test('what has no answer, or is wrong, ends with 11 and says why; without a question there is help', async (t) => {
  const wrongs: readonly (readonly [string, RegExp])[] = [
    ['bogus', /not a question; the questions are: hbstatus, listnodes/],
    ['toString', /not a question/],
    ['clientstatus primary ipfail', /no clients/],
    ['hbparameter', /battito\.yaml/],
    ['nodestatus', /the name of a node is wanted/],
    ['nodestatus third', /there is no node third; the nodes are: primary, secondary, 192\.168\.1\.254/],
    ['hblinkstatus primary', /a node and a link are wanted/],
    ['hblinkstatus primary eth7', /there is no link eth7; the links are: eth1, eth0/],
  ];
  for (const [question, why] of wrongs) {
    const result = await asked(t, question.split(' '));
    t.is(result.exitCode, 11, question);
    t.regex(result.stderr, why);
    t.is(result.stdout, '');
  }
  const help = await asked(t, []);
  t.is(help.exitCode, 0);
  t.regex(help.stdout, /^cl_status hbstatus\n/);
});

test('without a daemon hbstatus says that it is stopped, and every other question fails', async (t) => {
  const socket = ['--socket', join(temporaryDirectory(t), 'none.sock')];
  const stopped = await run(['cl-status', 'hbstatus', ...socket]);
  t.deepEqual(stopped, { exitCode: 1, stdout: 'Heartbeat is stopped on this machine.\n', stderr: '' });
  const other = await run(['cl-status', 'rscstatus', ...socket]);
  t.is(other.exitCode, 1);
  t.regex(other.stderr, /^cl_status: .*\nnext: .*systemctl start battito/);
});

test('--preferred names the groups that prefer a node, and nothing is asked where there are none', async (t) => {
  const both = status({ groups: [groupAtPeer(), groupAtPeer(shop)] });
  const after = status({ groups: [groupAtPeer(), group(shop)] });
  const { socketPath, requests } = await scriptedDaemon(t, { statuses: [both, after] });
  const taken = await run(['takeover', '--preferred', 'there', '--socket', socketPath]);
  t.is(taken.exitCode, 0, taken.stderr);
  t.deepEqual(requests, [{ kind: 'takeover', groups: ['shop'] }]);

  const alone = await scriptedDaemon(t, { statuses: [status()] });
  const none = await run(['handover', '--preferred', 'there', '--socket', alone.socketPath]);
  t.deepEqual(none, { exitCode: 0, stdout: 'no group prefers secondary: nothing to do\n', stderr: '' });
  const json = await run(['handover', '--preferred', 'there', '--json', '--socket', alone.socketPath]);
  t.deepEqual(JSON.parse(json.stdout), { done: true, message: 'no group prefers secondary: nothing to do' });
  for (const words of [
    ['--preferred', 'local'],
    ['office', '--preferred', 'here'],
  ]) {
    const wrong = await run(['takeover', ...words, '--socket', alone.socketPath]);
    t.is(wrong.exitCode, 64);
    t.regex(wrong.stderr, /--preferred/);
  }
  t.deepEqual(alone.requests, []);
});

test('each script says in its first lines what it takes', (t) => {
  for (const name of ['takeover', 'standby']) {
    t.regex(readFileSync(join(scripts, name), 'utf8'), /all \| local \| foreign \| failback/);
  }
});
