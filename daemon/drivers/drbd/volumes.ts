// By which minors the volumes of a resource go on either node, by DRBD's files. Looks only.

import { runCommand } from '../command.ts';
import { type ConfigNode, parseConfigText, sections } from './config-text.ts';

export interface DrbdVolume {
  readonly number: number;
  /** One where it is the same on both nodes. */
  readonly minors: ReadonlySet<number>;
}

/** Of `drbdadm dump`: `on HOST { device /dev/drbd0 minor 0; }`, or `on HOST { volume 0 { device minor 0; } }`. */
export function volumesOf(nodes: readonly ConfigNode[]): readonly DrbdVolume[] {
  const minors = new Map<number, Set<number>>();
  for (const { body } of sections(nodes, 'on')) {
    for (const node of body ?? []) {
      const isVolume = node.words[0] === 'volume';
      const minor = isVolume ? (node.body ?? []).flatMap(minorIn)[0] : minorIn(node)[0];
      if (minor === undefined) continue;
      const number = isVolume ? Number(node.words[1]) : 0;
      minors.set(number, (minors.get(number) ?? new Set()).add(minor));
    }
  }
  return [...minors].map(([number, found]) => ({ number, minors: found }));
}

/** `device /dev/drbd0 minor 0`, `device minor 0` or `device /dev/drbd0`. */
function minorIn({ words }: ConfigNode): readonly number[] {
  if (words[0] !== 'device') return [];
  const at = words.indexOf('minor');
  const minor = at > 0 ? words[at + 1] : /^\/dev\/drbd(\d+)$/.exec(words[1] ?? '')?.[1];
  return minor !== undefined && /^\d+$/.test(minor) ? [Number(minor)] : [];
}

const timeoutMs = 5000;

/** Null: they cannot be told. Never rejects. */
export async function readVolumes(
  resource: string,
  signal: AbortSignal,
): Promise<readonly DrbdVolume[] | null> {
  const { exitCode, stdout } = await runCommand(['drbdadm', 'dump', resource], { timeoutMs, signal });
  return exitCode === 0 ? volumesOf(parseConfigText(stdout)) : null;
}
