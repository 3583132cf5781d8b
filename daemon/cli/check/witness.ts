// Can the witness lend this node the lease? Its files, its certificates, and the whole way to each endpoint and back,
// with a key of its own that is taken away again.

import type { Config, WitnessConfig } from '../../config/config.ts';
import { type EndpointTrial, tryWitness, type WitnessTrial } from '../../drivers/witness/trial.ts';
import { BattitoError } from '../../errors.ts';
import { monotonicMs } from '../../runtime/clock.ts';
import { type Finding, type Reporter, reporter } from './finding.ts';

const deadlineMs = 10_000;
const renewBeforeDays = 30;
/** Half of what etcd takes unless it is told more. */
const databaseBytesMax = 1024 ** 3;

export async function checkWitness(
  { witness, cluster }: Config,
  node: string,
  now = new Date(),
): Promise<readonly Finding[]> {
  if (witness === null) return [];
  const report = reporter('witness');
  try {
    const options = { config: witness, cluster, self: node, nowMs: monotonicMs, deadlineMs };
    tell(report, witness, await tryWitness(options), now);
  } catch (error) {
    if (!(error instanceof BattitoError)) throw error;
    report.problem(error.code, error.message, error.next ?? 'correct `witness` in the configuration');
  }
  return report.findings;
}

function tell(report: Reporter, config: WitnessConfig, trial: WitnessTrial, now: Date): void {
  const { endpoints, validUntil, servesAnybody } = trial;
  const works = endpoints.filter(({ trouble }) => trouble === null);
  for (const endpoint of endpoints) tellEndpoint(report, endpoint, works.length > 0, now);
  if (works.length * 2 <= endpoints.length && works.length > 0 && endpoints.length > 1) {
    report.warning(
      'witness-endpoint-away',
      `${works.length} of ${endpoints.length} endpoints can be used: another member lost, and etcd lends nothing`,
      'see on each of them: systemctl status etcd',
    );
  }
  if (endpoints.length === 1) {
    report.info(
      'one endpoint: while it is down nothing is taken over. Three members of etcd, in three places, bear the loss of one.',
    );
  }
  if (config.endpoints.some((url) => url.startsWith('http:'))) {
    report.warning(
      'witness-not-secured',
      'without TLS whoever is on the way can answer in the place of the witness, and a guest may then run twice',
      'give https:// endpoints and witness.ca',
    );
  } else if (config.login === null && config.clientCertificate === null) {
    report.warning(
      'witness-not-secured',
      'neither a user nor a certificate: whoever reaches etcd may take the lease away',
      'give witness.user and witness.password-file, or witness.certificate and witness.key',
    );
  }
  if (servesAnybody) {
    report.warning('witness-not-secured', 'etcd serves also whoever gives no user', 'etcdctl auth enable');
  }
  tellValidity(report, 'the certificate of this node for the witness', validUntil, now);
}

function tellEndpoint(report: Reporter, endpoint: EndpointTrial, othersWork: boolean, now: Date): void {
  const { url, trouble, tookMs, version, databaseBytes, validUntil } = endpoint;
  if (trouble !== null) {
    const message = trouble.message.includes(url) ? trouble.message : `${url}: ${trouble.message}`;
    const isContradiction = /not of one etcd/.test(message);
    if (othersWork && !isContradiction) report.warning('witness-unreachable', message, trouble.next);
    else report.problem('witness-unreachable', message, trouble.next);
    return;
  }
  const took = `in ${Math.max(1, Math.round(tookMs))} ms`;
  report.ok(`${url}: etcd ${version}; a lease was lent, used and given back ${took}`);
  if (databaseBytes > databaseBytesMax) {
    const size = `${(databaseBytes / 1024 ** 3).toFixed(1)} GiB`;
    const mend = 'run it with --auto-compaction-retention=1h; then etcdctl compact and etcdctl defrag';
    report.warning(
      'witness-database-full',
      `${url}: its database has ${size}, and it stops writing at its quota (2 GiB)`,
      mend,
    );
  }
  tellValidity(report, `the certificate of ${url}`, validUntil, now);
}

function tellValidity(report: Reporter, what: string, until: Date | null, now: Date): void {
  if (until === null) return;
  const days = Math.floor((until.getTime() - now.getTime()) / 86_400_000);
  const date = until.toISOString().slice(0, 10);
  if (days < 0)
    report.problem(
      'certificate-expires',
      `${what} was valid until ${date}`,
      'make a new one; or see `date` here',
    );
  else if (days < renewBeforeDays)
    report.warning('certificate-expires', `${what} is valid until ${date} only`, 'make a new one');
}
