// The two copies of a resource as lines for a person. Pure.

import { sizeText } from '../../drivers/drbd/progress.ts';
import { formatSpan, formatTime } from '../time.ts';
import type { Choice, Copy, ResolveFacts } from './resolve-facts.ts';

const reasons: Readonly<Record<Copy['standsAlone'], string>> = {
  no: '',
  'split-brain': ': DRBD found that both were written to',
  unrelated: ': DRBD found no common past of the two',
  unexplained: ': why, DRBD did not say while the daemon listened',
};

/** Both sides, and which one is the natural one to give up; then what each of these choices would run. */
export function renderFacts(facts: ResolveFacts, choices: readonly Choice[]): readonly string[] {
  const { self, peer } = facts;
  return [
    `${facts.resource} of ${facts.group}: ${headline(facts)}`,
    `  on ${self.node} (this node):`,
    ...selfLines(facts).map((line) => `    ${line}`),
    `  on ${peer.node}${sourceOf(facts)}:`,
    ...peerLines(facts).map((line) => `    ${line}`),
    ...(facts.parted ? choiceLines(facts, choices) : []),
  ];
}

function headline({ parted, self }: ResolveFacts): string {
  if (!parted) return 'the copies are connected: there is nothing to resolve';
  return self.connection === 'standalone'
    ? 'the two copies have parted'
    : 'the two copies are not connected; DRBD still looks for its peer, and whether they have parted is not known';
}

/** Where that is from which follows: what a silent node has done since, nobody knows. */
function sourceOf({ peer, parted }: ResolveFacts): string {
  if (peer.heard) return ' (as its heartbeats say)';
  if (!parted || peer.copy === null) return '';
  return ` (not heard now; it said last, ${formatSpan(peer.copy.ageMs)} ago)`;
}

function selfLines({ parted, self, group, runsOn }: ResolveFacts): readonly string[] {
  const runs = runsOn === self.node ? ' and runs here' : '';
  return [
    ...copyLines(self, parted),
    `${group} is ${self.phase}${runs}, generation ${self.generation}`,
    ...guestLines(self),
    ...(self.discarding ? ['it is giving up what it wrote'] : []),
  ];
}

function copyLines(copy: Copy, parted: boolean): readonly string[] {
  const { role, disk, connection, standsAlone } = copy;
  const seen = `${role}, ${disk}, ${connection}${reasons[standsAlone]}`;
  return parted ? [seen, aloneText(copy), changedText(copy)] : [seen];
}

/** When it was last written to is not known: of a primary that may be now, of a secondary not after its demotion. */
function aloneText({ role, aloneSince, aloneForMs, aloneLonger }: Copy): string {
  if (aloneSince === null || aloneForMs === null) return 'not written to alone, as far as the daemon knows';
  const since = `written to alone since ${formatTime(aloneSince).slice(0, 19)}`;
  const span = formatSpan(aloneForMs);
  const cause = 'it was so when the daemon was started';
  return role === 'secondary'
    ? `${since}, ${span} ago${aloneLonger ? ` or earlier (${cause})` : ''}, until it was demoted (when is not known)`
    : `${since}, for ${span}${aloneLonger ? ` or longer (${cause})` : ''}`;
}

function changedText({ changedKib }: Copy): string {
  if (changedKib === null) return 'how much was changed since they parted is not known';
  // After a crash DRBD counts whole areas in which something may have been written.
  return `changed since they parted: ${changedKib === 0 ? 'nothing' : `at most ${sizeText(changedKib)}`}`;
}

function guestLines({ guests }: Copy): readonly string[] {
  if (guests === null)
    return ['its guests did not fit into its heartbeats; the same command there shows them'];
  return guests.map(({ name, status, upForMs }) => {
    const since = upForMs === null ? '' : ` for ${formatSpan(upForMs)}`;
    return `guest ${name}: ${status}${since}`;
  });
}

function peerLines(facts: ResolveFacts): readonly string[] {
  const { peer, group, runsOn, parted } = facts;
  const { said, heard, silentMs } = peer;
  const copy = parted ? peer.copy : null;
  const silence = silentMs === null ? 'since this daemon was started' : `for ${formatSpan(silentMs)}`;
  const before = heard || copy !== null ? [] : [`it is not heard ${silence}: what it wrote is not known`];
  if (said === null) return [...before, ...(heard ? ['it has not said anything yet'] : [])];
  const runs = runsOn === peer.node ? ' and runs there' : '';
  const counts = said.up > 0 ? `, ${said.up} of ${said.total} up` : '';
  const last = before.length === 0 ? '' : 'it said last: ';
  return [
    ...before,
    ...(copy === null ? [] : copyLines(copy, parted)),
    `${last}${group} is ${said.phase}${runs}, generation ${said.generation}${counts}`,
    ...(copy === null ? [] : guestLines(copy)),
    ...(said.discarding ? ['it is giving up what it wrote'] : []),
    ...(parted ? unsaidLines(facts, said.alone) : []),
  ];
}

/** What is not known of the peer from here, and who knows it. */
function unsaidLines({ peer, resource }: ResolveFacts, wroteAlone: boolean): readonly string[] {
  const there = `the same command there shows: battito drbd resolve ${resource}`;
  if (peer.copy !== null) return peer.heard ? [] : [`what it has written since, ${there}`];
  const alone = wroteAlone ? 'it writes, or wrote, without this copy' : 'it says that it did not write alone';
  return [alone, `how much it wrote, and since when its guests are up, ${there}`];
}

function choiceLines(facts: ResolveFacts, choices: readonly Choice[]): readonly string[] {
  const { natural, also, group, obstacle, self } = facts;
  const clear = `as things are, the natural one is ${natural.node}: ${natural.why}`;
  return [
    'One node gives up what it wrote since they parted, which is lost, and takes over what the other one has.',
    'Which one is for a person to decide:',
    `  ${natural.node === null ? `it is not clear from here: ${natural.why}` : clear}`,
    ...(also.length === 0 ? [] : [`  ${group} also has ${also.join(', ')}, which shares that fate`]),
    ...choices.flatMap((choice) => [
      `To give up what ${choice.node} wrote, on ${choice.node}: ${choice.command}`,
      ...(choice.node === self.node && obstacle !== null
        ? [`  refused now: ${obstacle.message}; ${obstacle.next}`]
        : []),
      ...stepLines(choice),
    ]),
  ];
}

/** The commands of DRBD that the two daemons run, in their order. */
function stepLines({ steps }: Choice): readonly string[] {
  return steps.map(
    ({ node, command, onlyWhere }, index) =>
      `  ${index + 1}. on ${node}: ${command}${onlyWhere === null ? '' : `   # ${onlyWhere}`}`,
  );
}
