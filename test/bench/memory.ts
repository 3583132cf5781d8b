// Memory over millions of events in the simulator: flat, or does it rise?

import type { Progress } from './failover.ts';
import { figure, type Section } from './figures.ts';
import { slopeOf } from './line.ts';
import { type Look, type SimulatedLife, simulateLife } from './long-life.ts';

/** Bytes per million events: a megabyte in ten millions. */
const risesMax = 100_000;

export async function measureMemory(events: number, progress: Progress): Promise<Section> {
  progress(`${events} events of both cores`);
  return memorySection(await simulateLife({ events, progress }));
}

export const risePerMillion = (looks: readonly Look[], pick: (look: Look) => number): number =>
  slopeOf(looks.map((look) => ({ x: look.events / 1e6, y: pick(look) })));

export function memorySection({ looks, notes, dropped, days }: SimulatedLife): Section {
  const events = looks.at(-1)?.events ?? 0;
  const noted = ['link-silent', 'peer-dead', 'take-over', 'freeze'];
  const flapped = noted.map((code) => `${code} ${notes.get(code) ?? 0}`).join(', ');
  const states = looks.map(({ stateBytes }) => stateBytes);
  const heaps = looks.map(({ heapBytes }) => heapBytes);
  return {
    id: 'memory',
    title: `Memory over ${events} events of both cores, ${days.toFixed(1)} days of flapping links (${flapped})`,
    figures: [
      figure(
        'heap-mb',
        'heap after a collection',
        'MB',
        heaps.map((bytes) => bytes / 2 ** 20),
        {
          remark: 'of this program: both cores, the journal, history and gaps of one, the modelled world',
        },
      ),
      figure(
        'heap-slope',
        '  its rise in a million events',
        'bytes',
        [risePerMillion(looks, ({ heapBytes }) => heapBytes)],
        {
          target: { max: risesMax },
        },
      ),
      figure('state-bytes', 'the states of both cores, as written', 'bytes', states),
      figure(
        'state-slope',
        '  their rise in a million events',
        'bytes',
        [risePerMillion(looks, ({ stateBytes }) => stateBytes)],
        {
          target: { max: risesMax / 100 },
        },
      ),
      figure('journal-dropped', 'events that the journal had no time for', '', [dropped]),
    ],
    table: {
      heads: ['events', 'heap, bytes', 'states, bytes'],
      rows: looks.map((look) => [look.events, look.heapBytes, look.stateBytes]),
    },
  };
}
