// The watch of a disk in use, on files, which dd reads past the cache as it reads a device.

import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { createDiskWatch } from '../../daemon/runtime/storage/disk-watch.ts';
import { temporaryDirectory, waitFor } from '../support.ts';

// Not under /tmp, which may be a tmpfs without O_DIRECT.
const place = new URL('../../test-output', import.meta.url).pathname;

async function watched(t: import('ava').ExecutionContext) {
  await mkdir(place, { recursive: true });
  const directory = temporaryDirectory(t, place);
  const device = join(directory, 'disk');
  await writeFile(device, Buffer.alloc(64 * 1024));
  const told: Array<string | null> = [];
  const watch = createDiskWatch({
    onTrouble: (trouble) => told.push(trouble),
    intervalMs: 50,
    timeoutMs: 20_000,
  });
  t.teardown(() => watch.letGo());
  const lastIs = (isSo: (trouble: string | null | undefined) => boolean) =>
    waitFor('told', () => {
      if (!isSo(told.at(-1))) throw new Error(JSON.stringify(told));
      return true;
    });
  return { watch, device, told, lastIs };
}

test('a disk that fails is told of once, and once more when it answers again', async (t) => {
  const { watch, device, told, lastIs } = await watched(t);
  watch.follow([device]);
  await rename(device, `${device}.away`);
  await lastIs((trouble) => trouble?.includes('No such file') === true);
  watch.follow([device]);
  await rename(`${device}.away`, device);
  await lastIs((trouble) => trouble === null);
  t.is(told.length, 2, JSON.stringify(told));
});

test('a disk that is not in use any more is read no more, and its trouble is forgotten', async (t) => {
  const { watch, device, told, lastIs } = await watched(t);
  await rename(device, `${device}.away`);
  watch.follow([device]);
  await lastIs((trouble) => trouble !== undefined && trouble !== null);
  await watch.letGo();
  t.is(told.at(-1), null);
  watch.follow([]);
  t.is(told.length, 2);
});
