import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import type { ResourceStatus } from '../../daemon/drivers/driver.ts';
import { createWatch } from '../../daemon/drivers/watch.ts';
import { keepingAlive } from '../support.ts';

/** How often it has looked when 300 ms have gone by since the end of its first look, which took 50 ms. */
async function looksAfter(status: ResourceStatus): Promise<number> {
  let looks = 0;
  const first = Promise.withResolvers<void>();
  const watch = createWatch(
    () => first.resolve(),
    1,
    async () => {
      looks += 1;
      await sleep(50);
      return status;
    },
  );
  await keepingAlive(async () => {
    watch.start();
    await first.promise;
    // Of two timers of one process the one that is due earlier ends first, however busy the machine is.
    await sleep(300);
    await watch.stop();
  });
  return looks;
}

test('a look that takes long is followed by a longer rest', async (t) => {
  t.is(await looksAfter({ kind: 'up' }), 1);
});

test('after a look that told nothing there is no such rest', async (t) => {
  t.true((await looksAfter({ kind: 'unknown', message: 'it did not answer' })) > 1);
});
