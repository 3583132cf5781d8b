// The rings that the daemon uses, all made from the one key file.

import type { Config } from '../config/config.ts';
import { type KeyRing, loadKeyRing } from '../config/key-file.ts';

/** Read anew by a reload, while they are in use. */
export interface Keys {
  ring: KeyRing;
  channel: KeyRing;
}

/** @throws BattitoError as `loadKeyRing` */
export function loadKeys({ heartbeat: { keyFile } }: Pick<Config, 'heartbeat'>): Keys {
  return { ring: loadKeyRing(keyFile), channel: loadKeyRing(keyFile, 'peer-channel') };
}
