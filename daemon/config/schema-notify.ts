// The part `notify` of the configuration: who is told what happened, and how.
// Every `error` here says what is EXPECTED. Rules between keys live in notify-rules.ts.

import * as z from 'zod';
import { absolutePath, duration, mapping, named, text, wholeNumber } from './schema-parts.ts';
import { namePattern } from './values.ts';

export const expectedChannelName =
  'the name of a channel: letters, digits, dots, dashes and underscores (at most 31)';
const expectedMail = 'an address such as admin@example.org';
export const mailPattern = /^[^\s@<>(),:;"\\]{1,64}@[A-Za-z0-9._-]{1,255}$/;
const mailAddress = text(expectedMail, mailPattern);

/** Where they are not given. */
export const notifyDefaults = { repeat: '1h', collect: '5m', timeout: '30s' } as const;

const smtp = mapping({
  host: text('the name or address of a mail server', /^[A-Za-z0-9._:-]{1,255}$/).describe(
    'Mail server that takes the messages.',
  ),
  port: wholeNumber('a TCP port from 1 to 65535', 1, 65_535)
    .optional()
    .describe('Its port. Default: 587, with tls: implicit 465, with tls: none 25.'),
  tls: z
    .enum(['starttls', 'implicit', 'none'], { error: 'starttls, implicit or none' })
    .default('starttls')
    .describe(
      'How it is spoken to: encrypted after STARTTLS, which is insisted on; encrypted from the start; not at all.',
    ),
});

const channel = mapping({
  mail: z
    .array(mailAddress, { error: `a list of addresses, each ${expectedMail}` })
    .min(1, { error: 'a list of at least one address' })
    .max(20, { error: 'a list of at most 20 addresses' })
    .optional()
    .describe('Who gets a mail; by smtp, else by the sendmail of this host. This, webhook or hook.'),
  from: mailAddress.optional().describe('Sender of the mails. Default: battito at the name of the host.'),
  smtp: smtp.optional().describe('Mail server. Default: none, the sendmail of this host is called.'),
  sendmail: absolutePath
    .optional()
    .describe('Program that takes a mail as sendmail(8) does. Default: /usr/sbin/sendmail.'),
  webhook: text('a URL such as https://example.org/hook', /^https?:\/\/[!-~]{1,2000}$/)
    .refine((url) => URL.canParse(url), { error: 'a URL such as https://example.org/hook' })
    .optional()
    .describe('Where each message is posted to as JSON. This, mail or hook.'),
  hook: absolutePath
    .optional()
    .describe(
      'Program that gets each message as JSON on its standard input, and BATTITO_... in its environment. This, mail or webhook.',
    ),
  secrets: absolutePath
    .optional()
    .describe(
      'File (mode 0600) with a line for each: for smtp user=... and password=..., for a webhook its headers, such as authorization=Bearer ....',
    ),
  ca: absolutePath
    .optional()
    .describe(
      'File (PEM) of the authority that has signed the certificate of the server. Default: the well-known ones.',
    ),
  severity: z
    .enum(['warning', 'alarm'], { error: 'warning or alarm' })
    .default('warning')
    .describe('The least that is told here: warnings too, or alarms and takeovers alone.'),
  timeout: duration(1000)
    .prefault(notifyDefaults.timeout)
    .describe('How long one attempt may take; then it is ended with all that it has started. At least 1s.'),
});

export const notify = mapping({
  'repeat-after': duration()
    .prefault(notifyDefaults.repeat)
    .describe('The same alarm again within this time is counted, and told with its number at the end of it.'),
  collect: duration(10_000)
    .prefault(notifyDefaults.collect)
    .describe('What goes on for longer than this is told as it stands then; at least 10s.'),
  channels: named('a mapping of channels by name', namePattern, channel)
    .meta({ minProperties: 1, propertyNames: { type: 'string', pattern: namePattern.source } })
    .describe('Ways on which it is told, each by its name.'),
});

export type NotifyFile = z.output<typeof notify>;
