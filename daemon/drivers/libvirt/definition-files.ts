// Notices that libvirt has written a definition: of a change of a part, as by `virsh setvcpus --config`, it sends no event.
// A hint: what the definition is, libvirt is asked.

import { watch } from 'node:fs';
import path from 'node:path';
import type { Logger } from 'pino';
import type { LibvirtEvent } from './events.ts';
import { servingDaemons } from './units.ts';

/** Where the libvirt of the connection keeps them; undefined: that is not known, or not on this host. */
export function definitionDirectory(uri: string): string | undefined {
  return servingDaemons(uri).length > 0 ? '/etc/libvirt/qemu' : undefined;
}

/** Undefined: the directory cannot be watched, or is not there yet. `onEnd`: it can no longer be. */
export function watchDefinitionFiles(
  directory: string,
  means: {
    readonly logger: Logger;
    readonly onEvent: (event: LibvirtEvent) => void;
    readonly onEnd: () => void;
  },
): { close(): void } | undefined {
  try {
    const watcher = watch(directory, { persistent: false }, (_, file) => {
      // A new one is written aside, as NAME.xml.new, and renamed.
      if (file?.endsWith('.xml') !== true) return;
      means.onEvent({ domain: path.basename(file, '.xml'), event: 'definition-file', detail: '' });
    });
    watcher.on('error', (error) => {
      means.logger.debug({ err: error, directory }, 'the definitions can no longer be watched');
      watcher.close();
      means.onEnd();
    });
    return watcher;
  } catch (error) {
    means.logger.debug({ err: error, directory }, 'the definitions cannot be watched');
    return undefined;
  }
}
