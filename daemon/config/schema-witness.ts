// The YAML surface of the witness. Rules between its keys, and with others, live in witness-rules.ts.

import * as z from 'zod';
import { absolutePath, duration, mapping, parsed, text } from './schema-parts.ts';
import { endpointPattern, parseEndpoint } from './witness.ts';

export const defaultLeaseTtl = '9s';

export const witness = mapping({
  kind: z
    .enum(['etcd'], { error: 'etcd' })
    .default('etcd')
    .describe('What keeps the lease: etcd, 3.4 or later, with its JSON gateway.'),
  endpoints: z
    .array(
      parsed(
        'an endpoint such as https://192.168.1.9:2379 (an address, since a takeover cannot wait for DNS)',
        endpointPattern,
        parseEndpoint,
      ),
      { error: 'a list of endpoints such as https://192.168.1.9:2379' },
    )
    .min(1, { error: 'a list of at least one endpoint' })
    .max(9, { error: 'a list of at most nine endpoints' })
    .describe('The members of one etcd cluster, by address and port; none that falls silent with a node.'),
  ca: absolutePath
    .optional()
    .describe(
      "File (PEM) of the authority that has signed the endpoints' certificates. Default: the well-known ones.",
    ),
  certificate: absolutePath
    .optional()
    .describe('File (PEM) of the certificate that this node shows; with key.'),
  key: absolutePath.optional().describe('File (PEM, mode 0600) of the key of that certificate.'),
  user: text('the name of a user of etcd', /^[!-9;-~]{1,63}$/)
    .optional()
    .describe('User of etcd that may read and write under the prefix; with password-file.'),
  'password-file': absolutePath
    .optional()
    .describe('File (mode 0600) with the password of that user in its first line.'),
  ttl: duration(3000)
    .prefault(defaultLeaseTtl)
    .describe('How long the lease is lent each time; a takeover waits for its end. At least 3s.'),
  prefix: text('a prefix such as /battito', /^\/[A-Za-z0-9._/-]{0,126}[A-Za-z0-9._-]$/)
    .default('/battito')
    .describe(
      "What the keys in etcd begin with; the cluster's name comes after it, so that clusters may share it.",
    ),
});
