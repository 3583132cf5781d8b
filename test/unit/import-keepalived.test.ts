// `battito import keepalived`: every vrrp_instance becomes a group or a part of one, and the result is a configuration
// that our own loader takes.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { readKeepalivedFile } from '../../daemon/config/import/keepalived-text.ts';
import { readKeepalived } from '../../daemon/config/import/read-keepalived.ts';
import { collectProblems } from '../../daemon/config/import/source.ts';
import { BattitoError } from '../../daemon/errors.ts';
import { given, keepalived, problemsOf, writeFiles } from './support/import.ts';

const instance = (lines: string, name = 'VI_1') => `
vrrp_instance ${name} {
    interface eth0
    virtual_router_id 51
${lines}
}
`;
const address = 'virtual_ipaddress { 192.168.1.1/24 }';

test('A pair of load balancers becomes a group with its addresses, its paths and its preferred node', (t) => {
  const text = `! Configuration File for keepalived
global_defs {
   router_id alpha   # this host
   notification_email {
     root@office.example
   }
}
vrrp_script chk_proxy {
    script "pidof haproxy"
    interval 2
}
vrrp_instance VI_1
{
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 150
    advert_int 0.5
    unicast_src_ip 192.168.1.2
    unicast_peer { 192.168.1.3 }
    authentication {
        auth_type PASS
        auth_pass s3}cr!t
    }
    virtual_ipaddress {
        192.168.1.1/24 brd 192.168.1.255 dev br0 label br0:vip
        fd00::1/64
    }
    track_interface {
        eth0
        eth1 weight 10
    }
    track_script {
        chk_proxy
    }
    notify_master "/etc/keepalived/master.sh one two"
}
virtual_server 192.168.1.1 80 {
    lb_algo rr
    real_server 192.168.1.10 80 { weight 1 }
}
`;
  const { config, yaml } = keepalived(t, text);
  t.deepEqual(config.nodes, [
    { name: 'alpha', address: '192.168.1.2' },
    { name: 'beta', address: '192.168.1.3' },
  ]);
  t.like(config.heartbeat, { keepaliveMs: 500, warntimeMs: 1000, deadtimeMs: 2000, initdeadMs: 30_000 });
  t.like(config.heartbeat.links[0], { mode: 'unicast', interface: 'eth0' });
  t.like(config.heartbeat.links[1], { mode: 'broadcast', interface: 'eth1' });
  t.is(config.heartbeat.links.length, 2);
  const [group] = config.groups;
  t.like(group, { name: 'VI_1', preferred: 'alpha', failback: 'automatic' });
  t.deepEqual(
    group?.addresses.map((found) => `${found.address}/${found.prefix} ${found.interface}`),
    ['192.168.1.1/24 br0', 'fd00::1/64 eth0'],
  );
  for (const [line, what] of [
    [2, 'global_defs'],
    [8, 'vrrp_script chk_proxy'],
    [16, 'virtual_router_id 51'],
    [21, 'authentication'],
    [33, 'track_script'],
    [36, 'notify_master /etc/keepalived/master.sh one two'],
    [38, 'virtual_server 192.168.1.1 80'],
  ] as const) {
    t.true(yaml.includes(`# keepalived.conf:${line}: ${what}`), what);
  }
  t.like(config.notify?.channels, [{ name: 'mail', way: { kind: 'sendmail', to: ['root@office.example'] } }]);
  t.regex(yaml, /without the label br0:vip/);
  t.false(yaml.includes('s3}cr!t'));
});

const preferences: readonly (readonly [
  what: string,
  own: string,
  peer: string | undefined,
  preferred: string,
])[] = [
  ['the master', 'state MASTER', undefined, 'alpha'],
  ['the one with more than the default', 'state BACKUP\npriority 150', undefined, 'alpha'],
  ['the other one of a backup with less', 'state BACKUP\npriority 90', undefined, 'beta'],
  ['the higher priority of both files', 'state MASTER\npriority 100', 'state BACKUP\npriority 110', 'beta'],
  ['the master, where priorities are equal', 'state BACKUP', 'state MASTER', 'beta'],
];

for (const [what, own, peer, preferred] of preferences) {
  test(`Preferred is ${what}`, (t) => {
    const other = peer === undefined ? peer : instance(`${peer}\n${address}`);
    const { config, draft } = keepalived(t, instance(`${own}\n${address}`), other);
    t.is(config.groups[0]?.preferred, preferred);
    t.is(
      draft.check.some((text) => text.includes("other node's file")),
      peer === undefined,
    );
  });
}

test('The node whose file it is is told by the source address, else it is the first one', (t) => {
  const text = instance(
    `state MASTER\nunicast_src_ip 192.168.1.3\nunicast_peer {\n192.168.1.2\n}\n${address}`,
  );
  t.is(keepalived(t, text).config.groups[0]?.preferred, 'beta');
});

test('nopreempt and preempt_delay say whether and when a group goes back', (t) => {
  const kept = keepalived(t, instance(`nopreempt\npreempt_delay 300\n${address}`));
  t.is(kept.config.groups[0]?.failback, 'manual');
  const late = keepalived(t, instance(`preempt_delay 300\n${address}`));
  t.like(late.config.groups[0], { failback: 'automatic', failbackDelayMs: 300_000 });
});

test('Instances of a sync group are one group, others have their own', (t) => {
  const text = `vrrp_sync_group G1 {
  group {
    out
    in
  }
  notify "/etc/keepalived/notify.sh"
}
${instance('virtual_ipaddress { 192.168.1.1/24 }', 'out')}
${instance('virtual_ipaddress { 10.0.0.1/24 dev eth2 }', 'in')}
${instance('virtual_ipaddress { 192.168.1.9/24 }', 'third')}
`;
  const { config, yaml } = keepalived(t, text);
  t.deepEqual(
    config.groups.map(({ name, addresses }) => `${name}: ${addresses.map((found) => found.address)}`),
    ['G1: 192.168.1.1,10.0.0.1', 'third: 192.168.1.9'],
  );
  t.regex(yaml, /# keepalived\.conf:6: notify \/etc\/keepalived\/notify\.sh -- /);
});

test('An address without a prefix length stands alone, unless one is given', (t) => {
  const text = instance('virtual_ipaddress { 192.168.1.1 }\nvirtual_ipaddress_excluded { fd00::1 }');
  const { config, draft } = keepalived(t, text);
  t.deepEqual(
    config.groups[0]?.addresses.map(({ prefix }) => prefix),
    [32, 128],
  );
  t.true(draft.check.some((line) => line.startsWith('2 addresses have no prefix length')));
  const lan = keepalived(t, text, undefined, { prefix: 24 });
  t.is(lan.config.groups[0]?.addresses[0]?.prefix, 24);
});

test('Paths of their own keep the addresses of both ends', (t) => {
  const text = instance(`unicast_src_ip 10.0.0.2\nunicast_peer {\n10.0.0.3\n}\n${address}`);
  t.like(keepalived(t, text).config.heartbeat.links[0], {
    mode: 'unicast',
    addresses: { alpha: '10.0.0.2', beta: '10.0.0.3' },
  });
});

test('Definitions, lines for one host, and included files are read as keepalived does', (t) => {
  const directory = writeFiles(t, {
    'keepalived.conf': `$DEV=eth7
include conf.d/*.conf
@alpha include only-alpha.cfg
@beta include only-beta.cfg
`,
    'conf.d/one.conf': `vrrp_instance one {
 interface \${DEV}
 @alpha priority 120
 @^alpha priority 80
 virtual_ipaddress { "192.168.1.1/24" }
}`,
    'only-alpha.cfg': 'vrrp_instance two { interface $DEV\n virtual_ipaddress { 192.168.1.4/24 } }',
  });
  const draft = readKeepalived(join(directory, 'keepalived.conf'), null, given);
  t.deepEqual(
    draft.groups.map(({ name, addresses }) => [name, addresses[0]?.value]),
    [
      ['one', '192.168.1.1/24 dev eth7'],
      ['two', '192.168.1.4/24 dev eth7'],
    ],
  );
  t.is(draft.groups[0]?.preferred.note, "one.conf:3: priority 120; the other one's is not known");
});

const refused: readonly (readonly [what: string, text: string, problems: readonly RegExp[]])[] = [
  ['no instance', 'global_defs {\n}\n', [/^keepalived\.conf: there is no vrrp_instance/]],
  [
    'three nodes',
    instance(`unicast_peer {\n192.168.1.3\n192.168.1.4\n}\n${address}`),
    [/^keepalived\.conf:7: vrrp_instance VI_1 has 3 nodes; Battito is for two/],
  ],
  [
    'an open brace',
    'vrrp_instance a {\n interface eth0\n',
    [/^keepalived\.conf:1: this brace is never closed$/],
  ],
  ['a brace too many', `${instance(address)}}\n`, [/^keepalived\.conf:7: there is no open brace/]],
  [
    'a block without a name',
    `{\n}\n${instance(address)}`,
    [/^keepalived\.conf:1: a brace without a keyword/],
  ],
  [
    'an open quote',
    instance(`notify "x\n${address}`),
    [/^keepalived\.conf:5: a double quote is never closed/],
  ],
  [
    'an unknown name',
    instance('virtual_ipaddress { $VIP }'),
    [/^keepalived\.conf:5: \$VIP is nowhere defined/],
  ],
  [
    'a file that is not there',
    `include x.conf\n${instance(address)}`,
    [/^keepalived\.conf:1: there is no file x\.c/],
  ],
  [
    'a wrong address',
    instance('virtual_ipaddress { X.X.X.222 }'),
    [/^keepalived\.conf:5: X\.X\.X\.222 is no addr/],
  ],
  [
    'a wrong prefix',
    instance('virtual_ipaddress { 10.0.0.1/40 }'),
    [/^keepalived\.conf:5: expected an address/],
  ],
  [
    'a wrong state',
    instance(`state SLAVE\n${address}`),
    [/^keepalived\.conf:5: state takes MASTER or BACKUP/],
  ],
  [
    'a wrong number',
    instance(`priority high\n${address}`),
    [/^keepalived\.conf:5: priority takes a number from 1/],
  ],
  [
    'lines for others',
    instance(`@high priority 9\n@low priority 8\n${address}`),
    [/^keepalived\.conf:5: lines are for @high, @low, and none is for the node alpha; /],
  ],
  [
    'no interface',
    `vrrp_instance a {\n${address}\n}`,
    [/^keepalived\.conf:1: vrrp_instance a names no interface$/],
  ],
  ['two of a name', instance(address) + instance(''), [/^keepalived\.conf:8: there are two instances/]],
  [
    'a sync group of what is not there',
    `vrrp_sync_group G { group { x } }\n${instance(address)}`,
    [/^keepalived\.conf:1: there is no vrrp_instance x$/],
  ],
];

for (const [what, text, expected] of refused) {
  test(`Refused with its line: ${what}`, async (t) => {
    const problems = await problemsOf(t, () => keepalived(t, text));
    t.is(problems.length, expected.length, problems.join('\n'));
    for (const [index, pattern] of expected.entries()) t.regex(problems[index] ?? '', pattern);
  });
}

test('Both nodes have to be named', async (t) => {
  const addresses = new Map([['lb1', '192.168.1.2']]);
  const [problem] = await problemsOf(t, () => keepalived(t, instance(address), undefined, { addresses }));
  t.regex(problem ?? '', /--address named 1: --address lb1=192\.168\.1\.2 --address OTHER=192\.168\.1\.3/);
});

test('Whatever stands in the file, it is understood or refused', (t) => {
  const words = [
    'vrrp_instance',
    'a',
    '{',
    '}',
    '"',
    '!',
    '\n',
    '$x',
    '$x=1',
    '@alpha',
    'b}',
    '{c',
    'auth_pass',
    '"d e"',
  ];
  const directory = writeFiles(t, {});
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...words), { maxLength: 20 }), (parts) => {
      const file = join(directory, 'any.conf');
      writeFileSync(file, parts.join(' '));
      const problems = collectProblems('mend it');
      const statements = readKeepalivedFile(file, 'alpha', problems);
      t.true(statements.every(({ words: [keyword = ''] }) => keyword !== '' && !/^[{}]$/.test(keyword)));
      try {
        problems.throwIfAny();
      } catch (error) {
        t.true(error instanceof BattitoError);
      }
    }),
  );
});

test('Advertisements so near to each other that a busy host would be given up are told of', (t) => {
  const advice = (seconds: string) =>
    keepalived(t, instance(`${address}\nadvert_int ${seconds}`)).draft.check.filter((text) =>
      /deadtime/.test(text),
    );
  t.deepEqual(advice('0.5'), []);
  t.regex(advice('0.02').join(), /^deadtime is 80ms, as it was: a host that is only busy would be given up/);
});
