// What libvirt says that its domains are: one question for all who want to know at the time.
// Guarantees: an answer is never older than the wish for it, so nothing that was done before is missed; a domain is said
// not to be there only by an answer that is whole. Where all cannot be told of at once, since one domain holds libvirt up
// or this libvirt does not know the question, each is asked for by itself for a while.

import {
  type AllStates,
  type DomainState,
  describeState,
  parseAllStates,
  parseDomainState,
} from './state.ts';
import { domainOption, type VirshCall, type VirshFailure, type VirshResult } from './virsh.ts';

/** `state` null: libvirt said something else, which is in `said`. `uuid`: where libvirt told it in passing. */
export type StateAnswer =
  | {
      readonly kind: 'done';
      readonly state: DomainState | null;
      readonly said: string;
      readonly uuid: string | null;
    }
  | VirshFailure;

type Round = ({ readonly kind: 'done' } & AllStates) | VirshFailure;
type Ask = (args: readonly string[], wish: Partial<VirshCall>) => Promise<VirshResult>;

/**
 * Both in one process. The states last: virsh goes on after a command that failed, and ends as its last one does. The
 * domains are listed before, so that one whose state is not told is not taken for one that is not there.
 */
const question = ['list --all --uuid --name; domstats --state --raw'];
/** Those who want to know at the same moment, give or take this, are told together. */
const gatherMs = 10;
/** After all could not be told of at once. */
const apartMs = 60_000;

/** The state of one domain, by a question of its own. */
export async function askState(ask: Ask, name: string, wish: Partial<VirshCall>): Promise<StateAnswer> {
  const answer = await ask(['domstate', domainOption(name), '--reason'], wish);
  if (answer.kind === 'failed') return answer;
  const said = answer.stdout.trim();
  return { kind: 'done', state: parseDomainState(said) ?? null, said, uuid: null };
}

/** Resolves to the state of one domain, as it was after the call at the earliest. */
export function createRounds(ask: Ask): (name: string, wish: Partial<VirshCall>) => Promise<StateAnswer> {
  let underWay: Promise<unknown> = Promise.resolve();
  /** Not begun yet: whoever comes now is told by it. */
  let next: Promise<Round> | undefined;
  let apartUntilMs = Number.NEGATIVE_INFINITY;

  function round(): Promise<Round> {
    next ??= (async () => {
      await Promise.all([underWay, new Promise((resolve) => setTimeout(resolve, gatherMs))]);
      next = undefined;
      const asked = ask(question, {});
      underWay = asked;
      const answer = await asked;
      return answer.kind === 'failed' ? answer : { kind: 'done', ...parseAllStates(answer.stdout) };
    })();
    return next;
  }

  async function apart(name: string, wish: Partial<VirshCall>): Promise<StateAnswer> {
    const answer = await askState(ask, name, wish);
    // Of one that tells nobody anything it is not known which question it would answer.
    const answers = answer.kind === 'done' || answer.code === 'libvirt-no-domain';
    if (answers && performance.now() >= apartUntilMs) apartUntilMs = performance.now() + apartMs;
    return answer;
  }

  return async (name, wish) => {
    if (performance.now() < apartUntilMs) return await askState(ask, name, wish);
    const answer = await unlessAborted(round(), wish.signal);
    if (answer.kind === 'done') {
      const state = answer.states.get(name);
      const uuid = answer.uuids.get(name) ?? null;
      if (state != null) return { kind: 'done', state, said: describeState(state), uuid };
      if (state === null || uuid !== null) return await askState(ask, name, wish);
      return { kind: 'failed', code: 'libvirt-no-domain', message: `libvirt has no domain ${name}` };
    }
    const mayTellOfOne = answer.code === 'libvirt-silent' || answer.code === 'libvirt-refused';
    return mayTellOfOne ? await apart(name, wish) : answer;
  };
}

const aborted: VirshFailure = { kind: 'failed', code: 'libvirt-aborted', message: 'aborted' };

/** The others wait on. */
async function unlessAborted(round: Promise<Round>, signal: AbortSignal | undefined): Promise<Round> {
  if (signal === undefined) return await round;
  if (signal.aborted) return aborted;
  const { promise, resolve } = Promise.withResolvers<Round>();
  const onAbort = () => resolve(aborted);
  signal.addEventListener('abort', onAbort, { once: true });
  const answer = await Promise.race([round, promise]);
  signal.removeEventListener('abort', onAbort);
  return answer;
}
