// A running daemon reads its configuration again: which changes it can take, and which need a restart.

import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { restartInPlace } from '../control/attention-item.ts';
import { BattitoError } from '../errors.ts';
import { type Keys, loadKeys } from './keys.ts';

export interface ReloadPlan {
  /** Paths that differ and are applied at once, and those that need a restart. */
  readonly applied: readonly string[];
  readonly needsRestart: readonly string[];
}

const live = [
  /^heartbeat\.(keyFile|keepaliveMs|warntimeMs|deadtimeMs|initdeadMs)$/,
  /^groups\.[^.]+\.(preferred|failback|failbackDelayMs)$/,
  // Of guests what only the core goes by. The rest is in the hands of drivers, which are made once.
  /^groups\.[^.]+\.guests\..+\.(priority|after|startDelayMs)$/,
  /^start\.parallel$/,
  /^(notify|metrics|web)(\.|$)/,
];

export function planReload(running: Config, next: Config): ReloadPlan {
  const paths = differences('', comparable(running), comparable(next));
  const isLive = (path: string) => live.some((pattern) => pattern.test(path));
  return { applied: paths.filter(isLive), needsRestart: paths.filter((path) => !isLive(path)) };
}

/** Groups by name instead of by position, and without the digest, which follows from the rest. */
function comparable({ digest: _, groups, nodes, ...rest }: Config): unknown {
  return {
    ...rest,
    nodes: Object.fromEntries(nodes.map((node) => [node.name, node])),
    groups: Object.fromEntries(groups.map((group) => [group.name, group])),
  };
}

function differences(path: string, a: unknown, b: unknown): readonly string[] {
  if (isRecord(a) && isRecord(b)) {
    const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
    return keys.flatMap((key) => differences(path === '' ? key : `${path}.${key}`, a[key], b[key]));
  }
  const [named, others] = [namesOf(a), namesOf(b)];
  if (named !== undefined && JSON.stringify(named) === JSON.stringify(others))
    return named.flatMap((name, index) => differences(`${path}.${name}`, itemAt(a, index), itemAt(b, index)));
  return JSON.stringify(a) === JSON.stringify(b) ? [] : [path];
}

/** Of a list of things with names, such as guests; with the same ones in the same order it is compared one by one. */
function namesOf(list: unknown): readonly unknown[] | undefined {
  if (!Array.isArray(list)) return undefined;
  const names = list.map((item) => (isRecord(item) ? item['name'] : undefined));
  return names.every((name) => typeof name === 'string') ? names : undefined;
}

const itemAt = (list: unknown, index: number): unknown => (Array.isArray(list) ? list[index] : undefined);

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads keys and configuration again. What cannot change at run time is named; null: nothing to change. */
export function reload(configPath: string, running: Config, keys: Keys, logger: Logger): Config | null {
  try {
    const next = loadConfig(configPath);
    Object.assign(keys, loadKeys(next));
    const { needsRestart, applied } = planReload(running, next);
    if (needsRestart.length > 0) {
      logger.warn({ needsRestart }, `reloaded the keys; what changed needs a restart: ${restartInPlace}`);
      return null;
    }
    logger.info({ applied }, 'reloaded keys and configuration');
    return next;
  } catch (error) {
    if (!(error instanceof BattitoError)) throw error;
    logger.error(
      { code: error.code, next: error.next },
      `not reloaded, the old configuration stays: ${error.message}`,
    );
    return null;
  }
}
