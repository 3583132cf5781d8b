// What a fence agent says of itself, and whether the options of a device fit it. Pure, but for asking the agent.
// Source: the agents' `-o metadata`, an XML document after the resource agents' one.

import type { FenceDeviceConfig } from '../../config/config.ts';
import { attribute, child, childrenOf, type Element, parseXml } from '../xml.ts';
import { runAgentProcess } from './agent-process.ts';
import { whatWentWrong } from './device.ts';
import { kgAsText } from './ipmitool.ts';

export interface AgentParameter {
  readonly name: string;
  readonly required: boolean;
  readonly type: string;
  /** What it may be; empty: anything of its type. */
  readonly values: readonly string[];
  readonly standard: string | null;
  /** An older name of the same option stands in `obsoletes` of the newer one. */
  readonly obsoletes: string | null;
}

export interface AgentMetadata {
  readonly parameters: readonly AgentParameter[];
  readonly actions: readonly string[];
}

/** Why it cannot be told stands in `message`. */
export type AgentDescription =
  | { readonly kind: 'known'; readonly metadata: AgentMetadata }
  | { readonly kind: 'missing'; readonly message: string }
  | { readonly kind: 'unreadable'; readonly message: string };

const metadataTimeoutMs = 20_000;

export async function describeAgent(config: FenceDeviceConfig): Promise<AgentDescription> {
  const { signal } = new AbortController();
  const run = { program: config.program, args: ['-o', 'metadata'], input: '', signal };
  const end = await runAgentProcess({ ...run, timeoutMs: metadataTimeoutMs });
  if (end.startError === 'ENOENT') return { kind: 'missing', message: whatWentWrong(config, end) };
  if (end.exitCode !== 0) return { kind: 'unreadable', message: whatWentWrong(config, end) };
  return parseMetadata(end.stdout, config.program);
}

export function parseMetadata(text: string, agent: string): AgentDescription {
  let root: Element;
  try {
    root = parseXml(text, `what ${agent} says of itself`);
  } catch (error) {
    return { kind: 'unreadable', message: error instanceof Error ? error.message : String(error) };
  }
  const parameters = childrenOf(child(root, 'parameters'), 'parameter').map(toParameter);
  const actions = childrenOf(child(root, 'actions'), 'action').map((one) => attribute(one, 'name') ?? '');
  if (parameters.length === 0 || actions.length === 0)
    return { kind: 'unreadable', message: `${agent} says nothing of its options` };
  return { kind: 'known', metadata: { parameters, actions } };
}

function toParameter(element: Element): AgentParameter {
  const content = child(element, 'content');
  return {
    name: attribute(element, 'name') ?? '',
    required: attribute(element, 'required') === '1',
    type: attribute(content, 'type') ?? 'string',
    values: childrenOf(content, 'option').map((option) => attribute(option, 'value') ?? ''),
    standard: attribute(content, 'default') ?? null,
    obsoletes: attribute(element, 'obsoletes') ?? null,
  };
}

/** An option that does not fit; `name` is what is to be mended. */
export interface OptionProblem {
  readonly name: string;
  readonly message: string;
  /** What the name was probably meant to be among. */
  readonly known: readonly string[];
}

const spelt = (name: string) => name.replaceAll('-', '_');
const neededActions = ['off', 'on', 'status'];

/** @param given options and secrets together; of the latter no value is told. */
export function optionProblems(
  { parameters, actions }: AgentMetadata,
  given: Readonly<Record<string, string>>,
  isSecret: (name: string) => boolean,
): readonly OptionProblem[] {
  const known = parameters.map(({ name }) => name);
  const problems: OptionProblem[] = [];
  const add = (name: string, message: string, among: readonly string[] = []) =>
    void problems.push({ name, message, known: among });
  for (const action of neededActions) {
    if (!actions.includes(action)) add(action, `the agent has no action ${action}`);
  }
  // Those that cut a node off from its storage or its network have none, and its guests run on.
  if (!actions.includes('reboot'))
    add('reboot', 'the agent has no action reboot, so it does not cut the power');
  for (const [name, value] of Object.entries(given)) {
    const parameter = parameters.find((one) => spelt(one.name) === spelt(name));
    if (parameter === undefined) {
      add(name, `the agent has no option ${name}`, known);
      continue;
    }
    const expected = expectedOf(parameter, value);
    if (expected === null) continue;
    add(
      name,
      `option ${name}: expected ${expected}${isSecret(name) ? '' : `, found ${JSON.stringify(value)}`}`,
    );
  }
  const isGiven = (name: string) => Object.keys(given).some((one) => spelt(one) === spelt(name));
  for (const { name, required, standard, obsoletes } of parameters) {
    // An old name is told of by its new one.
    if (!required || standard !== null || name === 'action' || isOld(parameters, name)) continue;
    if (!isGiven(name) && !(obsoletes !== null && isGiven(obsoletes)))
      add(name, `the agent needs the option ${name}`);
  }
  return problems;
}

const isOld = (parameters: readonly AgentParameter[], name: string) =>
  parameters.some(({ obsoletes }) => obsoletes === name);

/** Null: it fits. */
function expectedOf({ type, values }: AgentParameter, value: string): string | null {
  switch (type) {
    case 'boolean':
      return /^(1|0|yes|no|on|off|true|false)$/i.test(value) ? null : 'true or false';
    case 'integer':
      return /^-?\d+$/.test(value) ? null : 'a whole number';
    case 'second':
      return /^\d+$/.test(value) ? null : 'a number of seconds';
    case 'select':
      return values.length === 0 || values.includes(value) ? null : `one of ${values.join(', ')}`;
    default:
      return null;
  }
}

/** Programs that the agents themselves start, by the parameter that names them, and their Debian packages. */
const helpers: Readonly<Record<string, string>> = { ipmitool_path: 'ipmitool', snmpget_path: 'snmp' };

/** What a device needs beside its agent: a program, and the package that has it. */
export function helperPrograms(
  { parameters }: AgentMetadata,
  given: Readonly<Record<string, string>>,
): readonly { readonly program: string; readonly debianPackage: string }[] {
  return parameters.flatMap(({ name, standard }) => {
    const debianPackage = helpers[name];
    const program = given[name] ?? standard;
    return debianPackage === undefined || program === null ? [] : [{ program, debianPackage }];
  });
}

/** Secrets of which the agent makes arguments of a program that it starts, where every user of the host sees them. */
export function secretsInArgv(
  { parameters }: AgentMetadata,
  given: Readonly<Record<string, string>>,
): readonly string[] {
  const has = (name: string) => parameters.some((one) => one.name === name);
  const of = (name: string) => given[name] ?? given[name.replaceAll('_', '-')];
  const standard = (name: string) => parameters.find((one) => one.name === name)?.standard;
  const isThird = (of('snmp_version') ?? standard('snmp_version')) === '3';
  const shown = [
    ...(has('snmpget_path') ? ['community'] : []),
    ...(has('snmpget_path') && isThird ? thirdSnmpSecrets : []),
    ...(has('ipmitool_path') && kgAsText(of('hexadecimal_kg')) === null ? ['hexadecimal_kg'] : []),
  ];
  return shown.filter((name) => of(name) !== undefined);
}

const thirdSnmpSecrets = ['password', 'passwd', 'password_script', 'passwd_script'].concat(
  ...['snmp_priv_passwd', 'snmp_priv_passwd_script'],
);
