// What protects the pair besides the heartbeats: the watchdog of this host, and the witness. What is not in the
// configuration has no samples but battito_safeguard_configured.

import { type Family, gauge, seconds } from '../family.ts';
import type { MetricsSource } from '../metrics.ts';

export function safeguardFamilies({ status }: MetricsSource): readonly Family[] {
  const { watchdog, witness, self } = status;
  return [
    gauge('battito_safeguard_configured', 'Whether the configuration has it.', [
      [{ safeguard: 'watchdog' }, watchdog !== null],
      [{ safeguard: 'witness' }, witness !== null],
    ]),
    gauge('battito_watchdog_armed', 'Whether the host is reset when the daemon does not feed its watchdog.', [
      [{}, watchdog?.armed ?? null],
    ]),
    gauge('battito_watchdog_failed', 'Whether the watchdog could not be armed.', [
      [{}, watchdog === null ? null : watchdog.lastError !== null],
    ]),
    gauge('battito_watchdog_timeout_seconds', 'After how long without a feed the host is reset.', [
      [{}, seconds(watchdog?.timeoutMs ?? null)],
    ]),
    gauge('battito_witness_usable', 'Whether the witness answers as it should.', [
      [{}, witness === null ? null : witness.trouble === null],
    ]),
    gauge('battito_witness_answer_age_seconds', 'Since what the witness answered last was asked.', [
      [{}, seconds(witness?.answeredMs ?? null)],
    ]),
    gauge('battito_witness_endpoints_away', 'Endpoints of the witness that do not answer, while others do.', [
      [{}, witness?.away.length ?? null],
    ]),
    gauge('battito_witness_lease_held', 'Whether this node holds the lease.', [
      [{}, witness === null ? null : witness.holder === self.name],
    ]),
    gauge('battito_witness_lease_remaining_seconds', 'For how long whoever holds the lease still has it.', [
      [{}, seconds(witness?.leftMs ?? null)],
    ]),
  ];
}
