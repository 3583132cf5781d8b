// One question and its answer: cookies, forms, and what every answer carries.
// Guarantees: a form is small, of the right type, and comes in time.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { securityHeaders } from './guard.ts';
import type { Session } from './login/sessions.ts';

const formBytesMax = 4096;

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly isEncrypted: boolean;
  /** As the browser gave it. */
  readonly sessionId: string | undefined;
  readonly session: Session | null;
}

/** What is wrong with a question, as an answer. */
export class Refused extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = 'Refused';
    this.status = status;
    this.headers = headers;
  }
}

const cookieName = (isEncrypted: boolean) => (isEncrypted ? '__Host-battito' : 'battito');

export function sessionIdOf({ headers }: IncomingMessage, isEncrypted: boolean): string | undefined {
  const wanted = `${cookieName(isEncrypted)}=`;
  const all = (headers.cookie ?? '').split(';').map((pair) => pair.trim());
  return all.find((pair) => pair.startsWith(wanted))?.slice(wanted.length);
}

/** `id` '': the browser forgets it. */
export function sessionCookie(id: string, isEncrypted: boolean): string {
  const attributes = `Path=/; HttpOnly; SameSite=Strict${isEncrypted ? '; Secure' : ''}`;
  return `${cookieName(isEncrypted)}=${id}; ${attributes}${id === '' ? '; Max-Age=0' : ''}`;
}

/** @throws Refused */
export async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  if (!(request.headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded'))
    throw new Refused(415, 'this is no form');
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > formBytesMax) throw new Refused(413, 'the form is too large', { connection: 'close' });
    parts.push(part);
  }
  return new URLSearchParams(Buffer.concat(parts).toString('utf8'));
}

export interface Answer {
  readonly status?: number;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

export function send(response: ServerResponse, { status = 200, type, headers, body }: Answer): void {
  if (response.headersSent) return;
  const own = { 'content-type': type ?? 'text/html; charset=utf-8' };
  response.writeHead(status, { ...securityHeaders, ...own, ...headers });
  response.end(body);
}
