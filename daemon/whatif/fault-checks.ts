// Does a fault concern something that the configuration has? What it lacks cannot fail, and "nothing moves" would be
// no answer. Pure.

import type { Policy, ResourceId, ResourceKind } from '../core/policy.ts';
import { BattitoError, exitCodes } from '../errors.ts';
import type { Action, Segment } from '../sim/action.ts';
import { interfaceOf, modelPolicy } from './modelled.ts';

/** `text` is what was written. */
export function impossibleFault(text: string, problem: string, next: string): BattitoError {
  return new BattitoError('fault-not-understood', `cannot do ${JSON.stringify(text)}: ${problem}`, {
    exitCode: exitCodes.usage,
    next,
  });
}

/** The action with whole names of resources. Throws BattitoError `fault-not-understood` where something is lacking. */
export function withRealParts(policy: Policy, text: string, action: Action): Action {
  switch (action.kind) {
    case 'break':
    case 'start-by-hand':
    case 'stop-by-hand':
      return { ...action, resource: realResource(policy, text, action.resource, null) };
    case 'guest-dies':
    case 'crash-guest':
      return { ...action, guest: realResource(policy, text, action.guest, 'guest') };
    case 'way-out':
      return { ...action, gateway: realGateway(policy, text, action.gateway) };
    case 'cut':
    case 'mend':
    case 'network':
      checkSegment(policy, text, action.segment);
      return action;
    case 'operator':
      if ('groups' in action.request) checkGroups(policy, text, action.request.groups);
      return action;
    default: {
      const lacking = lackingPart(policy, action);
      if (lacking !== null)
        throw impossibleFault(text, `the configuration has ${lacking.what}`, lacking.next);
      return action;
    }
  }
}

const askOther = 'ask about something that it has; `battito simulate` without --fault goes through that';

const nameGateway = 'connectivity.ping in the configuration names one';

function lackingPart(
  policy: Policy,
  { kind }: Action,
): { readonly what: string; readonly next: string } | null {
  switch (kind) {
    case 'witness':
      return policy.witness === null ? { what: 'no witness', next: askOther } : null;
    case 'fence-device':
      return policy.fencing === null ? { what: 'no device that powers a node off', next: askOther } : null;
    case 'gateway':
      return gatewaysOf(policy).length > 0 ? null : { what: 'no gateway', next: nameGateway };
    case 'disk-failure':
    case 'replace-disk': {
      const next = 'a group names its DRBD resources in the configuration, such as drbd: [r0]';
      return resourcesOf(policy, 'drbd').length > 0 ? null : { what: 'no mirrored disk', next };
    }
    default:
      return null;
  }
}

function checkSegment(policy: Policy, text: string, segment: Segment): void {
  const { hasPhantom, links } = modelPolicy(policy);
  if (segment !== 'dedicated' || !hasPhantom) return;
  const lan = [...new Set(links.lan.map(interfaceOf))].join(', ');
  throw impossibleFault(
    text,
    'the configuration has no dedicated cable',
    `its heartbeat links are all on the LAN, ${lan}; name that`,
  );
}

function checkGroups({ groups }: Policy, text: string, wanted: readonly string[]): void {
  const names = groups.map(({ name }) => name);
  const unknown = wanted.find((name) => !names.includes(name));
  if (unknown === undefined) return;
  throw impossibleFault(text, `there is no group ${unknown}`, `the groups are ${names.join(', ')}`);
}

function resourcesOf({ groups }: Policy, only: ResourceKind | null): readonly ResourceId[] {
  const resources = groups.flatMap((group) => group.resources);
  return resources.filter(({ kind }) => only === null || kind === only).map(({ id }) => id);
}

function realResource(policy: Policy, text: string, name: string, only: ResourceKind | null): ResourceId {
  const ids = resourcesOf(policy, only);
  const found = ids.find((id) => id === name) ?? ids.find((id) => id.endsWith(`:${name}`));
  if (found !== undefined) return found;
  const next =
    ids.length === 0 ? `the configuration has no ${only ?? 'resources'}` : `there is ${ids.join(', ')}`;
  throw impossibleFault(text, `there is no ${only === null ? '' : `${only} `}${name}`, next);
}

const gatewaysOf = ({ probes }: Policy) =>
  probes.filter(({ kind }) => kind === 'gateway').map(({ id }) => id);

/** By its address. */
function realGateway(policy: Policy, text: string, address: string): string {
  const ids = gatewaysOf(policy);
  const addressOf = (id: string) => id.replace(/^gateway /, '');
  const found = ids.find((id) => addressOf(id) === address);
  if (found !== undefined) return found;
  if (ids.length === 0) throw impossibleFault(text, 'the configuration has no gateway', nameGateway);
  throw impossibleFault(text, `there is no gateway ${address}`, `there is ${ids.map(addressOf).join(', ')}`);
}
