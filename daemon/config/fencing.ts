// Fencing as the rest of the program sees it, and as the digest counts it. Pure.

import type { FenceDeviceConfig, FencingConfig } from './config.ts';
import type { FencingFile } from './schema-fencing.ts';

export function toFencing({ delay, timeout, devices, nodes }: FencingFile): FencingConfig {
  return {
    delayMs: delay,
    timeoutMs: timeout,
    devices: Object.entries(devices).map(
      ([name, { agent, script, options, plugs, secrets }]): FenceDeviceConfig => {
        const program = agent ?? script;
        if (program === undefined)
          throw new Error('broken invariant: a validated device has an agent or a script');
        return {
          name,
          kind: agent === undefined ? 'script' : 'agent',
          program,
          options,
          plugs: plugs ?? {},
          secrets: secrets ?? null,
        };
      },
    ),
    nodes,
  };
}

/** What switches a node off: all devices of a level, then, where that fails, those of the next one. */
export function levelsFor(
  { devices, nodes }: FencingConfig,
  node: string,
): readonly (readonly FenceDeviceConfig[])[] {
  return (nodes[node] ?? []).map((names) =>
    names.map((name) => {
      const device = devices.find((one) => one.name === name);
      if (device === undefined) throw new Error(`broken invariant: a level names the unknown device ${name}`);
      return device;
    }),
  );
}

/** The outlets that one `plug` names, by the agent's own separator. Blanks around them do not count. */
export function outletsOf(plug: string, options: Readonly<Record<string, unknown>>): readonly string[] {
  const separator = String(options['plug_separator'] ?? options['plug-separator'] ?? ',');
  const outlets = separator === '' ? [plug] : plug.split(separator);
  return outlets.map((outlet) => outlet.trim()).filter((outlet) => outlet !== '');
}
