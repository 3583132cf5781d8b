// What an errno of a UDP socket means for a link: how grave it is, and how to say it. Pure.

/**
 * `congestion`: the kernel's queue was full, the next keepalive will do. `path`: the route or a firewall is in the
 * way; a new socket would not help and would lose what waits in this one. `socket`: only a new socket can help.
 */
export type SendErrorKind = 'congestion' | 'path' | 'socket';

const kinds: Readonly<Record<string, SendErrorKind>> = {
  EAGAIN: 'congestion',
  ENOBUFS: 'congestion',
  ENOMEM: 'congestion',
  EINTR: 'congestion',
  ENETUNREACH: 'path',
  ENETDOWN: 'path',
  EHOSTUNREACH: 'path',
  EHOSTDOWN: 'path',
  EPERM: 'path',
  EACCES: 'path',
  EMSGSIZE: 'path',
  invalid: 'path',
};

export function sendErrorKind(code: string): SendErrorKind {
  return kinds[code] ?? 'socket';
}

/** The errno's name; `invalid` when the packet could not even be encoded. */
export function errorCode(error: unknown): string {
  if (error instanceof RangeError) return 'invalid';
  return (error as NodeJS.ErrnoException).code ?? 'unknown';
}

export function describeSendError(code: string): string {
  switch (code) {
    case 'EPERM':
    case 'EACCES':
      return `sending fails: a firewall rule forbids it (${code})`;
    case 'ENETUNREACH':
    case 'EHOSTUNREACH':
      return `sending fails: no route to the peer (${code})`;
    case 'ENETDOWN':
      return `sending fails: the interface is down (${code})`;
    case 'invalid':
      return 'sending fails: the packet cannot be encoded';
    default:
      return `sending fails: ${code}`;
  }
}

export function describeSocketError(code: string, port: number): string {
  switch (code) {
    case 'EADDRINUSE':
      return `UDP port ${port} is in use by another program`;
    case 'EACCES':
      return `UDP port ${port} needs root or CAP_NET_BIND_SERVICE`;
    default:
      return `the socket failed: ${code}`;
  }
}
