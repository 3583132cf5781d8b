// The other node's own check, asked for through both daemons.

import * as z from 'zod';
import { BattitoError } from '../../errors.ts';
import type { ControlClient } from '../client.ts';
import { harmless } from '../output.ts';
import { type Finding, reporter } from './finding.ts';

const text = z.string().max(20_000).transform(harmless);
const reportSchema = z.object({
  findings: z
    .array(
      z.object({
        area: text,
        level: z.enum(['ok', 'info', 'warning', 'problem']),
        // One of an older version has none.
        code: text.nullable().default(null),
        message: text,
        mend: text.nullable(),
        blocks: z.literal(true).exactOptional(),
      }),
    )
    .max(5000),
});

export interface PeerFindings {
  /** Null: it could not be checked. */
  readonly checked: string | null;
  readonly findings: readonly Finding[];
}

const area = 'the other node';

/** Never rejects. Of a daemon that does not run nothing is said: that it does not is a finding already. */
export async function checkPeer(client: ControlClient, self: string): Promise<PeerFindings> {
  const report = reporter(area);
  try {
    const answer = await client.checkPeer();
    if (answer.kind === 'checked') {
      const read = reportSchema.safeParse(answer.report);
      if (read.success) {
        const findings = read.data.findings.map((finding) => ({ ...finding, node: answer.node }));
        return { checked: answer.node, findings };
      }
      report.obstacle(
        'peer-not-checked',
        `${answer.node} has answered with nothing of use; only ${self} was checked`,
        'install the same version on both nodes',
      );
    } else {
      const { node, why, next } = answer;
      report.obstacle(
        'peer-not-checked',
        `${node} could not be checked: ${harmless(why)}; only ${self} was`,
        harmless(next),
      );
    }
  } catch (error) {
    if (!(error instanceof BattitoError)) throw error;
    if (error.code !== 'daemon-not-running' && error.code !== 'no-permission') {
      const next = error.next ?? 'systemctl status battito';
      report.obstacle(
        'peer-not-checked',
        `the other node could not be checked: ${error.message}; only ${self} was`,
        next,
      );
    }
  }
  return { checked: null, findings: report.findings };
}
