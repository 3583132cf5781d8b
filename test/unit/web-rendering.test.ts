// What the page says and how: parts of the status, pictures, and that no text of others becomes markup.

import test from 'ava';
import type { Status } from '../../daemon/control/api.ts';
import { protectionGaps } from '../../daemon/control/protection.ts';
import { createGapMinutes, minutesKept } from '../../daemon/runtime/heartbeat/gap-minutes.ts';
import { html } from '../../daemon/web/html.ts';
import { renderIncident, renderIncidents } from '../../daemon/web/incident-pages.ts';
import { sparkline } from '../../daemon/web/sparkline.ts';
import { statusParts } from '../../daemon/web/status-parts.ts';
import { entry, group, groupAtPeer, link, resource, status } from './fixtures/cli/statuses.ts';

const partsOf = (changes: Partial<Status>) => {
  const parts = statusParts({ status: status(changes), minutes: [], history: [entry('office: done')] });
  return (id: string) => parts.find((part) => part.id === id)?.markup ?? '';
};

test('text is escaped wherever it comes from, and control characters are gone', (t) => {
  const evil = `<img src=x onerror=alert(1)>"'&\u001b[31m`;
  t.is(html`<p title="${evil}">${evil}</p>`.markup.includes('<img'), false);
  t.is(html`${[evil, null, false, 7]}`.markup, '&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;?[31m7');
  const part = partsOf({
    cluster: evil,
    attention: [{ severity: 'alarm', code: 'x', message: evil, next: evil }],
    groups: [
      group({ name: evil, reason: evil, resources: [resource(`guest:${evil}`, { quarantined: evil })] }),
    ],
    links: [link(evil, { down: evil })],
    verdict: { kind: 'dead', forMs: 1, silentMs: 1, signs: [evil] },
  });
  for (const id of ['headline', 'protection', 'attention', 'nodes', 'groups', 'about', 'actions'])
    t.false(part(id).includes('<img') || part(id).includes('\u001b'), id);
});

test('a cluster that is well is calm: no banner, nothing that needs a person', (t) => {
  const part = partsOf({});
  t.is(part('protection'), '');
  t.is(part('attention'), '');
  t.regex(
    part('headline'),
    /OK.*Everything runs, and a failure would be made good\..*office on primary; tier evidence/,
  );
  t.regex(part('nodes'), /this node.*eth1 broadcast.*heard.*secondary.*alive/s);
});

test('readiness: what the last check has found, with what mends it; nothing before the first', (t) => {
  t.is(partsOf({})('readiness'), '');
  const readiness = {
    at: '2026-03-01T03:00:00.000Z',
    by: 'primary',
    nodes: ['primary', 'secondary'],
    score: 60,
    ready: false,
    losses: [
      {
        node: 'secondary',
        area: 'guests',
        message: '<mail> is not there',
        mend: 'battito guests sync',
        points: 30,
        blocks: true,
      },
      { node: null, area: 'disks', message: 'no room', mend: null, points: 10, blocks: false },
    ],
  };
  const shown = partsOf({ readiness })('readiness');
  t.regex(shown, /class="bad">a takeover would fail<.*60 of 100.*value="60"/);
  t.regex(
    shown,
    /secondary, guests: &lt;mail&gt; is not there<\/p><p class="next">Next: battito guests sync<.*−30/,
  );
  t.regex(shown, /disks: no room<\/p><\/div>.*−10/);
  const alone = { ...readiness, nodes: ['primary'], score: 100, ready: true, losses: [] };
  t.regex(
    partsOf({ readiness: alone })('readiness'),
    /class="good">ready for a takeover<.*, primary alone\./,
  );
});

const unprotected: [string, Partial<Status>, RegExp][] = [
  [
    'a dead peer',
    { verdict: { kind: 'dead', forMs: 65_000, silentMs: 67_000, signs: [] } },
    /^secondary is dead for 1 min, so nobody takes over if primary fails$/,
  ],
  ['standby here', { self: { ...status().self, standby: true } }, /^primary is in standby/],
  [
    'maintenance there',
    { peer: { ...status().peer, maintenanceMs: 60_000 } },
    /^secondary is in maintenance/,
  ],
  [
    'a daemon that stops',
    { peer: { ...status().peer, leaving: true } },
    /^the daemon of secondary is stopping$/,
  ],
  [
    'a tier that lacks something',
    { tierLacks: 'no device answers' },
    /^a dead node could not be proved off: no device answers$/,
  ],
  [
    'a peer that would not take it',
    {
      groups: [
        group({
          peer: { ...(group().peer as NonNullable<ReturnType<typeof group>['peer']>), willing: false },
        }),
      ],
    },
    /^secondary would not take office over now$/,
  ],
  [
    'a node that would not take it from its peer',
    { groups: [groupAtPeer({ willing: false })] },
    /^primary would not take office over now$/,
  ],
  [
    'a mirror that is apart',
    {
      groups: [
        group({
          resources: [
            resource('drbd:r0', {
              kind: 'drbd',
              storage: {
                role: 'primary',
                disk: 'up-to-date',
                connection: 'connecting',
                peerDisk: 'unknown',
                resync: null,
                suspended: 'no',
              } as never,
            }),
          ],
        }),
      ],
    },
    /^office has no second copy that is up to date of r0 \(/,
  ],
];

for (const [what, changes, message] of unprotected) {
  test(`no protection: ${what} is one banner with what mends it`, (t) => {
    const gaps = protectionGaps(status(changes));
    t.is(gaps.length, 1);
    t.regex(gaps[0]?.message ?? '', message);
    t.not(gaps[0]?.next, '');
    t.true(partsOf(changes)('protection').includes('No protection'));
  });
}

test('the same stall again and again is one line of what happened last', (t) => {
  const stall = entry('this daemon did not run', { code: 'stalled', severity: 'warning', group: null });
  const history = [entry('first'), stall, stall, stall, entry('last'), stall];
  const parts = statusParts({ status: status(), minutes: [], history });
  const events = parts.find(({ id }) => id === 'events')?.markup ?? '';
  t.is(events.match(/<li/g)?.length, 4);
  t.regex(events, /did not run.*last.*warning.*did not run.*3 times.*first/s);
});

test('a resync has its progress and its end in sight', (t) => {
  const storage = {
    role: 'primary',
    disk: 'up-to-date',
    connection: 'connected',
    peerDisk: 'inconsistent',
    resync: { direction: 'source', percent: 37 },
    suspended: 'no',
  };
  const resync = { direction: 'source', percent: 37.4, leftKib: 3_565_158, leftS: 300 } as const;
  const disk = resource('drbd:r0', { kind: 'drbd', storage: storage as never, resync });
  const part = partsOf({ groups: [group({ resources: [disk] })] })('groups');
  t.regex(
    part,
    /resync 37 %, 3\.4 GiB left at 12 MiB\/s, about 5 min<progress max="100" value="37" aria-label="resync of r0">/,
  );
});

test('what can be done now is offered, and nothing else', (t) => {
  const offered = (changes: Partial<Status>) =>
    [...partsOf(changes)('actions').matchAll(/href="\/act\/([^"]+)"/g)].map(([, to]) => to);
  t.deepEqual(offered({}), ['handover?group=office', 'standby-on', 'maintenance-on']);
  const lost = resource('guest:mail', { quarantined: 'it did not start' });
  t.deepEqual(
    offered({
      groups: [groupAtPeer(), group({ name: 'a b', resources: [lost] })],
      self: { ...status().self, standby: true, maintenanceMs: 5 },
    }),
    ['takeover?group=office', 'handover?group=a%20b', 'retry?group=a%20b', 'standby-off', 'maintenance-off'],
  );
});

test('a sparkline has a bar for each minute in which something was heard, taller the longer the silence', (t) => {
  const { markup } = sparkline('eth1', [null, 200, 900, 4000], status().timings);
  const bars = [
    ...markup.matchAll(/<rect class="(\w+)" x="([\d.]+)" y="[\d.]+" width="0.8" height="([\d.]+)"/g),
  ];
  t.deepEqual(
    bars.map(([, tone, x]) => [tone, x]),
    [
      ['good', '1.1'],
      ['warn', '2.1'],
      ['bad', '3.1'],
    ],
  );
  const heights = bars.map(([, , , height]) => Number(height));
  t.deepEqual(
    heights,
    heights.toSorted((a, b) => a - b),
  );
  t.regex(markup, /aria-label="eth1: longest silence of the last hour 4\.0 s; deadtime is 2\.0 s"/);
  t.regex(sparkline('eth1', [null], status().timings).markup, /nothing heard in the last hour/);
});

test('the minutes of a link are those of the last hour, however long it runs', (t) => {
  const minutes = createGapMinutes();
  const minute = 60_000;
  for (let at = 0; at < 200 * minute; at += minute / 4) minutes.heard('eth1', at / 1000, at);
  minutes.heard('eth1', null, 200 * minute);
  minutes.heard('eth0', 7, 200 * minute);
  const [eth1, eth0] = minutes.view(200 * minute + 30_000);
  t.is(eth1?.longestMs.length, minutesKept);
  t.deepEqual(eth1?.longestMs.slice(-3), [11_925, 11_985, 0]);
  t.deepEqual(
    eth0?.longestMs.filter((ms) => ms !== null),
    [7],
  );
  t.deepEqual(
    minutes.view(400 * minute)[0]?.longestMs,
    Array.from({ length: minutesKept }, () => null),
  );
});

const incident = {
  ...{
    number: 3,
    kind: 'takeover',
    severity: 'alarm',
    groups: ['office'],
    outcome: 'settled',
    phases: { office: 'active' },
  },
  ...{ startedAt: '2026-03-01T03:00:20.000Z', endedAt: '2026-03-01T03:00:24.000Z', durationMs: 4000 },
  ...{
    summary: 'the peer is gone',
    outageMs: 5200,
    span: { boot: 'x', start: 0, end: 4000, lastHeardAt: null },
  },
} as const;

test('an incident is a picture: each moment in its place, a bar as long as it took', (t) => {
  const at = (atMs: number, text: string, tookMs: number | null) => ({
    ...{ atMs, text, tookMs, time: '2026-03-01T03:00:20.000Z', node: 'secondary', severity: 'info' },
    ...{ group: 'office', code: null, next: null },
  });
  const entries = [
    { ...at(-1000, 'primary is late', null), severity: 'warning' },
    at(500, 'primary says: version 0.1.0', null),
    at(2000, 'start address', 50),
    at(4000, 'start guest:mail', 2000),
  ];
  const { markup } = renderIncident({
    kind: 'said',
    value: { node: 'secondary', peer: 'primary', incident, entries } as never,
  });
  const bars = [...markup.matchAll(/<rect class="(\w+)" x="([\d.]+)" y="0.5" width="([\d.]+)"/g)].map(
    ([, kind, x, width]) => [kind, Math.round(Number(x)), Math.round(Number(width))],
  );
  t.deepEqual(bars, [
    ['instant', 0, 8],
    ['span', 585, 10],
    ['span', 595, 397],
  ]);
  t.regex(markup, /Without service<\/dt><dd>5\.2 s/);
  t.regex(markup, /-1\.000 s.*primary is late.*\+4\.000 s.*2\.0 s/s);
});

test('incidents are listed newest first; none, and a journal that cannot be read, are said', (t) => {
  const older = { ...incident, number: 2, kind: 'stall', severity: 'warning' } as const;
  const { markup } = renderIncidents({ kind: 'said', value: { incidents: [older, incident] } as never });
  t.regex(markup, /\/incidents\/3.*takeover.*\/incidents\/2.*stall/s);
  t.regex(renderIncidents({ kind: 'said', value: { incidents: [] } }).markup, /no warning and no alarm/);
  const failed = renderIncidents({
    kind: 'failed',
    code: null,
    message: 'there is no journal',
    next: 'start the daemon',
  }).markup;
  t.regex(failed, /there is no journal.*Next: start the daemon/);
});
