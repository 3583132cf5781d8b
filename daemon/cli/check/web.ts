// Could the web page be had, and acted on? Its tokens and its certificate; the address is looked at by the daemon, which
// says in the status what is wrong with it.

import type { Config } from '../../config/config.ts';
import { certificateTrouble } from '../../web/listener.ts';
import { createSessions } from '../../web/sessions.ts';
import { type Finding, reporter } from './finding.ts';

export function checkWeb({ web }: Config): readonly Finding[] {
  if (web === null) return [];
  const report = reporter('web page');
  const { address, port, tls, tokenFile } = web;
  const certificate = tls === null ? null : certificateTrouble(tls);
  const tokens = tokenFile === null ? null : createSessions(tokenFile, () => 0).trouble();
  if (certificate !== null) report.problem('certificate-unreadable', certificate.message, certificate.next);
  if (tokens !== null) report.problem('web-tokens', tokens.message, tokens.mend);
  const who = tokenFile === null ? 'for reading' : 'for acting too';
  if (certificate === null && tokens === null)
    report.ok(`${address ?? "the node's own address"}, port ${port}, ${who}`);
  return report.findings;
}
