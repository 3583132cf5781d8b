// Could the web page be had, and acted on? Its tokens, passwords and certificate; the address is looked at by the daemon,
// which says in the status what is wrong with it.

import type { Config } from '../../config/config.ts';
import { certificateTrouble } from '../../web/listener.ts';
import { readHtpasswd } from '../../web/login/htpasswd.ts';
import { readTokens } from '../../web/login/tokens.ts';
import { type Finding, reporter } from './finding.ts';

export function checkWeb({ web }: Config): readonly Finding[] {
  if (web === null) return [];
  const report = reporter('web page');
  const { address, port, tls, tokenFile, htpasswdFile } = web;
  const certificate = tls === null ? null : certificateTrouble(tls);
  if (certificate !== null) report.problem('certificate-unreadable', certificate.message, certificate.next);
  const tokens = tokenFile === null ? null : readTokens(tokenFile).trouble;
  if (tokens !== null) report.problem('web-tokens', tokens.message, tokens.mend);
  const passwords = htpasswdFile === null ? null : readHtpasswd(htpasswdFile).trouble;
  if (passwords !== null) report.problem('web-htpasswd', passwords.message, passwords.mend);
  const ways = [tokenFile === null ? [] : 'tokens', htpasswdFile === null ? [] : 'passwords'].flat();
  const who = ways.length === 0 ? 'for reading' : `for acting too, by ${ways.join(' and ')}`;
  if (certificate === null && tokens === null && passwords === null)
    report.ok(`${address ?? "the node's own address"}, port ${port}, ${who}`);
  return report.findings;
}
