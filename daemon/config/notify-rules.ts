// Rules between the keys of `notify`: one way for each channel with the keys that it takes, and no password in the clear.

import { isIP } from 'node:net';
import { at, mappingAt } from './claims.ts';
import type { Finding, Path } from './document.ts';
import { expectedChannelName } from './schema-notify.ts';
import { namePattern } from './values.ts';

const ways = ['mail', 'webhook', 'hook'] as const;

/** Keys that have a meaning with some ways only. */
const belongs: Readonly<Record<string, readonly (typeof ways)[number][]>> = {
  from: ['mail'],
  smtp: ['mail'],
  sendmail: ['mail'],
  secrets: ['mail', 'webhook'],
  ca: ['mail', 'webhook'],
};

export function checkNotify(file: unknown): Finding[] {
  const channels = mappingAt(file, 'notify', 'channels');
  const findings = Object.keys(channels).flatMap((name) => checkChannel(file, name));
  const given = at(file, 'notify', 'channels');
  const isEmpty = typeof given === 'object' && given !== null && Object.keys(given).length === 0;
  if (!isEmpty || Array.isArray(given)) return findings;
  const expected = 'at least one channel';
  const message = `expected ${expected}, found none`;
  return [{ path: ['notify', 'channels'], target: 'key', message, expected, found: 'none' }];
}

function checkChannel(file: unknown, name: string): Finding[] {
  const path: Path = ['notify', 'channels', name];
  const channel = at(file, ...path);
  const findings: Finding[] = [];
  const add = (keys: Path, found: string, expected: string) =>
    void findings.push({
      path: [...path, ...keys],
      target: 'key',
      message: `${found}; expected ${expected}`,
      expected,
    });
  if (!namePattern.test(name)) add([], `found ${JSON.stringify(name)}`, expectedChannelName);
  if (typeof channel !== 'object' || channel === null) return findings;
  const has = (key: string) => at(channel, key) !== undefined;
  const given = ways.filter(has);
  const [way] = given;
  if (way === undefined) add([], 'neither mail, webhook nor hook', 'one of them');
  else if (given.length > 1) add([], `${given.join(' and ')} in one channel`, 'a channel for each');
  else {
    for (const [key, of] of Object.entries(belongs)) {
      if (has(key) && !of.includes(way))
        add([key], `a channel with ${way} does not take this`, of.join(' or '));
    }
  }
  if (way !== 'mail' && way !== 'webhook') return findings;
  if (way === 'mail' && !has('smtp')) {
    for (const key of ['secrets', 'ca']) if (has(key)) add([key], 'sendmail needs none', 'smtp beside it');
  }
  if (has('smtp') && has('sendmail')) add(['sendmail'], 'both smtp and sendmail', 'one of the two');
  return [...findings, ...checkTransport(path, channel, has('secrets'))];
}

/** Whoever can read the wire would have the password. */
function checkTransport(path: Path, channel: unknown, hasSecrets: boolean): Finding[] {
  const webhook = at(channel, 'webhook');
  const isPlainPost = typeof webhook === 'string' && webhook.startsWith('http:') && !isLocal(hostOf(webhook));
  const isPlainMail = at(channel, 'smtp', 'tls') === 'none' && !isLocal(String(at(channel, 'smtp', 'host')));
  if (!hasSecrets || !(isPlainPost || isPlainMail)) return [];
  const expected = isPlainPost ? 'a URL with https://' : 'tls: starttls or implicit';
  const message = `secrets would be sent for all to read; expected ${expected}`;
  return [{ path: [...path, 'secrets'], target: 'key', message, expected }];
}

const hostOf = (url: string) => (URL.canParse(url) ? new URL(url).hostname.replaceAll(/[[\]]/g, '') : '');

function isLocal(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
