// Mails: by a mail server (SMTP with TLS and login), or by the sendmail of this host. Plain text.
// Guarantees: encryption that is configured is insisted on, also by certificate; a password is in no message.

import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { createTransport } from 'nodemailer';
import type { NotifyChannelConfig, NotifyWay } from '../config/config.ts';
import { runAgentProcess } from '../drivers/fence/agent-process.ts';
import { hideSecrets } from '../drivers/fence/secrets.ts';
import type { Delivery, Message } from './message.ts';

type Smtp = Extract<NotifyWay, { kind: 'smtp' }>;
type Sendmail = Extract<NotifyWay, { kind: 'sendmail' }>;

/** As nodemailer has them. */
interface MailError {
  readonly code?: string;
  readonly responseCode?: number;
  readonly response?: string;
  readonly message: string;
}

export async function sendBySmtp(
  message: Message,
  { name, timeoutMs, caFile }: NotifyChannelConfig,
  way: Smtp,
  secrets: Readonly<Record<string, string>>,
): Promise<Delivery> {
  const { host, port, tls } = way;
  const server = `${host}:${port}`;
  const { user, password } = secrets;
  const transport = createTransport({
    host,
    port,
    secure: tls === 'implicit',
    ...(tls === 'starttls' ? { requireTLS: true } : {}),
    ...(tls === 'none' ? { ignoreTLS: true } : {}),
    ...(user === undefined ? {} : { auth: { user, pass: password ?? '' } }),
    name: hostname(),
    ...{ connectionTimeout: timeoutMs, greetingTimeout: timeoutMs, socketTimeout: timeoutMs },
    dnsTimeout: timeoutMs,
    tls: { minVersion: 'TLSv1.2', ...(caFile === null ? {} : { ca: readFileSync(caFile, 'utf8') }) },
  });
  try {
    const { response, rejected = [] } = await transport.sendMail(mailOf(message, way));
    const without = rejected.length === 0 ? '' : `, but not for ${rejected.join(', ')}`;
    return {
      kind: 'sent',
      message: `${server} took it${without}: ${hideSecrets(String(response), secrets)}`,
    };
  } catch (error) {
    return failureOf(error as MailError, name, way, secrets);
  } finally {
    transport.close();
  }
}

export async function sendBySendmail(
  message: Message,
  { name, timeoutMs }: NotifyChannelConfig,
  way: Sendmail,
  signal: AbortSignal,
): Promise<Delivery> {
  const { program } = way;
  const built = await createTransport({ streamTransport: true, buffer: true, newline: 'unix' }).sendMail(
    mailOf(message, way),
  );
  const end = await runAgentProcess({
    program,
    args: ['-i', '-f', fromOf(way), '--', ...way.to],
    input: String(built.message),
    timeoutMs,
    signal,
    leavesChildren: true, // Some deliver in the background.
  });
  const said = (end.stderr.trim() || end.stdout.trim()).split('\n').slice(0, 3).join('; ');
  const next = `look at the log of the mail system, then: battito notify test ${name}`;
  if (end.startError === 'ENOENT') {
    const mend = `apt-get install a mail system such as msmtp-mta, or give smtp in notify.channels.${name}`;
    return { kind: 'refused', message: `there is no ${program}`, next: mend };
  }
  if (end.startError !== null)
    return {
      kind: 'refused',
      message: `${program} cannot be run (${end.startError})`,
      next: `ls -l ${program}`,
    };
  if (end.cutOff !== null) return { kind: 'later', message: `${program} did not end in time`, next };
  if (end.exitCode === 0) return { kind: 'sent', message: `${program} took it` };
  const how = end.exitCode === null ? 'was killed' : `ended with exit code ${end.exitCode}`;
  return { kind: 'later', message: `${program} ${how}${said === '' ? '' : `: ${said}`}`, next };
}

const fromOf = ({ from }: Smtp | Sendmail) => from ?? `battito@${hostname()}`;

function mailOf(message: Message, way: Smtp | Sendmail) {
  const { id, subject, text, rank, kind } = message;
  return {
    from: { name: `Battito on ${message.node}`, address: fromOf(way) },
    to: [...way.to],
    subject,
    text,
    // The same in every attempt, so that one that came twice after all is shown once.
    messageId: `<${id}@battito.${message.cluster}>`,
    priority:
      rank === 'alarm' && kind !== 'recovered' && kind !== 'test' ? ('high' as const) : ('normal' as const),
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Battito-Kind': kind, 'X-Battito-Node': message.node },
    ...{ disableFileAccess: true, disableUrlAccess: true },
  };
}

function failureOf(
  error: MailError,
  channel: string,
  { host, port, tls, to }: Smtp,
  secrets: Readonly<Record<string, string>>,
): Delivery {
  const { code = '', responseCode = 0 } = error;
  const said = hideSecrets(error.message, secrets).split('\n')[0];
  const server = `${host}:${port}`;
  const isTemporary = responseCode >= 400 && responseCode < 500;
  if (code === 'EAUTH') {
    const next = `correct user and password in notify.channels.${channel}.secrets`;
    return { kind: isTemporary ? 'later' : 'refused', message: `${server} refuses the login: ${said}`, next };
  }
  const isTls = code === 'ETLS' || (responseCode === 0 && /certificate|SSL|TLS|altname/i.test(error.message));
  if (isTls) {
    const next = `openssl s_client -connect ${server}${tls === 'starttls' ? ' -starttls smtp' : ''}   # then correct tls, or ca, in notify.channels.${channel}`;
    return { kind: 'later', message: `no encryption with ${server}: ${said}`, next };
  }
  if (responseCode >= 500) {
    const next = `see whether ${server} takes mails from here for ${to.join(', ')}`;
    return { kind: 'refused', message: `${server} refuses the mail: ${said}`, next };
  }
  if (isTemporary)
    return {
      kind: 'later',
      message: `${server} does not take it now: ${said}`,
      next: 'it is tried again by itself',
    };
  if (code === 'EDNS') {
    const next = `getent hosts ${host}   # then correct notify.channels.${channel}.smtp.host, or the resolver`;
    return { kind: 'later', message: `the address of ${host} is not found: ${said}`, next };
  }
  return {
    kind: 'later',
    message: `${server} cannot be reached: ${said}`,
    next: `nc -vz ${host} ${port}   # the network, a firewall, or smtp in notify.channels.${channel}`,
  };
}
