// Asks by ICMP through one long-lived ping(8), which flushes every line into a pipe.
// Guarantees: an answer is never invented; `unanswered` only while a route and an interface with carrier exist,
// because ping itself goes on without a word when the own cable is out or the interface is gone.

import { describeFailure, runCommand } from '../command.ts';
import { describeEnd, startLineProcess } from '../line-process.ts';
import { parsePingLine, pingOften } from '../ping.ts';
import { afterReading, interfaceObstacle, type ProbeRun, patienceMsMax, type ReportResult } from './run.ts';

const retryMsMin = 200;
const retryMsMax = 2000;
const routeFreshMs = 1000;
const routeTimeoutMs = 1000;

/** `ping` children one after the other: a new one whenever one ends or falls silent. */
export function startPing(address: string, intervalMs: number, report: ReportResult): ProbeRun {
  const stopped = new AbortController();
  const obstacleNow = routeCheck(address, stopped.signal);
  let child: ProbeRun | undefined;
  let retryTimer: NodeJS.Timeout | undefined;
  let retryMs = retryMsMin;
  let answers = 0;

  function start(): void {
    child = startPingChild(address, intervalMs, {
      onAnswered() {
        answers += 1;
        retryMs = retryMsMin;
        report({ kind: 'answered' });
      },
      onUnanswered() {
        const answersBefore = answers;
        void obstacleNow().then((obstacle) => {
          if (stopped.signal.aborted || answers !== answersBefore) return; // Answered during the check.
          report(obstacle === undefined ? { kind: 'unanswered' } : { kind: 'failed', message: obstacle });
        });
      },
      onEnd(message) {
        retryTimer = setTimeout(start, retryMs);
        retryMs = Math.min(retryMs * 2, retryMsMax);
        report({ kind: 'failed', message });
      },
    });
  }

  start();
  return {
    async stop() {
      stopped.abort();
      clearTimeout(retryTimer);
      await child?.stop();
    },
  };
}

/** One `ping`. Each request is reported unanswered at most once; `onEnd` is called once, unless stopped before. */
function startPingChild(
  address: string,
  intervalMs: number,
  handlers: { onAnswered(): void; onUnanswered(): void; onEnd(message: string): void },
): ProbeRun {
  const argv = pingOften(address, intervalMs);
  const silenceMsMax = intervalMs * 3 + 2000;
  let over = false;
  let firstSettled = false;
  let lineAtMs = performance.now();

  const child = startLineProcess(argv, {
    onLine(line) {
      lineAtMs = performance.now();
      silenceTimer.refresh();
      const said = parsePingLine(line);
      if (said.kind === 'answered') {
        firstSettled = true;
        handlers.onAnswered();
      } else if (said.kind === 'unanswered') {
        const known = said.sequence === 1 && firstSettled;
        firstSettled = true;
        if (!known) handlers.onUnanswered();
      }
    },
    onEnd: (end) => finish(describeEnd(argv, end)),
  });
  const patienceTimer = setTimeout(
    afterReading(() => {
      if (over || firstSettled) return;
      firstSettled = true;
      handlers.onUnanswered();
    }),
    Math.min(intervalMs, patienceMsMax),
  );
  const silenceTimer = setTimeout(
    afterReading(() => {
      if (over || performance.now() - lineAtMs < silenceMsMax) return;
      void child.stop();
      finish(`${argv.join(' ')} said nothing for ${silenceMsMax} ms`);
    }),
    silenceMsMax,
  );

  function settle(): void {
    over = true;
    clearTimeout(patienceTimer);
    clearTimeout(silenceTimer);
  }
  function finish(message: string): void {
    if (over) return;
    settle();
    handlers.onEnd(message);
  }
  return {
    stop() {
      settle();
      return child.stop();
    },
  };
}

/**
 * Why nothing sent to `address` now would leave this host; `undefined` when nothing stands in the way. The route is
 * asked for again once a second at most; the interface (up, with carrier and an address) is looked at every time.
 */
function routeCheck(address: string, signal: AbortSignal): () => Promise<string | undefined> {
  const argv = ['ip', '-j', 'route', 'get', address];
  const zone = address.split('%')[1]; // A link-local address names its interface.
  let route: { readonly device: string } | { readonly obstacle: string } | undefined;
  let askedAtMs = 0;
  let asking: Promise<void> | undefined;

  async function ask(): Promise<void> {
    const result = await runCommand(argv, { timeoutMs: routeTimeoutMs, signal });
    askedAtMs = performance.now();
    const device = result.exitCode === 0 ? parseRouteDevice(result.stdout) : undefined;
    route = device === undefined ? { obstacle: describeFailure(argv, result) } : { device };
  }

  return async () => {
    if (zone !== undefined) return interfaceObstacle(zone);
    const fresh = route !== undefined && 'device' in route && performance.now() - askedAtMs < routeFreshMs;
    if (!fresh) {
      asking ??= ask().finally(() => {
        asking = undefined;
      });
      await asking;
    }
    if (route === undefined) return undefined;
    return 'obstacle' in route ? route.obstacle : interfaceObstacle(route.device);
  };
}

/** The outgoing interface in the output of `ip -j route get`; `undefined` when it cannot be told. */
export function parseRouteDevice(json: string): string | undefined {
  try {
    const list = JSON.parse(json) as readonly ({ readonly dev?: unknown } | null)[];
    const device = Array.isArray(list) ? list[0]?.dev : undefined;
    return typeof device === 'string' ? device : undefined;
  } catch {
    return undefined; // The caller reports what cannot be told.
  }
}
