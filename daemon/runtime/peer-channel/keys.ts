// The keys of the channel between the two daemons. Each belongs to one cluster, one direction (who calls whom) and one
// line of the key file, so that nothing said in one place means anything in another. Pure but for the hashing.

import { createHash, hkdfSync } from 'node:crypto';
import type { KeyRing } from '../../config/key-file.ts';

/** What a caller shows (in the clear) and what it proves to have. */
export interface ChannelKey {
  /** Which key, 4 bytes in hex that say nothing about it, and the caller's node name. */
  readonly identity: string;
  /** 32 bytes. */
  readonly secret: Buffer;
}

export interface ChannelDirection {
  readonly cluster: string;
  /** Node names. */
  readonly caller: string;
  readonly answerer: string;
}

const secretBytes = 32;

/** The signing key's first. `ring` is the key file's for the purpose `peer-channel` (RFC 5869, HKDF-SHA256). */
export function channelKeys(ring: KeyRing, direction: ChannelDirection): readonly ChannelKey[] {
  const { cluster, caller, answerer } = direction;
  const purpose = JSON.stringify(['battito peer-channel call 1', cluster, caller, answerer]);
  return ring.accepted.map((key) => {
    const secret = Buffer.from(hkdfSync('sha256', key.secret, '', purpose, secretBytes));
    const id = createHash('sha256').update(secret).digest('hex').slice(0, 8);
    return { identity: `${id} ${caller}`, secret };
  });
}
