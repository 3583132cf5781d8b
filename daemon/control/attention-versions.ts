// The two nodes have different versions: so different that they do not understand each other, or merely not the same. Pure.

import type { State } from '../core/state.ts';
import type { Attention } from './api.ts';
import { item } from './attention-item.ts';

/** As the links count packets of a heartbeat protocol that is not spoken here. */
export const unsupportedVersion = 'unsupported-version';

export function attentionOfVersions(
  { policy, peer, verdict }: State,
  refused: Readonly<Record<string, number>>,
): readonly Attention[] {
  const { self, software } = policy;
  const count = refused[unsupportedVersion] ?? 0;
  if (count > 0 && verdict.kind !== 'alive') {
    const message = `packets of another version of the heartbeat protocol arrive, ${count} were refused: ${policy.peer} may be well, and is not understood`;
    const next = `\`battito --version\` on both nodes, and the same one on both; do not power ${policy.peer} off before you have looked at it`;
    return [item('alarm', 'peer-version-unsupported', message, next)];
  }
  const theirs = peer.content?.software ?? null;
  if (verdict.kind !== 'alive' || theirs === null || theirs === software) return [];
  const message = `${self} runs battito ${software}, ${policy.peer} runs ${theirs}: what only the newer one can do is not to be had yet`;
  const next = 'bring both to the same version, one after the other: battito maintenance on --for 30m';
  return [item('info', 'software-differs', message, next)];
}
