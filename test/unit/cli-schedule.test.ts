// battito schedule against a scripted daemon: what is shown, what is waited for, and what is said of each end.

import test, { type ExecutionContext } from 'ava';
import type { Status } from '../../daemon/control/api.ts';
import type { RunTaskAnswer, TaskRun, TaskView } from '../../daemon/control/schedule.ts';
import { exitCodes } from '../../daemon/errors.ts';
import { serve } from './fixtures/cli/server.ts';
import { status } from './fixtures/cli/statuses.ts';
import { type RunOptions, run } from './fixtures/cli/terminal.ts';

const at = '2026-03-01T03:00:00.000Z';
const done: TaskRun = {
  ...{ at, tookMs: 4200, result: 'done', message: 'r0: both copies are the same', next: null },
  ...{ code: null, severity: 'info' },
};
const view = (name: TaskView['name'], changes: Partial<TaskView> = {}): TaskView => ({
  ...{ name, schedule: '0 1 * * 6', next: '2026-03-07T00:00:00.000Z', running: null, last: null, made: null },
  ...changes,
});
const seen = (...schedule: TaskView[]) => status({ schedule });

async function battito(
  t: ExecutionContext,
  words: readonly string[],
  { statuses, answer }: { readonly statuses: readonly Status[]; readonly answer?: RunTaskAnswer },
  options: RunOptions = {},
) {
  const asked: unknown[] = [];
  let looks = 0;
  const socketPath = await serve(t, (request, response) => {
    const send = (code: number, body: unknown) => {
      response.writeHead(code, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    if (request.method === 'GET') return send(200, statuses[Math.min(looks++, statuses.length - 1)]);
    let body = '';
    request.setEncoding('utf8').on('data', (part: string) => {
      body += part;
    });
    request.on('end', () => {
      asked.push(`${request.url} ${body}`);
      send(answer?.kind === 'begun' ? 200 : 409, answer);
    });
  });
  return { ...(await run(['schedule', ...words, '--socket', socketPath], options)), asked };
}

test('each with its next time, what was made last, and what came of the last time', async (t) => {
  const leftOut = { ...done, at: '2026-03-08T01:00:00.000Z', tookMs: null, result: 'left-out' } as const;
  const now = { at, forMs: 65_000, progress: 'r0, 1 of 2' };
  const { stdout, exitCode } = await battito(t, [], {
    statuses: [
      seen(
        view('readiness'),
        view('verify', { made: done, last: { ...leftOut, message: 'office is not settled', next: 'wait' } }),
        view('drill', { running: now }),
        view('prune', { schedule: null, next: null }),
      ),
    ],
  });
  t.is(exitCode, exitCodes.ok);
  const time = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d`;
  t.regex(stdout, new RegExp(`^readiness    next ${time}   \\(0 1 \\* \\* 6\\)\n +not yet\n`));
  t.regex(stdout, new RegExp(`\nverify       next .*\n +${time}  done, took 4\\.2 s: r0: both`));
  t.regex(stdout, new RegExp(`\n +${time}  left out: office is not settled\n +next: wait\n`));
  t.regex(stdout, /\ndrill +next .*\n +under way for 1 min, r0, 1 of 2\n/);
  t.regex(stdout, /\nprune +off\n/);
  const json = await battito(t, ['list', '--json'], { statuses: [seen(view('prune'))] });
  t.like(JSON.parse(json.stdout), { schedule: [{ name: 'prune' }], readiness: null });
});

test('run waits for its end, with each step; a failure has what to do next', async (t) => {
  const going = (progress: string) => seen(view('verify', { running: { at, forMs: 5, progress } }));
  const answer = { kind: 'begun', at } as const;
  const steps = [going('r0, 1 of 2'), going('r0, 1 of 2'), going('r1, 2 of 2')];
  const good = await battito(t, ['run', 'verify'], {
    ...{ answer, statuses: [...steps, seen(view('verify', { last: done, made: done }))] },
  });
  t.is(good.exitCode, exitCodes.ok, good.stderr);
  t.deepEqual(good.asked, ['/v1/schedule/run {"task":"verify"}']);
  t.is(
    good.stdout,
    'verify: r0, 1 of 2\nverify: r1, 2 of 2\nverify: done after 4.2 s: r0: both copies are the same\n',
  );
  const failed: TaskRun = { ...done, result: 'failed', message: 'the two copies differ', next: 'look' };
  const bad = await battito(t, ['run', 'verify'], {
    ...{ answer, statuses: [seen(view('verify', { last: failed, made: failed }))] },
  });
  t.is(bad.exitCode, exitCodes.failed);
  t.is(bad.stderr, 'battito: verify failed after 4.2 s: the two copies differ\nnext: look\n');
  const gave = await battito(t, ['run', 'verify', '--json'], {
    ...{ answer, statuses: [seen(view('verify', { last: { ...failed, result: 'interrupted' } }))] },
  });
  t.is(gave.exitCode, exitCodes.failed);
  t.like(JSON.parse(gave.stdout), {
    task: 'verify',
    result: 'interrupted',
    message: 'the two copies differ',
  });
});

test('run: refused with the reason, not waited for, lost with its daemon, left to it by an interrupt', async (t) => {
  const message = 'left to secondary, which writes to the disks';
  const refused = await battito(t, ['run', 'verify'], {
    ...{
      statuses: [],
      answer: { kind: 'refused', message, next: 'on secondary: battito schedule run verify' },
    },
  });
  t.is(refused.exitCode, exitCodes.failed);
  t.is(refused.stderr, `battito: ${message}\nnext: on secondary: battito schedule run verify\n`);

  const answer = { kind: 'begun', at } as const;
  const gone = await battito(t, ['run', 'prune', '--no-wait'], { statuses: [], answer });
  t.regex(gone.stdout, /^prune has begun; /);

  const lost = await battito(t, ['run', 'prune'], { statuses: [seen(view('prune'))], answer });
  t.regex(lost.stderr, /prune has ended with the daemon that began it\nnext: battito schedule run prune/);

  const interrupt = new AbortController();
  const statuses = [seen(view('prune', { running: { at, forMs: 5, progress: 'x' } }))];
  const left = await battito(
    t,
    ['run', 'prune'],
    { statuses, answer },
    {
      ...{ signal: interrupt.signal, onWrite: () => interrupt.abort() },
    },
  );
  t.is(left.exitCode, exitCodes.timedOut);
  t.regex(left.stderr, /prune goes on without this command\nnext: battito schedule/);
});

for (const [words, says] of [
  [['run'], /say what is to be run: readiness, definitions, verify, drill, summary, prune/],
  [['run', 'verfy'], /nothing that is done at times is called "verfy".*\n.*`battito schedule run verify`/],
  [['lst'], /there is no "schedule lst"; expected list or run\n.*`battito schedule list`/],
  [['list', 'verify'], /schedule list takes no "verify"/],
  [['--no-wait'], /--no-wait goes with schedule run/],
] as const) {
  test(`schedule ${words.join(' ')} is refused before anything is asked`, async (t) => {
    const { exitCode, stderr, asked } = await battito(t, words, { statuses: [] });
    t.is(exitCode, exitCodes.usage);
    t.regex(stderr, says);
    t.deepEqual(asked, []);
  });
}
