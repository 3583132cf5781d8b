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

/** These put what stands in some options into the arguments of ipmitool, where `ps` shows it. */
export const ipmitoolAgents: ReadonlySet<string> = new Set([
  ...['fence_ipmilan', 'fence_ipmilanplus', 'fence_idrac', 'fence_imm'],
  ...['fence_ilo3', 'fence_ilo4', 'fence_ilo5'],
]);

const said = 'no action: the daemon says what is to be done';
const talkative = 'no such option: the agent would write down what is secret';
const outlet = 'the outlet in the configuration, where it is held against those of the other node';

/** What is expected instead of options that the daemon says itself, or that make an agent talk, or read off what is not. */
const reserved: Readonly<Record<string, string>> = {
  action: said,
  option: said,
  nodename: 'no name of a node: the daemon says it',
  delay: 'no delay of an agent: fencing.delay is the one that is counted with',
  missing_as_off: 'no such option: an outlet that is mistyped would read off',
  verbose: talkative,
  verbose_level: talkative,
  debug: talkative,
  debug_file: talkative,
};
const onlyInConfiguration: Readonly<Record<string, string>> = {
  plug: outlet,
  port: outlet,
  plug_separator: outlet,
};
const printed =
  'password=... in the file that `secrets` names: what a script prints would stand in the arguments of ipmitool';

const spelt = (option: string) => option.toLowerCase().replaceAll('-', '_');

/** What is expected instead of this option of a device; null: it may be given. */
export function expectedForOption(option: string, agent: string): string | null {
  const name = spelt(option);
  if (ipmitoolAgents.has(agent) && /^passw(or)?d_script$/.test(name)) return printed;
  return reserved[name] ?? null;
}

/** The same for a line of its file of secrets. */
export function expectedForSecret(option: string, agent: string): string | null {
  return expectedForOption(option, agent) ?? onlyInConfiguration[spelt(option)] ?? null;
}
