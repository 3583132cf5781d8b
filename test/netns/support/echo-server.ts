// A program that runs on a host: answers each datagram at UDP port 7 with its first word and the host's name,
// over IPv4 and IPv6. Usage: echo-server.ts NAME. Prints `ready` once both sockets are bound.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setPriority } from 'node:os';

const name = process.argv[2] ?? 'unnamed';
setPriority(-15); // It stands for the network, so a busy machine must not make it look slow.

for (const [type, address] of [
  ['udp4', '0.0.0.0'],
  ['udp6', '::'],
] as const) {
  const socket = createSocket({ type, ipv6Only: type === 'udp6' });
  socket.on('error', (error) => {
    process.stderr.write(`${type}: ${error.message}\n`);
    process.exitCode = 1;
  });
  socket.on('message', (message, from) => {
    const [sequence = ''] = message.toString('latin1').split(' ', 1);
    // An answer that cannot be sent (a cut cable) is simply lost.
    socket.send(`${sequence} ${name}`, from.port, from.address, () => {});
  });
  socket.bind(7, address);
  await once(socket, 'listening');
}
process.stdout.write('ready\n');
