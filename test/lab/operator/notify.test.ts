// A host loses its power, and somebody who was asleep reads one mail: a real mail server at the gateway, real DRBD.

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '../../support.ts';
import { login, type Mail, makeCertificates } from '../../unit/support/mail-server.ts';
import { patience, useCluster } from '../support/cluster.ts';
import { outsideFolder, spawnAtGateway } from '../support/outside.ts';
import { outsiderAddresses } from '../support/plan.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { labTest } from '../support/use-lab.ts';

const port = 2587;
const program = join(import.meta.dirname, '../../netns/support/mail-host.ts');
const secrets = '/etc/battito/smtp';
const authority = '/etc/battito/mail-ca.pem';
const notify = `notify:
  channels:
    admin:
      severity: alarm
      mail: [admin@example.org]
      from: battito@example.org
      smtp: { host: ${outsiderAddresses.gateway}, port: ${port} }
      secrets: ${secrets}
      ca: ${authority}
`;

labTest(
  'notifications: a host loses its power; one mail tells what happened, each step with its time, and what to do; ' +
    'another one that all is well again',
  async (t, lab) => {
    const { primary, secondary } = lab;
    const cluster = await useCluster(lab);
    const watch = startStopwatch(t);
    const folder = outsideFolder(t, lab, 'mail');
    const certificates = join(folder, 'certificates');
    mkdirSync(certificates);
    const { caFile } = makeCertificates(certificates);
    const file = join(folder, 'mails.jsonl');
    const argv = [process.execPath, program, certificates, file, outsiderAddresses.gateway, String(port)];
    const server = spawnAtGateway(lab, argv, join(folder, 'log'));
    t.teardown(() => server.stop());
    await waitFor('the mail server listens', () => existsSync(`${file}.ready`), patience);
    const mails = (): readonly Mail[] =>
      existsSync(file)
        ? readFileSync(file, 'utf8')
            .split('\n')
            .slice(0, -1)
            .map((line) => JSON.parse(line) as Mail)
        : [];
    const subjects = () => mails().map(({ subject }) => subject);

    await lab.both(async (node) => {
      await node.writeFile(secrets, `user=${login.user}\npassword=${login.password}\n`, '0600');
      await node.writeFile(authority, readFileSync(caFile, 'utf8'));
      const append = 'cat >>/etc/battito/battito.yaml && sync /etc/battito/battito.yaml';
      await node.run(`${append} && systemctl reload battito`, { input: notify });
    });
    await secondary.until('a mail can be sent', 'battito notify test', (text) => / ok /.test(text), patience);
    await waitFor('the test has come', () => mails().length > 0, patience);
    const tested = mails().length;

    await primary.powerOff();
    watch.restart('the active host lost its power');
    await cluster.runsOn(secondary);
    watch.lap('the guest counts on the survivor');
    const story = await waitFor('a mail tells of it', () => mails()[tested] ?? false, patience);
    watch.lap('the mail is there');
    t.log(story.text);
    t.like(story, { to: ['admin@example.org'], user: login.user, secure: true });
    t.is(story.subject, '[battito office] takeover: office on secondary');
    t.regex(story.text, /^secondary has taken over office from primary; it was up again [\d.]+ (s|min)/);
    t.regex(story.text, /What happened:[\s\S]* primary is dead: /);
    const took = String.raw`: done \(took [\d.]+ m?s\)`;
    for (const step of ['start drbd:r0', 'start filesystem:/srv/guests', 'start guest:counter'])
      t.regex(story.text, new RegExp(`${step}${took}`), step);
    t.regex(story.text, /What to do now:[\s\S]*next: find out why primary went down/);
    const { message } = (await cluster.history(secondary)).find(({ code }) => code === 'take-over') ?? {};
    t.truthy(message, 'the history has it as well');

    await primary.powerOn();
    watch.restart('the lost host is switched on');
    await cluster.settled('secondary');
    await waitFor(
      'a mail tells that all is well',
      () => subjects().at(-1) === '[battito office] recovered: secondary',
      patience,
    );
    watch.lap('all is well, and said so');
    t.is(subjects().filter((subject) => subject.includes('takeover')).length, 1, 'one mail for one story');
  },
);
