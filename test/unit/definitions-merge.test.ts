// Which version of a guest's definition is in use, and what is a conflict: by hand, and for any history of edits,
// exchanges and decisions on two nodes.

import test from 'ava';
import fc from 'fast-check';
import { contentDigest, identityOf } from '../../daemon/runtime/definitions/content.ts';
import {
  branchesOf,
  chooseInUse,
  type DefinitionRecord,
  emptyRecord,
  headsOf,
  historyMax,
  isWithin,
  sideOf,
  versionOf,
  withDecision,
  withEdit,
  withVersions,
} from '../../daemon/runtime/definitions/merge.ts';
import { domain, uuidOf } from './support/definitions.ts';

const takenAt = '2026-03-01T03:12:44.081Z';
const uuid = uuidOf('mail');

function edited(record: DefinitionRecord, node: string, memory: number | null, group = 'office') {
  const xml = memory === null ? null : domain('mail', memory);
  const content = xml === null ? null : contentDigest(xml);
  return withEdit(record, { name: 'mail', group, node, takenAt, xml, content });
}

/** What `to` knows once `from` has told it everything. */
const told = (to: DefinitionRecord, from: DefinitionRecord): DefinitionRecord =>
  withVersions({ ...to, peerLocal: from.local, peerHeads: headsOf(from).map(({ id }) => id) }, from.versions);

const memoryOf = (xml: string | null | undefined) => Number(/<memory unit='MiB'>(\d+)/.exec(xml ?? '')?.[1]);
const idsOf = (record: DefinitionRecord) => headsOf(record).map(({ id }) => id);

const choiceOf = (record: DefinitionRecord) => chooseInUse({ ...record, settled: null }, null)?.version.id;

const memoriesOf = (record: DefinitionRecord) =>
  branchesOf(record)
    .map(({ xml }) => memoryOf(xml))
    .sort();

test('What says the same is the same, however it is written', (t) => {
  const plain = domain('mail', 1024);
  const other = plain
    .replaceAll("'", '"')
    .replaceAll(/\n\s*/g, ' ')
    .replace('<domain type="kvm">', '<?xml version="1.0"?><!-- edited --><domain id="7"  type="kvm" >')
    .replace('unit="MiB"', ' unit = "MiB" ')
    .replace('<vcpu placement="static">2</vcpu>', '<vcpu placement="static"> 2 </vcpu>')
    .replace('port="-1" autoport="yes"', 'autoport="yes" port="-1"')
    .replace('bus="virtio"/>', 'bus="virtio"></target><alias name="virtio-disk0"/>');
  t.not(other, plain);
  t.is(contentDigest(other), contentDigest(plain));
});

const label = (text: string) => `<seclabel type='dynamic'><label>${text}</label></seclabel>`;
for (const [what, one, two, same] of [
  ["libvirt's alias", '<input/>', "<input><alias name='input0'/></input>", true],
  ["a person's alias", "<input><alias name='ua-a'/></input>", "<input><alias name='ua-b'/></input>", false],
  ['a made-up label', label('a'), label('b'), true],
  ['a chosen label', label('a').replace('dynamic', 'static'), label('b').replace('dynamic', 'static'), false],
  ["the host's end of a card", "<target dev='vnet3'/>", "<target dev='vnet4'/>", true],
  ["a bridge's own name", "<target dev='lan3'/>", "<target dev='lan4'/>", false],
  ['the order of devices', '<a/><b/>', '<b/><a/>', false],
  ['a text', '<boot>1</boot>', '<boot>2</boot>', false],
] as const) {
  test(`${what}: ${same ? 'no difference' : 'a difference'}`, (t) => {
    const digests = [one, two].map((more) => contentDigest(domain('mail', 1, { more })));
    t.is(digests[0] === digests[1], same);
  });
}

test('Whose definition it is; and what is none', (t) => {
  t.deepEqual(identityOf(domain('mail', 1)), { name: 'mail', uuid });
  const refused = (xml: string) => {
    const identity = identityOf(xml);
    return 'error' in identity ? identity.error : null;
  };
  t.regex(refused('<domain><name>') ?? '', /line 1, column 1: /);
  t.regex(refused('<network/>') ?? '', /root is not <domain>/);
  t.regex(refused('') ?? '', /./);
  t.regex(refused('<domain><name>a/b</name></domain>') ?? '', /no <name>/);
  t.regex(refused('<domain><name>a</name><uuid>1</uuid></domain>') ?? '', /no <uuid>/);
  t.regex(refused(`<!DOCTYPE a [<!ENTITY x "y">]>${domain('mail', 1)}`) ?? '', /document type declaration/);
});

test('What is made from what the peer has replaces it; unchanged, nothing happens', (t) => {
  const first = edited(emptyRecord(uuid), 'primary', 1);
  t.is(edited(first, 'primary', 1), first);
  const peer = told(emptyRecord(uuid), first);
  const second = edited(first, 'primary', 2);
  const known = told(peer, second);
  t.deepEqual(memoriesOf(known), [2]);
  t.is(memoryOf(chooseInUse(known, null)?.version.xml), 2);
  t.is(known.local, null, 'what is stored is not defined');
});

test('A stale definition that is only looked at again is no edit', (t) => {
  const first = edited(emptyRecord(uuid), 'primary', 1);
  const peer = edited(told(emptyRecord(uuid), first), 'secondary', 1);
  const behind = told(peer, edited(first, 'primary', 2));
  t.is(edited(behind, 'secondary', 1), behind);
  t.deepEqual(memoriesOf(behind), [2]);
});

test('Edited on both is a conflict: both stay, and the active node decides what is in use', (t) => {
  const first = edited(emptyRecord(uuid), 'primary', 1);
  const [ours, theirs] = [
    edited(first, 'primary', 2),
    edited(edited(told(emptyRecord(uuid), first), 'secondary', 1), 'secondary', 3),
  ];
  const primary = told(ours, theirs);
  const secondary = told(theirs, ours);
  t.deepEqual(memoriesOf(primary), [2, 3]);
  t.deepEqual(headsOf(primary), headsOf(secondary));
  for (const [active, memory] of [
    [{ node: 'primary', local: ours.local }, 2],
    [{ node: 'secondary', local: theirs.local }, 3],
  ] as const) {
    for (const record of [primary, secondary]) {
      const choice = chooseInUse({ ...record, settled: null }, active);
      t.is(memoryOf(choice?.version.xml), memory);
      t.is(choice?.why, 'settled');
    }
  }
  t.is(chooseInUse(primary, null)?.why, 'arbitrary');
  t.is(chooseInUse(primary, null)?.version.id, chooseInUse(secondary, null)?.version.id);
});

test('What was in use in a conflict stays so when the other node becomes active', (t) => {
  const first = edited(emptyRecord(uuid), 'primary', 1);
  const ours = edited(first, 'primary', 2);
  const theirs = edited(edited(told(emptyRecord(uuid), first), 'secondary', 1), 'secondary', 3);
  const settled = { ...told(theirs, ours), settled: ours.local };
  const choice = chooseInUse(settled, { node: 'secondary', local: theirs.local });
  t.is(memoryOf(choice?.version.xml), 2);
  t.is(
    memoryOf(
      sideOf(
        settled,
        { node: 'secondary', local: theirs.local, heads: headsOf(settled).map(({ id }) => id) },
        null,
      )?.xml,
    ),
    3,
  );
});

test('A decision ends a conflict on both nodes, for either side', (t) => {
  const ours = edited(emptyRecord(uuid), 'primary', 2);
  const theirs = edited(emptyRecord(uuid), 'secondary', 3);
  const [primary, secondary] = [told(ours, theirs), told(theirs, ours)];
  for (const chosen of branchesOf(primary)) {
    const decided = withDecision(primary, chosen, { node: 'primary', takenAt });
    t.is(branchesOf(decided).length, 1);
    t.is(branchesOf(told(secondary, decided))[0]?.content, chosen.content);
    t.is(withDecision(decided, chosen, { node: 'primary', takenAt }), decided);
    const isOurs = chosen.content === versionOf(ours, ours.local)?.content;
    t.is(decided.local === ours.local, !isOurs, 'what libvirt has is not made up');
  }
});

test('The same edit on both nodes is no conflict, and none comes of it later', (t) => {
  const ours = edited(emptyRecord(uuid), 'primary', 1);
  const theirs = withEdit(emptyRecord(uuid), {
    ...{ name: 'mail', group: 'office', node: 'secondary', takenAt },
    xml: `<!-- by hand -->${domain('mail', 1)}`,
    content: contentDigest(domain('mail', 1)),
  });
  const primary = told(ours, theirs);
  t.is(headsOf(primary).length, 2);
  t.deepEqual(memoriesOf(primary), [1]);
  t.deepEqual(memoriesOf(told(told(theirs, ours), edited(primary, 'primary', 2))), [2]);
});

test('A group that changed is a new version, and so is a removal; a removed guest may come back', (t) => {
  const first = edited(emptyRecord(uuid), 'primary', 1);
  t.is(headsOf(edited(first, 'primary', 1, 'web'))[0]?.group, 'web');
  const gone = edited(first, 'primary', null);
  t.is(headsOf(told(first, gone))[0]?.textDigest, null);
  t.deepEqual(memoriesOf(edited(gone, 'primary', 1)), [1]);
});

test('Ten texts are kept, and what is older is still known to be older', (t) => {
  const first = edited(emptyRecord(uuid), 'primary', 1);
  let record = first;
  for (let memory = 2; memory <= 40; memory++) record = edited(record, 'primary', memory);
  t.is(record.versions.filter(({ xml }) => xml !== null).length, historyMax);
  const [head] = headsOf(record);
  t.true(head !== undefined && first.local !== null && isWithin(record, first.local, head));
  t.deepEqual(memoriesOf(told(first, record)), [40]);
});

const doings = fc.oneof(
  fc.record({ kind: fc.constant('edit' as const), side: fc.nat(1), memory: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ kind: fc.constant('tell' as const), side: fc.nat(1) }),
  fc.record({ kind: fc.constant('keep' as const), side: fc.nat(1), which: fc.nat(3) }),
  fc.record({ kind: fc.constant('adopt' as const), side: fc.nat(1) }),
);

test('Whatever is edited where and told when: both nodes come to the same, and nothing is lost unseen', (t) => {
  const names = ['primary', 'secondary'];
  fc.assert(
    fc.property(fc.array(doings, { maxLength: 25 }), (history) => {
      const nodes = [emptyRecord(uuid), emptyRecord(uuid)] as [DefinitionRecord, DefinitionRecord];
      const at = (side: number) => nodes[side === 0 ? 0 : 1];
      const put = (side: number, record: DefinitionRecord) => {
        nodes[side === 0 ? 0 : 1] = record;
      };
      for (const doing of history) {
        const { side } = doing;
        const record = at(side);
        const before = branchesOf(record);
        if (doing.kind === 'edit') put(side, edited(record, names[side] ?? '', doing.memory));
        if (doing.kind === 'tell') put(side, told(record, at(1 - side)));
        const chosen = before[doing.kind === 'keep' ? doing.which : 0];
        if (doing.kind === 'keep' && chosen !== undefined)
          put(side, withDecision(record, chosen, { node: names[side] ?? '', takenAt }));
        if (doing.kind === 'adopt' && chosen !== undefined) put(side, { ...record, local: chosen.id });
        // But by a decision, no branch ends that nothing was made from.
        const after = at(side);
        if (doing.kind === 'keep') continue;
        for (const { id } of before) t.true(headsOf(after).some((head) => isWithin(after, id, head)));
      }
      const [primary, secondary] = [told(nodes[0], nodes[1]), told(nodes[1], nodes[0])];
      t.deepEqual(idsOf(primary), idsOf(secondary));
      t.is(choiceOf(primary), choiceOf(secondary));
      const [first] = branchesOf(primary);
      if (first === undefined) return;
      const decided = withDecision(primary, first, { node: 'primary', takenAt });
      t.deepEqual(idsOf(told(secondary, decided)), idsOf(decided));
      t.is(branchesOf(decided).length, 1);
    }),
    { numRuns: 200 },
  );
});
