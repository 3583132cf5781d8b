// `battito simulate` on configurations: what would happen before anything is deployed, and what is not understood.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { exitCodes } from '../../daemon/errors.ts';
import { contentDigest } from '../../daemon/runtime/definitions/content.ts';
import { definitionsDirectory } from '../../daemon/runtime/definitions/files.ts';
import { emptyRecord, withEdit } from '../../daemon/runtime/definitions/merge.ts';
import type { GroupOutcome, WhatIfReport } from '../../daemon/whatif/report.ts';
import { temporaryDirectory } from '../support.ts';
import { run } from './fixtures/cli/terminal.ts';
import { domain, uuidOf } from './support/definitions.ts';

const guest = (name: string) => `
      - { name: ${name}, driver: qemu, memory: 64M, disk: /srv/guests/${name}.qcow2 }`;

const group = (name: string, preferred: string, address: string, guests: readonly string[], more = '') => `
  ${name}:
    preferred: ${preferred}${more}
    addresses: [${address}/24 dev lan0]
    guests:${guests.map(guest).join('')}`;

const office = group('office', 'alpha', '192.168.1.1', ['mail', 'web']);
const shop = group('shop', 'beta', '192.168.1.4', ['till']);

const configText = ({
  groups = office,
  links = '',
  ping = '192.168.1.254',
}: {
  groups?: string;
  links?: string;
  ping?: string;
} = {}) => `cluster: office
nodes:
  alpha: { address: 192.168.1.2 }
  beta: { address: 192.168.1.3 }
heartbeat:
  key-file: /nonexistent/key
  links:
${links === '' ? '    - { interface: cross0 }\n    - { interface: lan0, mode: unicast }' : links}
connectivity:
  ping: [${ping}]
groups:${groups}
`;

function simulate(t: ExecutionContext, words: readonly string[], config = configText()) {
  const path = join(temporaryDirectory(t), 'battito.yaml');
  writeFileSync(path, config);
  return run(['simulate', '--config', path, ...words]);
}

async function report(t: ExecutionContext, words: readonly string[], config?: string): Promise<WhatIfReport> {
  const { exitCode, stdout, stderr } = await simulate(t, [...words, '--json'], config);
  t.is(stderr, '');
  t.is(exitCode, 0);
  const answer = JSON.parse(stdout) as WhatIfReport;
  t.deepEqual(answer.basis.differences, []);
  return answer;
}

const only = ({ scenarios }: WhatIfReport): GroupOutcome => {
  const found = scenarios[0]?.ending.groups[0];
  if (scenarios.length !== 1 || found === undefined) throw new Error('not one scenario');
  return found;
};

const fault = (...texts: readonly string[]) => texts.flatMap((text) => ['--fault', text]);

test('Without a fault it goes through the usual ones, with no daemon and no key', async (t) => {
  const answer = await report(t, []);
  t.deepEqual(
    answer.scenarios.map(({ id, ending }) => `${id}: ${ending.groups[0]?.fate} ${ending.groups[0]?.to}`),
    [
      'power alpha: moved beta',
      'power beta: untouched alpha',
      'link cross0: untouched alpha',
      'link lan0 alpha: moved beta',
      'link lan0 beta: untouched alpha',
      'daemon alpha: untouched alpha',
      'daemon alpha stays-down: untouched alpha',
      'daemon beta: untouched alpha',
      'daemon beta stays-down: untouched alpha',
      'gateway: untouched alpha',
      'power both: back alpha',
    ],
  );
  t.is(answer.self, null);
});

test('The loss of power of the active node: the other one, in the order of the configuration', async (t) => {
  const answer = await report(t, fault('power-loss alpha @10s'));
  const { fate, to, order, takenAfter } = only(answer);
  t.is(fate, 'moved');
  t.is(to, 'beta');
  t.deepEqual(order, ['address:192.168.1.1/24', 'guest:mail', 'guest:web']);
  t.true((takenAfter?.highMs ?? Infinity) < 10_000, 'it counts from the fault, not from the beginning');
  t.true((answer.scenarios[0]?.timeline[0]?.atMs ?? 0) >= 9990);
});

test('Two groups go their own ways, and the survivor has both', async (t) => {
  const config = configText({ groups: office + shop });
  const answer = await report(t, fault('power-loss beta @1s'), config);
  t.deepEqual(answer.now.groups, [
    { name: 'office', on: 'alpha' },
    { name: 'shop', on: 'beta' },
  ]);
  const groups = answer.scenarios[0]?.ending.groups ?? [];
  t.deepEqual(
    groups.map(({ name, fate, to }) => [name, fate, to]),
    [
      ['office', 'untouched', 'alpha'],
      ['shop', 'moved', 'alpha'],
    ],
  );
  t.is(answer.scenarios[0]?.ending.verdict.split(' after ')[0], 'alpha takes shop over');
});

test('Several faults are one story, in the order of their times', async (t) => {
  const answer = await report(t, fault('power-loss alpha @30s', 'operator beta standby on @5s'));
  const { fate, hindrances } = only(answer);
  t.is(fate, 'lost');
  t.is(hindrances[0]?.code, 'standby');
  t.deepEqual(answer.scenarios[0]?.faults, ['operator beta standby on @5s', 'power-loss alpha @30s']);
});

test('A power cut from which only the standby comes back waits for a person', async (t) => {
  const words = fault('power-loss alpha @1s', 'power-loss beta @1s', 'power-on beta @10s');
  const { fate, hindrances } = only(await report(t, words));
  t.is(fate, 'lost');
  t.is(hindrances[0]?.code, 'unproven-data');
  t.regex(hindrances[0]?.next ?? '', /start alpha; or, .*`battito takeover --accept-data office`/);
});

test('A failback that is automatic brings the group back', async (t) => {
  const groups = group('office', 'alpha', '192.168.1.1', ['mail'], '\n    failback: automatic');
  const words = fault('power-loss alpha @1s', 'power-on alpha @20s');
  const back = only(await report(t, words, configText({ groups })));
  t.is(back.fate, 'back');
  t.is(back.to, 'alpha');
  t.is(only(await report(t, words)).to, 'beta');
});

test('A node that is cut off from its gateway gives the group to the one that is not', async (t) => {
  for (const text of ['cut alpha lan0 out @3s', 'cut alpha lan0 in @3s']) {
    const answer = await report(t, fault(text));
    const [told] = answer.scenarios;
    t.is(`${only(answer).fate} ${only(answer).to}`, 'moved beta', text);
    t.deepEqual(told?.otherEndings, [], text);
    t.true(told?.ending.atRest, text);
    t.true(told?.timeline.some(({ code }) => code === 'offered'));
  }
  for (const text of ['cut beta lan0 out @3s', 'gateway off @3s']) {
    const answer = await report(t, fault(text));
    t.is(only(answer).fate, 'untouched', text);
    t.true(answer.scenarios[0]?.ending.atRest, text);
  }
});

test('A gateway that one node alone does not reach goes by its address', async (t) => {
  const config = configText({ ping: '192.168.1.254, 192.168.1.253' });
  const shut = (node: string, address: string) => `way-out ${node} ${address} shut @3s`;
  const words = fault(shut('alpha', '192.168.1.253'));
  const answer = await report(t, words, config);
  t.is(`${only(answer).fate} ${only(answer).to}`, 'moved beta');
  t.true((only(answer).takenAfter?.lowMs ?? 0) > 25_000, 'after fifteen deadtimes');
  t.deepEqual(answer.scenarios[0]?.faults, [shut('alpha', '192.168.1.253')]);
  const { stdout } = await simulate(t, words, config);
  t.true(stdout.includes('what happens: way-out alpha 192.168.1.253 shut\n'));
  const both = fault(shut('alpha', '192.168.1.253'), shut('beta', '192.168.1.254'));
  t.is(only(await report(t, both, config)).fate, 'untouched');
  const open = fault(shut('alpha', '192.168.1.254'), 'way-out alpha 192.168.1.254 open @20s');
  t.is(only(await report(t, open, config)).fate, 'untouched');
  t.is(only(await report(t, fault(shut('alpha', '192.168.1.254')))).to, 'beta');
});

test('Where there is no gateway none can be lost', async (t) => {
  const config = configText({ ping: '' });
  for (const text of ['gateway off', 'way-out alpha 192.168.1.254 shut']) {
    const { exitCode, stderr } = await simulate(t, fault(text), config);
    t.is(exitCode, exitCodes.usage);
    t.regex(
      stderr,
      /the configuration has no gateway\nnext: connectivity\.ping in the configuration names one/,
    );
  }
});

test('A failback that is not due is not waited for', async (t) => {
  const groups = group('office', 'alpha', '192.168.1.1', ['mail'], '\n    failback: automatic');
  const words = fault('power-loss alpha @1s', 'cut alpha lan0 out @15s', 'power-on alpha @20s');
  const answer = await report(t, words, configText({ groups }));
  t.is(only(answer).to, 'beta');
  t.true(answer.scenarios[0]?.ending.atRest);
});

test('Cables go by the names of their interfaces, also where there is no dedicated one', async (t) => {
  t.is(only(await report(t, fault('cut alpha cross0'))).fate, 'untouched');
  t.is(only(await report(t, fault('cut alpha lan0'))).fate, 'moved');
  const links = '    - { interface: lan0, mode: unicast }';
  const alone = await report(t, [], configText({ links }));
  t.deepEqual(
    alone.scenarios.map(({ id }) => id).filter((id) => id.startsWith('link')),
    ['link lan0 alpha', 'link lan0 beta'],
  );
  const cut = alone.scenarios.find(({ id }) => id === 'link lan0 alpha');
  t.is(cut?.ending.groups[0]?.to, 'beta');
});

test('Several dedicated cables count as one', async (t) => {
  const links = ['cross0', 'cross1', 'lan0'].map((name) => `    - { interface: ${name} }`).join('\n');
  const answer = await report(t, ['link', 'cross1'], configText({ links }));
  t.deepEqual(
    answer.scenarios.map(({ title }) => title),
    ['all dedicated cables (cross0, cross1) fail at once'],
  );
  t.is(only(answer).fate, 'untouched');
});

test('A partition while both reach the outside is not hidden', async (t) => {
  const answer = await report(t, fault('partition @3s'));
  t.is(only(answer).fate, 'doubled');
  t.regex(answer.scenarios[0]?.ending.verdict ?? '', /^office runs on BOTH nodes/);
});

test('A guest that ran on both nodes for a moment is not hidden, either', async (t) => {
  const answer = await report(t, fault('pause-host alpha 10s @2s'));
  const [told] = answer.scenarios;
  const endings = told === undefined ? [] : [told.ending, ...told.otherEndings];
  t.true(endings.every(({ groups }) => groups[0]?.fate === 'moved' && groups[0].to === 'beta'));
  const moment = endings.find(({ groups }) => groups[0]?.doubledFor != null);
  t.regex(moment?.verdict ?? '', /; BUT for about .* a guest ran on BOTH nodes: the tier evidence/);
  const short = await report(t, fault('pause-host alpha 1s @2s'));
  t.is(only(short).fate, 'back');
  t.is(only(short).doubledFor, null);
});

test('A host that goes on while its guest is being started on the other one is warned of', async (t) => {
  const [told] = (await report(t, fault('pause-host alpha 4s @2s'))).scenarios;
  t.is(told?.ending.groups[0]?.doubledFor, null);
  const { lowMs = 0, highMs = 0 } = told?.ending.groups[0]?.overlapFor ?? {};
  t.true(lowMs > 0 && highMs < 500, `${lowMs} to ${highMs} ms`);
  t.regex(
    told?.ending.verdict ?? '',
    /; BUT for about .* while the other one was starting it, .*the tier evidence/,
  );
  for (const text of ['operator beta takeover @2s', 'power-loss alpha @2s', 'cut alpha lan0 @2s']) {
    const [calm] = (await report(t, fault(text))).scenarios;
    t.is(calm?.ending.groups[0]?.overlapFor, null, text);
    t.is(calm?.ending.groups[0]?.to, 'beta', text);
  }
});

test('The same seed gives the same answer, and durations are taken as told', async (t) => {
  const words = [...fault('power-loss alpha @1s'), '--seed', '7', '--durations', 'guest:mail=20s,guest=2s'];
  const answer = await report(t, words);
  t.deepEqual(await report(t, words), answer);
  t.deepEqual(answer.basis.seeds, [7, 8, 9, 10, 11]);
  const [mail, web] = only(answer).guests;
  t.true((mail?.backAfter?.lowMs ?? 0) > 10_000);
  t.true((web?.backAfter?.highMs ?? Infinity) < 10_000);
});

/** A state directory with the definitions of these guests, of the group office. */
function stateWith(t: ExecutionContext, names: readonly string[]): string {
  const directory = temporaryDirectory(t);
  mkdirSync(definitionsDirectory(directory));
  for (const name of names) {
    const xml = domain(name, 512);
    const takenAt = '2026-03-01T03:12:44.081Z';
    const edit = { name, group: 'office', xml, content: contentDigest(xml), node: 'alpha', takenAt };
    const record = withEdit(emptyRecord(uuidOf(name)), edit);
    const path = join(definitionsDirectory(directory), `${record.uuid}.json`);
    writeFileSync(path, JSON.stringify({ format: 1, contentForm: 1, ...record }));
  }
  return directory;
}

test('The guests of `all` are those that the daemon has on record; where it has none, that is said', async (t) => {
  const groups = `
  office:
    preferred: alpha
    addresses: [192.168.1.1/24 dev lan0]
    drbd: [r0]
    guests: [all, dns]`;
  const config = configText({ groups });
  const ask = (state: string) =>
    report(
      t,
      [...fault('power-loss alpha @1s'), '--state-dir', state, '--durations', 'guest:dns=2s'],
      config,
    );
  const known = await ask(stateWith(t, ['web', 'mail']));
  t.deepEqual(
    only(known).guests.map(({ id, isUp }) => [id, isUp]),
    [
      ['guest:dns', true],
      ['guest:mail', true],
      ['guest:web', true],
    ],
  );
  t.deepEqual(known.basis.assumptions, [
    'of the guests of libvirt those on record here belong to office: mail, web',
  ]);
  const none = await ask(stateWith(t, []));
  t.regex(none.basis.assumptions[0] ?? '', /belong to office: none$/);
  const elsewhere = await ask(join(temporaryDirectory(t), 'none'));
  t.deepEqual(
    only(elsewhere).guests.map(({ id }) => id),
    ['guest:dns'],
  );
  t.regex(
    elsewhere.basis.assumptions[0] ?? '',
    /not known here, .* left out of office: name them in the configuration to see them/,
  );
  t.deepEqual((await report(t, fault('power-loss alpha @1s'))).basis.assumptions, []);
});

test('Words choose among the usual faults', async (t) => {
  const answer = await report(t, ['power', 'alpha']);
  t.deepEqual(
    answer.scenarios.map(({ id }) => id),
    ['power alpha'],
  );
});

const mistakes: readonly (readonly [words: readonly string[], message: RegExp, next: RegExp])[] = [
  [fault('powr-loss alpha @1s'), /there is no action "powr-loss"/, /power-loss, power-on/],
  [fault('power-loss gamma @1s'), /"gamma" does not fit/, /alpha or beta/],
  [fault('power-loss alpha @soon'), /"soon" is not a time/, /@10s/],
  [fault('power-loss alpha @10000h'), /"10000h" is not a time/, /milliseconds, seconds or minutes, .*@2m/],
  [fault('power-loss alpha @99999m'), /99999m is too late/, /within 60m/],
  [fault('cut alpha eth9 @1s'), /there is no cable eth9$/, /dedicated \(cross0\) and lan \(lan0\)$/],
  [fault('network eth9 loss=1'), /there is no cable eth9$/, /dedicated \(cross0\) and lan \(lan0\)$/],
  [fault('cut primary eth9'), /"primary" does not fit/, /alpha or beta/],
  [fault('cut alpha @5s'), /cut needs more words/, /dedicated, lan/],
  [fault('guest-dies alpha shop @1s'), /there is no guest shop/, /guest:mail, guest:web/],
  [fault('guest-dies alpha address:192.168.1.1/24'), /there is no guest address/, /guest:mail, guest:web/],
  [fault('break alpha shop fails'), /there is no shop/, /address:192.168.1.1\/24, guest:mail, guest:web/],
  [fault('witness down'), /the configuration has no witness/, /without --fault/],
  [fault('fence-device alpha failing @2s'), /has no device that powers a node off/, /without --fault/],
  [fault('way-out alpha 192.168.1.1 shut'), /there is no gateway 192.168.1.1$/, /there is 192.168.1.254$/],
  [fault('way-out alpha gateway shut'), /there is no gateway gateway$/, /there is 192.168.1.254$/],
  [fault('way-out alpha'), /way-out needs more words/, /address of a gateway such as 192.168.1.254/],
  [fault('replace-disk alpha'), /the configuration has no mirrored disk/, /drbd: \[r0\]/],
  [fault('disk-failure alpha'), /the configuration has no mirrored disk/, /drbd: \[r0\]/],
  [fault('operator alpha takeover shop'), /there is no group shop/, /the groups are office$/],
  [['--seed', 'many', ...fault('partition')], /--seed takes a whole number/, /battito simulate --help/],
  [['--seed', '-5'], /--seed takes a whole number from 0 to 999999999, not "-5"/, /battito simulate --help/],
  [['power', ...fault('partition')], /--fault and the word "power" do not go together/, /simulate --help/],
  [['--durations', 'guest=5s,guest=6s'], /--durations says twice how long guest takes/, /once/],
  [[''], /empty word/, /simulate --help/],
  [['--durations', 'guest=soon'], /--durations does not understand "guest=soon"/, /guest:web=40s/],
  [['nonsense'], /there is no "nonsense" to ask about/, /power alpha, power beta/],
];

for (const [words, message, next] of mistakes) {
  test(`"battito simulate ${words.join(' ')}" is refused with what is possible`, async (t) => {
    const { exitCode, stdout, stderr } = await simulate(t, words);
    t.is(exitCode, exitCodes.usage);
    t.is(stdout, '');
    const [said = '', advice = ''] = stderr.split('\n');
    t.regex(said, message);
    t.regex(advice, next);
  });
}

test('A cable that the configuration lacks cannot be cut', async (t) => {
  const config = configText({ links: '    - { interface: lan0, mode: unicast }' });
  const { exitCode, stderr } = await simulate(t, fault('cut alpha dedicated'), config);
  t.is(exitCode, exitCodes.usage);
  t.regex(stderr, /has no dedicated cable\nnext: its heartbeat links are all on the LAN, lan0/);
  const cut = await report(t, fault('cut beta dedicated', 'mend beta cross0 @20s'));
  t.is(only(cut).fate, 'untouched');
});

test('A wrong configuration is refused as by every command', async (t) => {
  const { exitCode, stderr } = await simulate(t, [], configText().replace('ping:', 'pings:'));
  t.is(exitCode, exitCodes.config);
  t.regex(stderr, /pings/);
});
