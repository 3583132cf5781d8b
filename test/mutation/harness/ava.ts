// Takes the place of ava in the mutated bundle: collects tests, so that they can be run in-process, in any order and
// again and again. The first failed assertion throws. What it does not know throws too, on the unmutated core
// already, so that no test is passed over in silence.

import { isDeepStrictEqual } from 'node:util';
import type { Killer } from '../killer.ts';

type Thrown = { readonly [key: string]: unknown };
type Expected = {
  readonly instanceOf?: abstract new (...args: never[]) => unknown;
  readonly message?: string | RegExp | ((message: string) => boolean);
  readonly code?: unknown;
  readonly name?: unknown;
  readonly is?: unknown;
  readonly any?: boolean;
};
type Implementation = (t: unknown, ...given: readonly unknown[]) => unknown;
interface Macro {
  readonly exec: Implementation;
  readonly title?: (given: string | undefined, ...args: readonly unknown[]) => string;
}

export const collected: Killer[] = [];

/** What each snapshot was on the unmutated core; ava itself holds that against the recorded one. */
const snapshots = new Map<string, unknown>();

function check(holds: boolean, what: string): true {
  if (!holds) throw new Error(what);
  return true;
}

function matches(actual: unknown, selector: unknown): boolean {
  if (typeof selector !== 'object' || selector === null) return isDeepStrictEqual(actual, selector);
  if (typeof actual !== 'object' || actual === null) return false;
  return Object.entries(selector).every(([key, value]) => matches((actual as Thrown)[key], value));
}

function expectThrown(thrown: unknown, expected: Expected = {}): unknown {
  check(expected.any === true || thrown instanceof Error, 'what was thrown is no error');
  const { instanceOf, message } = expected;
  check(instanceOf === undefined || thrown instanceof instanceOf, 'an error of another class');
  for (const key of ['code', 'name'] as const)
    check(!(key in expected) || (thrown as Thrown)[key] === expected[key], `an error of another ${key}`);
  check(!('is' in expected) || thrown === expected.is, 'another error');
  const said = String((thrown as Thrown | null)?.['message']);
  if (typeof message === 'string') check(said === message, 'another message');
  if (message instanceof RegExp) check(message.test(said), 'another message');
  if (typeof message === 'function') check(message(said), 'another message');
  return thrown;
}

function throws(act: () => unknown, expected?: Expected): unknown {
  try {
    act();
  } catch (error) {
    return expectThrown(error, expected);
  }
  throw new Error('it did not throw');
}

async function throwsAsync(act: Promise<unknown> | (() => Promise<unknown>), expected?: Expected) {
  try {
    await (typeof act === 'function' ? act() : act);
  } catch (error) {
    return expectThrown(error, expected);
  }
  throw new Error('it did not reject');
}

/** The `t` of one run of one test. */
function createContext(title: string) {
  const teardowns: Array<() => unknown> = [];
  let snapshotCount = 0;
  const t = {
    title,
    context: {},
    teardown: (act: () => unknown) => void teardowns.push(act),
    log: () => {},
    timeout: () => {},
    pass: () => true,
    fail: (why = 'failed') => check(false, why),
    is: (a: unknown, b: unknown) => check(Object.is(a, b), 'is'),
    not: (a: unknown, b: unknown) => check(!Object.is(a, b), 'not'),
    true: (a: unknown) => check(a === true, 'true'),
    false: (a: unknown) => check(a === false, 'false'),
    truthy: (a: unknown) => check(Boolean(a), 'truthy'),
    falsy: (a: unknown) => check(!a, 'falsy'),
    assert: (a: unknown) => check(Boolean(a), 'assert'),
    deepEqual: (a: unknown, b: unknown) => check(isDeepStrictEqual(a, b), 'deepEqual'),
    notDeepEqual: (a: unknown, b: unknown) => check(!isDeepStrictEqual(a, b), 'notDeepEqual'),
    like: (a: unknown, b: unknown) => check(matches(a, b), 'like'),
    regex: (text: string, pattern: RegExp) => check(text.search(pattern) >= 0, 'regex'),
    notRegex: (text: string, pattern: RegExp) => check(text.search(pattern) < 0, 'notRegex'),
    throws,
    throwsAsync,
    notThrows: (act: () => unknown) => void act(),
    notThrowsAsync: async (act: Promise<unknown> | (() => Promise<unknown>)) =>
      void (await (typeof act === 'function' ? act() : act)),
    snapshot(value: unknown) {
      snapshotCount += 1;
      const key = `${title} ${snapshotCount}`;
      if (!snapshots.has(key)) snapshots.set(key, structuredClone(value));
      check(isDeepStrictEqual(value, snapshots.get(key)), 'snapshot');
    },
  };
  return { t, teardowns };
}

/** Synchronous tests stay so: a million microtasks are not free. */
function runTest(name: string, exec: Implementation, given: readonly unknown[]): void | Promise<void> {
  const { t, teardowns } = createContext(name);
  const known = new Proxy(t, {
    get(target, key) {
      if (!(key in target)) throw new Error(`the mutation harness has no t.${String(key)}`);
      return target[key as keyof typeof target];
    },
  });
  const finish = () => {
    for (const teardown of teardowns.toReversed()) void teardown();
  };
  let result: unknown;
  try {
    result = exec(known, ...given);
  } catch (error) {
    finish();
    throw error;
  }
  if (result instanceof Promise) return result.then(() => {}).finally(finish);
  finish();
}

/** The values of the snapshots, for an evaluation of the bundle that starts with a mutant in force. */
export function exchangeSnapshots(known: ReadonlyMap<string, unknown>): ReadonlyMap<string, unknown> {
  for (const [key, value] of known) snapshots.set(key, value);
  return snapshots;
}

/** The `test` function for one test file. */
export function createTest(file: string) {
  const add = (...given: readonly unknown[]) => {
    const [first, ...rest] = given;
    const [title, subject, args] =
      typeof first === 'string' ? [first, rest[0], rest.slice(1)] : [undefined, first, rest];
    const macro = (typeof subject === 'function' ? { exec: subject } : subject) as Macro;
    const name = `${file}: ${macro.title?.(title, ...args) ?? title ?? 'untitled'}`;
    collected.push({ name, run: () => runTest(name, macro.exec, args) });
  };
  const never = () => {};
  const macro = (made: Implementation | Macro) => (typeof made === 'function' ? { exec: made } : made);
  return Object.assign(add, { serial: add, macro, skip: never, todo: never });
}
