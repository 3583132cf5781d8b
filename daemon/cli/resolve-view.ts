// The two copies of a resource as lines for a person. Pure.

import { sizeText } from '../drivers/drbd/progress.ts';
import type { Choice, ResolveFacts } from './resolve-facts.ts';
import { formatSpan, formatTime } from './time.ts';

const reasons: Readonly<Record<ResolveFacts['self']['standsAlone'], string>> = {
  no: '',
  'split-brain': ': DRBD found that both were written to',
  unrelated: ': DRBD found no common past of the two',
  unexplained: ': why, DRBD did not say while this daemon listened',
};

/** Both sides, and which one is the natural one to give up; then what each of these choices would run. */
export function renderFacts(facts: ResolveFacts, choices: readonly Choice[]): readonly string[] {
  const { self, peer } = facts;
  return [
    `${facts.resource} of ${facts.group}: ${headline(facts)}`,
    `  on ${self.node} (this node):`,
    ...selfLines(facts).map((line) => `    ${line}`),
    `  on ${peer.node}${peer.heard ? ' (as its heartbeats say)' : ''}:`,
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

function selfLines({ parted, self, group, runsOn }: ResolveFacts): readonly string[] {
  const { role, disk, connection, standsAlone, guests } = self;
  const seen = `${role}, ${disk}, ${connection}${reasons[standsAlone]}`;
  const runs = runsOn === self.node ? ' and runs here' : '';
  return [
    seen,
    ...(parted ? [aloneText(self), changedText(self)] : []),
    `${group} is ${self.phase}${runs}, generation ${self.generation}`,
    ...guests.map(({ name, status, upForMs }) => {
      const since = upForMs === null ? '' : ` for ${formatSpan(upForMs)}`;
      return `guest ${name}: ${status}${since}`;
    }),
    ...(self.discarding ? ['it is giving up what it wrote'] : []),
  ];
}

function aloneText({ aloneSince, aloneForMs, aloneLonger }: ResolveFacts['self']): string {
  if (aloneSince === null || aloneForMs === null) return 'not written to alone, as far as this daemon knows';
  const longer = aloneLonger ? ' or longer: it was so when this daemon was started' : '';
  return `written to alone since ${formatTime(aloneSince).slice(0, 19)}, for ${formatSpan(aloneForMs)}${longer}`;
}

function changedText({ changedKib }: ResolveFacts['self']): string {
  if (changedKib === null) return 'how much was changed since they parted is not known';
  // After a crash DRBD counts whole areas in which something may have been written.
  return `changed since they parted: ${changedKib === 0 ? 'nothing' : `at most ${sizeText(changedKib)}`}`;
}

function peerLines({ peer, group, runsOn, parted, resource }: ResolveFacts): readonly string[] {
  const { said, heard, silentMs } = peer;
  const silence = silentMs === null ? 'since this daemon was started' : `for ${formatSpan(silentMs)}`;
  const before = heard ? [] : [`it is not heard ${silence}: what it wrote is not known`];
  if (said === null) return [...before, ...(heard ? ['it has not said anything yet'] : [])];
  const runs = runsOn === peer.node ? ' and runs there' : '';
  const counts = said.up > 0 ? `, ${said.up} of ${said.total} up` : '';
  const alone = said.alone ? 'it writes, or wrote, without this copy' : 'it says that it did not write alone';
  return [
    ...before,
    `${heard ? '' : 'it said last: '}${group} is ${said.phase}${runs}, generation ${said.generation}${counts}`,
    ...(parted ? [alone] : []),
    ...(said.discarding ? ['it is giving up what it wrote'] : []),
    ...(parted ? [`how much it wrote, the same command there shows: battito drbd resolve ${resource}`] : []),
  ];
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
