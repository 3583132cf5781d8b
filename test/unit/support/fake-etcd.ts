// A store that speaks as etcd 3.4 does through its JSON gateway (its answers were recorded from 3.4.23), on ports of this
// machine. Its time passes only when it is told, and a test says what happens to a question: it may be held back, lost
// before or after it was carried out, or refused.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';

interface Value {
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly lease: string;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface Question {
  readonly port: number;
  readonly path: string;
  readonly body: Record<string, unknown>;
  readonly token: string | undefined;
}

/**
 * `pass`: as etcd would. `hang`: never answered, nor carried out. `mute`: carried out, never answered. A function holds
 * the question back until its promise is fulfilled; an Answer is given instead.
 */
export type Fate = 'pass' | 'hang' | 'mute' | Answer | (() => Promise<void>);

const decoded = (text: unknown) => Buffer.from(String(text), 'base64').toString('utf8');
const failure = (status: number, code: number, message: string): Answer => ({
  status,
  body: { error: message, message, code },
});

export class FakeEtcd {
  readonly values = new Map<string, Value>();
  readonly leases = new Map<string, { readonly ttlS: number; readonly endsAtS: number }>();
  readonly questions: Question[] = [];
  readonly endpoints: string[] = [];
  /** The user that it wants; null: none. */
  user: { readonly name: string; readonly password: string } | null = null;
  readonly tokens = new Set<string>();
  /** How many were made to it. */
  connections = 0;
  fate: (question: Question) => Fate = () => 'pass';
  #revision = 1;
  #nowS = 0;
  #lastLease = 1000;
  #lastToken = 0;
  readonly #servers: Server[] = [];

  /** `tls`: null: without. */
  static async start(
    t: { teardown(fn: () => Promise<void>): void },
    members = 1,
    tls: ServerOptions | null = null,
  ): Promise<FakeEtcd> {
    const etcd = new FakeEtcd();
    for (let member = 0; member < members; member++) await etcd.#listen(tls);
    t.teardown(() => etcd.close());
    return etcd;
  }

  async #listen(tls: ServerOptions | null): Promise<void> {
    const serve = (asked: IncomingMessage, answer: ServerResponse) => void this.#serve(asked, answer);
    const server = tls === null ? createServer(serve) : createTlsServer(tls, serve);
    server.on('connection', () => {
      this.connections += 1;
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#servers.push(server);
    this.endpoints.push(
      `${tls === null ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    );
  }

  async close(): Promise<void> {
    for (const server of this.#servers) {
      server.closeAllConnections();
      server.close();
    }
  }

  pass(seconds: number): void {
    this.#nowS += seconds;
    for (const [id, { endsAtS }] of this.leases) if (endsAtS <= this.#nowS) this.#end(id);
  }

  /** As if its disk had been exchanged. */
  forget(): void {
    this.values.clear();
    this.leases.clear();
    this.#revision = 1;
  }

  text(key: string): string | null {
    const found = this.values.get(key);
    return found === undefined ? null : decoded(found.value);
  }

  asked(path: string): Question[] {
    return this.questions.filter((question) => question.path === path);
  }

  async #serve(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of asked) chunks.push(chunk as Buffer);
    const question: Question = {
      port: asked.socket.localPort ?? 0,
      path: asked.url ?? '',
      body: JSON.parse(Buffer.concat(chunks).toString('utf8')),
      token: asked.headers.authorization,
    };
    this.questions.push(question);
    const fate = this.fate(question);
    if (fate === 'hang') return;
    if (typeof fate === 'function') await fate();
    const { status, body } = typeof fate === 'object' ? fate : this.carryOut(question);
    if (fate === 'mute') return;
    answer.writeHead(status, { 'content-type': 'application/json' });
    answer.end(typeof body === 'string' ? body : JSON.stringify(body));
  }

  carryOut({ path, body, token }: Question): Answer {
    const header = { cluster_id: '1', member_id: '2', revision: String(this.#revision), raft_term: '2' };
    if (path === '/v3/auth/authenticate') return this.#logIn(body);
    if (this.user !== null && !path.startsWith('/v3/lease/grant')) {
      if (token === undefined) return failure(400, 3, 'etcdserver: user name is empty');
      if (!this.tokens.has(token)) return failure(401, 16, 'etcdserver: invalid auth token');
    }
    switch (path) {
      case '/v3/kv/txn':
        return this.#transact(body);
      case '/v3/lease/grant': {
        const id = String(++this.#lastLease);
        const ttlS = Number(body['TTL']);
        this.leases.set(id, { ttlS, endsAtS: this.#nowS + ttlS });
        return { status: 200, body: { header, ID: id, TTL: String(ttlS) } };
      }
      case '/v3/maintenance/status':
        return { status: 200, body: { header, version: '3.4.23', dbSize: '20480' } };
      case '/v3/kv/range': {
        const found = this.values.get(decoded(body['key']));
        return {
          status: 200,
          body: { header, ...(found !== undefined && { kvs: [{ value: found.value }] }) },
        };
      }
      case '/v3/lease/revoke': {
        const id = String(body['ID']);
        if (!this.leases.has(id)) return failure(404, 5, 'etcdserver: requested lease not found');
        this.#end(id);
        return { status: 200, body: { header } };
      }
      case '/v3/lease/timetolive': {
        const lease = this.leases.get(String(body['ID']));
        const left = lease === undefined ? -1 : lease.endsAtS - this.#nowS;
        return { status: 200, body: { header, ID: body['ID'], TTL: String(left) } };
      }
      default:
        return { status: 404, body: 'Not Found\n' };
    }
  }

  #logIn(body: Record<string, unknown>): Answer {
    if (this.user === null) return failure(412, 9, 'etcdserver: authentication is not enabled');
    if (body['name'] !== this.user.name || body['password'] !== this.user.password) {
      return failure(400, 3, 'etcdserver: authentication failed, invalid user ID or password');
    }
    const token = `token.${++this.#lastToken}`;
    this.tokens.add(token);
    return { status: 200, body: { token } };
  }

  #end(lease: string): void {
    this.leases.delete(lease);
    for (const [key, value] of this.values) if (value.lease === lease) this.values.delete(key);
    this.#revision += 1;
  }

  #transact(body: Record<string, unknown>): Answer {
    type Operation = Record<string, Record<string, string>>;
    const compares = (body['compare'] ?? []) as Record<string, string>[];
    const succeeded = compares.every(({ key, target, mod_revision, value }) => {
      const found = this.values.get(decoded(key));
      if (target === 'VALUE') return found?.value === value;
      return String(found?.modRevision ?? 0) === mod_revision;
    });
    const operations = ((succeeded ? body['success'] : body['failure']) ?? []) as Operation[];
    const missing = operations.find(
      ({ request_put: put }) => put?.['lease'] && !this.leases.has(put['lease']),
    );
    if (missing !== undefined) return failure(404, 5, 'etcdserver: requested lease not found');
    if (operations.some((operation) => 'request_put' in operation)) this.#revision += 1;
    const responses = operations.map(({ request_put: put, request_range: range }) => {
      if (put !== undefined) {
        const key = decoded(put['key']);
        const before = this.values.get(key);
        const createRevision = before?.createRevision ?? this.#revision;
        const { value = '', lease = '0' } = put;
        this.values.set(key, { value, lease, createRevision, modRevision: this.#revision });
        return { response_put: { header: { revision: String(this.#revision) } } };
      }
      const found = this.values.get(decoded(range?.['key']));
      const header = { revision: String(this.#revision) };
      if (found === undefined) return { response_range: { header } };
      const kv = {
        key: range?.['key'],
        create_revision: String(found.createRevision),
        mod_revision: String(found.modRevision),
        version: '1',
        ...(found.value !== '' && { value: found.value }),
        ...(found.lease !== '0' && { lease: found.lease }),
      };
      return { response_range: { header, kvs: [kv], count: '1' } };
    });
    const header = { cluster_id: '1', member_id: '2', revision: String(this.#revision), raft_term: '2' };
    return { status: 200, body: { header, ...(succeeded && { succeeded }), responses } };
  }
}
