// The transition table itself: well formed, reachable, without overlaps, and the diagram of the documents is made from it.

import { readFileSync } from 'node:fs';
import test from 'ava';
import fc from 'fast-check';
import type { Facts } from '../../daemon/core/facts.ts';
import { type PhaseKind, phaseKinds as phases } from '../../daemon/core/heartbeat.ts';
import { transitions } from '../../daemon/core/transitions.ts';
import { renderDiagram } from '../../scripts/group-machine.ts';
import { stoppedReport } from './support/one-core.ts';

test('every rule has an id of its own, a reason, and a way to stop exactly where it leads to stopping', (t) => {
  t.is(new Set(transitions.map(({ id }) => id)).size, transitions.length);
  for (const row of transitions) {
    t.regex(row.id, /^[a-z]+(-[a-z]+)*$/);
    t.true(row.reason.length > 20, row.id);
    t.is(row.stop !== undefined, row.to === 'stopping', row.id);
  }
});

test('every phase can be reached from the start, and left again', (t) => {
  const reached = new Set<PhaseKind>(['observing']);
  for (let round = 0; round < phases.length; round += 1) {
    for (const { from, to } of transitions) if (reached.has(from)) reached.add(to);
  }
  t.deepEqual([...reached].toSorted(), [...phases].toSorted());
  for (const phase of phases)
    t.true(
      transitions.some(({ from }) => from === phase),
      phase,
    );
});

const verdicts = [
  'listening',
  'alive',
  'late',
  'departed',
  'isolated',
  'unresponsive',
  'dead',
  'fenced',
] as const;

/** Facts as they can occur together: what follows from one another is derived, the rest is free. */
const facts: fc.Arbitrary<Facts> = fc
  .record({
    verdict: fc.constantFrom(...verdicts),
    peerMayHoldAddresses: fc.boolean(),
    peerMayHoldRest: fc.boolean(),
    takeoverTime: fc.boolean(),
    outranked: fc.boolean(),
    superseded: fc.boolean(),
    peerFrozen: fc.boolean(),
    eligible: fc.boolean(),
    inMaintenance: fc.boolean(),
    chosen: fc.boolean(),
    granted: fc.boolean(),
    grantOutstanding: fc.boolean(),
    offeredToUs: fc.boolean(),
    pulled: fc.boolean(),
    claimReason: fc.constantFrom('nobody-runs-it' as const, 'offered' as const, 'operator' as const),
    claimIsStale: fc.boolean(),
    mustFreeze: fc.boolean(),
    leaving: fc.boolean(),
    unowned: fc.boolean(),
    stuck: fc.boolean(),
    peerStuck: fc.boolean(),
    peerWrote: fc.boolean(),
    restDown: fc.boolean(),
    stopsInOrder: fc.boolean(),
    cannotStart: fc.boolean(),
    blockedBy: fc.constantFrom(null, 'unproven-data' as const, 'no-lan' as const),
    allObserved: fc.boolean(),
    allLookedAt: fc.boolean(),
    statuses: fc.constantFrom('all-down', 'some-up', 'all-up', 'none-up-but-busy'),
    ledgerFrozen: fc.boolean(),
    dataUnusable: fc.boolean(),
    leaseUnread: fc.boolean(),
    leaseRegained: fc.boolean(),
    provenByLease: fc.boolean(),
    onlyAddresses: fc.boolean(),
    anyPaused: fc.boolean(),
  })
  .map(({ takeoverTime, leaving, blockedBy, statuses, provenByLease, onlyAddresses, anyPaused, ...free }) => {
    const alive = free.verdict === 'alive';
    const present = alive || free.verdict === 'late' || free.verdict === 'listening';
    const peerGone =
      free.verdict === 'departed' || free.verdict === 'fenced' || (free.verdict === 'dead' && takeoverTime);
    const ofVerdict =
      free.verdict === 'unresponsive'
        ? ('peer-unresponsive' as const)
        : free.verdict === 'isolated'
          ? ('isolated' as const)
          : blockedBy;
    return {
      ...free,
      report: null,
      peerGone,
      peerMayHoldAddresses: !peerGone && free.peerMayHoldAddresses,
      peerMayHoldRest: !peerGone && free.peerMayHoldRest,
      outranked: alive && free.outranked,
      superseded: alive && free.superseded,
      peerStuck: alive && free.peerStuck,
      peerFrozen: alive && free.peerFrozen,
      chosen: alive && free.chosen,
      granted: alive && free.granted,
      offeredToUs: alive && free.offeredToUs,
      eligible: free.eligible && !free.inMaintenance && !leaving,
      mustFreeze: free.verdict !== 'departed' && free.verdict !== 'fenced' && free.mustFreeze,
      peerProvenOff: peerGone && (free.verdict !== 'dead' || provenByLease),
      mustLeaveAlone: leaving && free.verdict !== 'late' && free.verdict !== 'listening',
      obstacle: present ? null : ofVerdict,
      allLookedAt: free.allObserved || free.allLookedAt,
      anyPaused: anyPaused && statuses === 'some-up',
      anyUp: statuses === 'some-up' || statuses === 'all-up',
      isRunning: (statuses === 'some-up' && !onlyAddresses) || statuses === 'all-up',
      allDown: statuses === 'all-down',
      settled: statuses === 'all-up',
    };
  });

test('no two rules fit at once', (t) => {
  fc.assert(
    fc.property(facts, fc.constantFrom(...phases), (given, phase) => {
      const fitting = transitions.filter((row) => row.from === phase && row.when(given)).map(({ id }) => id);
      if (fitting.length > 1) throw new Error(`${phase}: ${fitting.join(', ')}`);
    }),
    { numRuns: 20_000 },
  );
  t.pass();
});

test('every rule fits some facts', (t) => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(facts, (given) => {
      for (const row of transitions) if (row.when({ ...given, report: stoppedReport })) seen.add(row.id);
    }),
    { numRuns: 100_000 },
  );
  t.deepEqual(
    transitions.map(({ id }) => id).filter((id) => !seen.has(id)),
    [],
  );
});

test('nothing is started while the peer may be alive, unless it granted that, and never by an isolated node', (t) => {
  fc.assert(
    fc.property(facts, fc.constantFrom(...phases), (given, phase) => {
      for (const row of transitions.filter(({ from, to }) => from === phase && to === 'starting')) {
        if (!row.when(given)) continue;
        const isVouchedFor = given.granted || given.peerGone || given.leaseRegained;
        const mayRunThere =
          given.verdict !== 'alive' ||
          given.peerMayHoldAddresses ||
          given.peerMayHoldRest ||
          given.grantOutstanding;
        if (phase === 'stopping' && !given.allDown && given.stuck && !mayRunThere) continue; // It never let go of it.
        if (!isVouchedFor && phase !== 'active') throw new Error(row.id);
        if (given.leaseRegained && phase === 'frozen') continue; // The witness vouches for it.
        if (given.verdict === 'isolated' || given.verdict === 'unresponsive') throw new Error(row.id);
      }
    }),
    { numRuns: 20_000 },
  );
  t.pass();
});

test('the table is the one that was reviewed', (t) => {
  t.snapshot(
    transitions.map(({ id, from, to, stop, severity, reason }) => ({
      id,
      from,
      to,
      ...(stop && { stop }),
      severity,
      reason,
    })),
  );
});

test('the diagram in docs/development.md is made from the table', (t) => {
  const page = readFileSync(new URL('../../docs/development.md', import.meta.url), 'utf8');
  t.true(page.includes(renderDiagram()), 'run `npm run diagram` and put its output into docs/development.md');
});
