// battito notify as an operator types it, what check says of the channels, and the rules of the configuration.

import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { checkNotify } from '../../daemon/cli/check/notify.ts';
import { formatProblem, parseConfig } from '../../daemon/config/load.ts';
import { createSender } from '../../daemon/notify/sender.ts';
import { tellTest } from '../../daemon/notify/story.ts';
import { temporaryDirectory } from '../support.ts';
import { run } from './fixtures/cli/terminal.ts';

const base = `cluster: office
nodes: { primary: { address: 192.168.1.2 }, secondary: { address: 192.168.1.3 } }
heartbeat: { links: [{ interface: eth1 }] }
groups: { office: { preferred: primary } }
`;
const withChannels = (channels: string) => `${base}notify:\n  channels:\n${channels}`;

function battito(t: ExecutionContext, line: string, text: string) {
  const file = join(temporaryDirectory(t), 'battito.yaml');
  writeFileSync(file, text);
  return run([...line.split(' '), '--config', file, '--node', 'primary']);
}

function hook(t: ExecutionContext, body: string): { readonly program: string; readonly folder: string } {
  const folder = temporaryDirectory(t);
  const program = join(folder, 'hook');
  writeFileSync(program, `#!/bin/sh\ncd ${folder}\n${body}\n`);
  chmodSync(program, 0o755);
  return { program, folder };
}

test('test says of each channel whether it worked, and what to mend', async (t) => {
  const good = hook(t, 'cat > got');
  const bad = hook(t, 'echo "no modem" >&2; exit 1');
  const text = withChannels(`    good: { hook: ${good.program} }\n    pager: { hook: ${bad.program} }\n`);
  const both = await battito(t, 'notify test', text);
  t.is(both.exitCode, 1);
  t.is(
    both.stdout,
    `good   ok      ${good.program} ran
pager  FAILED  ${bad.program} ended with exit code 1: no modem
               mend: run it by hand: battito notify test pager
`,
  );
  t.like(JSON.parse(readFileSync(join(good.folder, 'got'), 'utf8')), { kind: 'test', node: 'primary' });
  const one = await battito(t, 'notify test good --json', text);
  t.is(one.exitCode, 0);
  t.like(JSON.parse(one.stdout), { channels: [{ channel: 'good', kind: 'sent' }] });
});

test("the daemon's messages go out though its file is half edited: it sends the channel with them", async (t) => {
  const { program, folder } = hook(t, 'cat > got');
  const configPath = join(folder, 'battito.yaml');
  writeFileSync(configPath, 'cluster: office\nnodes: {\n');
  const send = createSender({
    program: [process.execPath, ...process.execArgv, join(import.meta.dirname, '../../daemon/main.ts')],
    options: ['--config', configPath, '--node', 'primary'],
    inUnit: false,
    signal: new AbortController().signal,
  });
  const message = tellTest({ cluster: 'office', node: 'primary' }, 'a', 0);
  const channel = {
    name: 'admin',
    severity: 'alarm',
    timeoutMs: 10_000,
    secrets: null,
    caFile: null,
  } as const;
  const delivery = await send(message, { ...channel, way: { kind: 'hook', program } });
  t.deepEqual(delivery, { kind: 'sent', message: `${program} ran` });
  t.like(JSON.parse(readFileSync(join(folder, 'got'), 'utf8')), { id: 'a', kind: 'test' });
});

test('what cannot be tried is refused with what to do', async (t) => {
  const none = await battito(t, 'notify test', base);
  t.is(none.exitCode, 78);
  t.regex(none.stderr, /no section `notify`: nobody is told anything\nnext: add notify\.channels/);
  const text = withChannels('    admin: { mail: [a@example.org] }\n');
  const unknown = await battito(t, 'notify test amdin', text);
  t.is(unknown.exitCode, 78);
  t.regex(unknown.stderr, /there is no channel amdin; there are admin\nnext: battito notify test admin/);
  for (const [line, said] of [
    ['notify', 'say test or send'],
    ['notify tset', 'there is no "notify tset"'],
    ['notify send', 'notify send needs the name of a channel'],
  ] as const) {
    const refused = await battito(t, line, text);
    t.is(refused.exitCode, 64, line);
    t.true(refused.stderr.includes(said), refused.stderr);
  }
});

test('check finds files that others may read, a sendmail that is missing, and a name without an address', async (t) => {
  const secrets = join(temporaryDirectory(t), 'secrets');
  writeFileSync(secrets, 'user=battito\npassword=x\n');
  chmodSync(secrets, 0o644);
  const half = join(temporaryDirectory(t), 'half');
  writeFileSync(half, 'user=battito\n', { mode: 0o600 });
  const { program } = hook(t, 'true');
  chmodSync(program, 0o777);
  const parsed = parseConfig(
    withChannels(`    open: { mail: [a@example.org], smtp: { host: mail.example.org }, secrets: ${secrets} }
    half: { mail: [a@example.org], smtp: { host: 192.168.1.9 }, secrets: ${half} }
    local: { mail: [root@localhost], sendmail: /nonexistent/sendmail }
    chat: { webhook: "https://chat.example.org/token" }
    page: { hook: ${program} }
    well: { webhook: "https://192.168.1.9/" }
`),
    'battito.yaml',
  );
  if (!parsed.ok) return t.fail(parsed.problems.map(formatProblem).join('\n'));
  const findings = await checkNotify(parsed.config, async (host) => host === 'mail.example.org');
  t.deepEqual(
    findings.map(({ level, message, mend }) => [level, message, mend]),
    [
      ['problem', `open: others may use ${secrets}: its mode is 0644`, `chmod 0600 ${secrets}`],
      ['problem', `half: ${half} has no password`, `add password=... to ${half}`],
      [
        'problem',
        'local: there is no /nonexistent/sendmail that could be run',
        'apt-get install msmtp-mta   # or another mail system; or smtp in notify.channels.local',
      ],
      [
        'warning',
        'chat: chat.example.org has no address here',
        'getent hosts chat.example.org   # then correct notify.channels.chat.webhook, or /etc/resolv.conf',
      ],
      [
        'problem',
        `page: others than root may change ${program}`,
        `chown root: '${program}' && chmod go-w '${program}'`,
      ],
      ['ok', 'well: posts to https://192.168.1.9', null],
      ['info', 'nothing was sent; to see whether it arrives: battito notify test', null],
    ].map(([level, message, mend]) => [level, message, mend?.replaceAll(/'(\/[\w/.-]+)'/g, '$1') ?? null]),
  );
});

for (const [channel, said] of [
  ['{ severity: alarm }', 'neither mail, webhook nor hook; expected one of them'],
  ['{ mail: [a@b.c], hook: /bin/true }', 'mail and hook in one channel; expected a channel for each'],
  [
    '{ hook: /bin/true, secrets: /etc/x }',
    'a channel with hook does not take this; expected mail or webhook',
  ],
  ['{ mail: [a@b.c], secrets: /etc/x }', 'sendmail needs none; expected smtp beside it'],
  [
    '{ mail: [a@b.c], smtp: { host: m.c }, sendmail: /bin/x }',
    'both smtp and sendmail; expected one of the two',
  ],
  [
    '{ mail: [a@b.c], smtp: { host: m.c, tls: none }, secrets: /etc/x }',
    'secrets would be sent for all to read; expected tls: starttls or implicit',
  ],
  [
    '{ webhook: "http://example.org/", secrets: /etc/x }',
    'secrets would be sent for all to read; expected a URL with https://',
  ],
  ['{ mail: [nobody] }', 'expected an address such as admin@example.org, found "nobody"'],
] as const) {
  test(`refused: ${channel}`, (t) => {
    const parsed = parseConfig(withChannels(`    admin: ${channel}\n`), 'battito.yaml');
    const problems = parsed.ok ? [] : parsed.problems.map(formatProblem);
    t.is(problems.length, 1, problems.join('\n'));
    t.true(problems[0]?.includes(said), problems[0]);
  });
}

test('a channel has the usual ports, and what the digest says changes with it only where it is used', (t) => {
  const config = (text: string) => {
    const parsed = parseConfig(text, 'battito.yaml');
    if (!parsed.ok) throw new Error(parsed.problems.map(formatProblem).join('\n'));
    return parsed.config;
  };
  const ports = ['starttls', 'implicit', 'none'].map((tls) => {
    const { notify } = config(withChannels(`    a: { mail: [a@b.c], smtp: { host: m.c, tls: ${tls} } }\n`));
    const way = notify?.channels[0]?.way;
    return way?.kind === 'smtp' ? way.port : null;
  });
  t.deepEqual(ports, [587, 465, 25]);
  t.is(config(base).notify, null);
  t.not(config(base).digest, config(withChannels('    a: { hook: /bin/true }\n')).digest);
});
