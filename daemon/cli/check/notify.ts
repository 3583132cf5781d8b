// Could this node tell anybody? Files and their modes, programs, and the names of servers. Nothing is sent:
// `battito notify test` does that.

import { lookup } from 'node:dns/promises';
import { accessSync, constants, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { Config, NotifyChannelConfig } from '../../config/config.ts';
import { readSecrets } from '../../drivers/fence/secrets.ts';
import { checkScript } from './fencing.ts';
import { type Finding, type Reporter, reporter } from './finding.ts';

/** True: the name has an address. */
export type Resolve = (host: string) => Promise<boolean>;

export async function checkNotify(
  { notify }: Config,
  resolve: Resolve = resolves,
): Promise<readonly Finding[]> {
  if (notify === null) return [];
  const report = reporter('notifications');
  for (const channel of notify.channels) await checkChannel(report, channel, resolve);
  report.info('nothing was sent; to see whether it arrives: battito notify test');
  return report.findings;
}

async function checkChannel(report: Reporter, channel: NotifyChannelConfig, resolve: Resolve): Promise<void> {
  const { name, way, caFile } = channel;
  const where = `notify.channels.${name}`;
  let isSound = checkSecrets(report, channel);
  if (caFile !== null && !holdsCertificate(caFile)) {
    report.problem(
      'certificate-unreadable',
      `${name}: ${caFile} holds no certificate (PEM)`,
      `correct ${where}.ca`,
    );
    isSound = false;
  }
  if (way.kind === 'hook') isSound = checkScript(report, name, way.program, `${where}.hook`) && isSound;
  if (way.kind === 'sendmail') isSound = checkSendmail(report, name, way.program) && isSound;
  const host = way.kind === 'smtp' ? way.host : way.kind === 'webhook' ? hostOf(way.url) : null;
  if (host !== null && isIP(host) === 0 && !(await resolve(host))) {
    const key = way.kind === 'smtp' ? 'smtp.host' : 'webhook';
    const mend = `getent hosts ${host}   # then correct ${where}.${key}, or /etc/resolv.conf`;
    report.warning('notify-host-unknown', `${name}: ${host} has no address here`, mend);
    isSound = false;
  }
  if (way.kind === 'smtp' && way.tls === 'none' && host !== null && !/^(127\.|localhost$|::1$)/.test(host)) {
    report.warning(
      'notify-unencrypted',
      `${name}: mails go to ${host} unencrypted`,
      `tls: starttls   # in ${where}.smtp`,
    );
  }
  if (isSound) report.ok(`${name}: ${described(channel)}`);
}

function checkSecrets(report: Reporter, { name, secrets, way }: NotifyChannelConfig): boolean {
  const read = readSecrets(secrets);
  if (read.kind === 'unusable') {
    report.problem('secrets-unusable', `${name}: ${read.message}`, read.mend);
    return false;
  }
  if (secrets === null || way.kind !== 'smtp') return true;
  const missing = ['user', 'password'].filter((key) => !Object.hasOwn(read.options, key));
  if (missing.length === 0) return true;
  report.problem(
    'secrets-unusable',
    `${name}: ${secrets} has no ${missing.join(' and no ')}`,
    `add ${missing[0]}=... to ${secrets}`,
  );
  return false;
}

function holdsCertificate(path: string): boolean {
  try {
    return readFileSync(path, 'utf8').includes('-----BEGIN CERTIFICATE');
  } catch {
    return false;
  }
}

function checkSendmail(report: Reporter, name: string, program: string): boolean {
  try {
    accessSync(program, constants.X_OK);
    return true;
  } catch {
    const mend = `apt-get install msmtp-mta   # or another mail system; or smtp in notify.channels.${name}`;
    report.problem('sendmail-missing', `${name}: there is no ${program} that could be run`, mend);
    return false;
  }
}

function described({ way, severity }: NotifyChannelConfig): string {
  const of = severity === 'alarm' ? ' (alarms and takeovers alone)' : '';
  switch (way.kind) {
    case 'smtp':
      return `mails to ${way.to.join(', ')} by ${way.host}:${way.port}${of}`;
    case 'sendmail':
      return `mails to ${way.to.join(', ')} by ${way.program}${of}`;
    case 'webhook':
      return `posts to ${new URL(way.url).origin}${of}`;
    case 'hook':
      return `runs ${way.program}${of}`;
  }
}

const hostOf = (url: string) => new URL(url).hostname.replaceAll(/[[\]]/g, '');

const deadlineMs = 5000;

/** By the host's own way (files, then DNS), with an end: a resolver that hangs is no answer. */
async function resolves(host: string): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  const timer = setTimeout(() => late.resolve(false), deadlineMs);
  try {
    return await Promise.race([lookup(host).then(() => true), late.promise]);
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}
