// Explores every interleaving of the small world, breadth first, up to a bound: the real core, every order of packets,
// writes, operations, faults and mends. In every state no guest may run twice, nothing may begin before its generation
// is on disk, and the core may not throw. Time is in ticks of 100 ms (keepalive 1, warntime 2, deadtime 4), since only
// a few moments matter: late, freeze, dead, takeover.

import { canonical, digest, type Origin, runOf } from './canonical.ts';
import { movesOf } from './small-moves.ts';
import { both, firstWorld, type Index, type Rules, type World } from './small-world.ts';

export interface Exploration {
  readonly name: string;
  readonly what: string;
  readonly rules: Rules;
}

export interface Bound {
  readonly states: number;
  readonly wallMs: number;
}

export interface Explored {
  readonly name: string;
  readonly states: number;
  readonly moves: number;
  /** Longest chain of moves from the settled pair. */
  readonly depth: number;
  /** Was every state reached, or did the bound come first? */
  readonly isComplete: boolean;
  readonly wallMs: number;
  /** What was broken, and the moves that lead there. */
  readonly broken: { readonly message: string; readonly moves: readonly string[] } | null;
}

const evidence: Rules = {
  hasDevice: false,
  faultKinds: ['power-loss', 'kill', 'isolate', 'cut-link'],
  faults: 1,
  requests: 0,
  failures: 0,
  starts: 2,
  delay: 0,
};

const device: Rules = { ...evidence, hasDevice: true, faultKinds: ['partition'], starts: 1 };

/** Those of the suite are seen through to their end in less than a minute; the bigger ones go as far as they get. */
export const explorations: readonly (Exploration & { readonly isBigger: boolean })[] = [
  {
    name: 'evidence',
    what: 'no fencing; a loss of power, a dead daemon, a host cut off or a cut link, and its end, at any moment',
    rules: evidence,
    isBigger: false,
  },
  {
    name: 'device',
    what: 'a fencing device; a partition and its end at any moment, and one start of whoever was powered off',
    rules: device,
    isBigger: false,
  },
  {
    name: 'evidence and a person',
    what: 'the same, one request to take over at any moment, and packets that take up to a tick',
    rules: { ...evidence, requests: 1, delay: 1 },
    isBigger: true,
  },
  {
    name: 'device and more',
    what: 'a fencing device that fails once; any two faults and their ends at any moments',
    rules: {
      ...device,
      faultKinds: ['power-loss', 'kill', 'isolate', 'partition'],
      faults: 2,
      failures: 1,
      starts: 2,
    },
    isBigger: true,
  },
];

interface Visit {
  readonly world: World;
  readonly label: string;
  readonly from: Visit | null;
  readonly depth: number;
}

function keyOf(world: World): string {
  const { nodes, now } = world;
  const generations = nodes.flatMap(({ ledger }) => ledger.groups.map(({ generation }) => generation));
  const generation = Math.min(...generations.filter((one) => one > 0), Number.MAX_SAFE_INTEGER);
  const runs = both.map((index) => runOf(nodes[index].state, nodes[index].incarnation));
  const originOf = (index: Index): Origin => {
    const [first, second] = index === 0 ? runs : runs.toReversed();
    if (first === undefined || second === undefined) throw new Error('two nodes');
    return { now, own: first, peer: second, generation };
  };
  const texts = both.map((index) => {
    const { incarnation: _incarnation, fencing, ...rest } = nodes[index];
    return canonical({ ...rest, fenceAge: fencing?.age }, originOf(index));
  });
  const flights = world.flights
    .map(({ to, incarnation, sequence, echo, content, age }) => {
      const sender = originOf(to === 0 ? 1 : 0);
      const isPresent = incarnation === sender.own.incarnation;
      const said = isPresent ? canonical({ echo: null, groups: content.groups }, sender) : 'old';
      const echoed =
        echo === null
          ? '-'
          : `${echo.incarnation - sender.peer.incarnation}:${echo.sequence - sender.peer.sequence}`;
      return `${to}/${isPresent ? sequence - sender.own.sequence : 'old'}/${echoed}/${age}/${content.leaving}/${said}`;
    })
    .toSorted();
  const { linkCut, partitioned, faults, requests, failures, starts } = world;
  const flags = [linkCut, partitioned, faults, requests, failures, starts].join();
  return digest([...texts, ...flights, flags].join('\n'));
}

/** The pair at rest, without a fault: from there everything begins. */
function settled(rules: Rules): World {
  let world = firstWorld({ ...rules, faults: 0, requests: 0, starts: 0 });
  for (let count = 0; count < 500; count += 1) {
    const [next] = movesOf(world, rules);
    if (next === undefined) break;
    world = next.next;
  }
  const { faults, requests, starts } = rules;
  return { ...world, faults, requests, starts };
}

function pathTo(visit: Visit): readonly string[] {
  const labels: string[] = [];
  for (let at: Visit | null = visit; at !== null; at = at.from) labels.push(at.label);
  return labels.reverse().slice(1);
}

/** `clock`: milliseconds, of any origin. */
export function explore({ name, rules }: Exploration, bound: Bound, clock: () => number): Explored {
  const from = clock();
  const first: Visit = { world: settled(rules), label: 'at rest', from: null, depth: 0 };
  const seen = new Set([keyOf(first.world)]);
  let frontier: Visit[] = [first];
  let moves = 0;
  let depth = 0;
  const result = (isComplete: boolean, broken: Explored['broken']): Explored => ({
    name,
    states: seen.size,
    moves,
    depth,
    isComplete,
    wallMs: clock() - from,
    broken,
  });
  while (frontier.length > 0) {
    const following: Visit[] = [];
    for (const visit of frontier) {
      for (const { label, next } of movesOf(visit.world, rules)) {
        moves += 1;
        const reached: Visit = { world: next, label, from: visit, depth: visit.depth + 1 };
        if (next.broken !== null) return result(false, { message: next.broken, moves: pathTo(reached) });
        const key = keyOf(next);
        if (seen.has(key)) continue;
        seen.add(key);
        following.push(reached);
      }
      if (seen.size >= bound.states || clock() - from >= bound.wallMs) return result(false, null);
    }
    frontier = following;
    depth += 1;
  }
  return result(true, null);
}
