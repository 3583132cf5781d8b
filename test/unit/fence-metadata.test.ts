// Options of a fencing device against what real agents say of themselves.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import {
  type AgentMetadata,
  helperPrograms,
  optionProblems,
  parseMetadata,
  secretsInArgv,
} from '../../daemon/drivers/fence/metadata.ts';

function metadataOf(agent: string): AgentMetadata {
  const file = join(import.meta.dirname, 'fixtures', 'fence', `${agent}.xml`);
  const description = parseMetadata(readFileSync(file, 'utf8'), agent);
  if (description.kind !== 'known') throw new Error(description.message);
  return description.metadata;
}

function told(agent: string, given: Readonly<Record<string, string>>, secret: readonly string[] = []) {
  return optionProblems(metadataOf(agent), given, (name) => secret.includes(name)).map(
    ({ message }) => message,
  );
}

const ipmi = { ip: '10.0.0.11', username: 'battito', password: 'word', lanplus: 'true' };

test('what real agents take is fine, by new names, by old ones, and with dashes', (t) => {
  t.deepEqual(told('fence_ipmilan', ipmi), []);
  t.deepEqual(
    told('fence_ipmilan', { ipaddr: '10.0.0.11', login: 'b', passwd: 'x', 'power-timeout': '20' }),
    [],
  );
  t.deepEqual(
    told('fence_redfish', { ip: '10.0.0.11', username: 'b', 'systems-uri': '/redfish/v1/Systems/1' }),
    [],
  );
  t.deepEqual(told('fence_apc', { ip: '10.0.0.12', username: 'apc', plug: '3', ssh: '1' }), []);
  t.deepEqual(told('fence_apc', { ipaddr: '10.0.0.12', login: 'apc', port: '3' }), []);
  t.deepEqual(told('fence_virsh', { ip: 'host', username: 'root', plug: 'alpha', identity_file: '/k' }), []);
});

test('an agent that does not cut the power is known by its actions', (t) => {
  t.deepEqual(told('fence_ifmib', { ip: '10.0.0.12', plug: '3' }), [
    'the agent has no action reboot, so it does not cut the power',
  ]);
});

test('an option that the agent does not have is named, and what there is', (t) => {
  const [problem] = optionProblems(metadataOf('fence_ipmilan'), { ...ipmi, lanpuls: '1' }, () => false);
  t.is(problem?.message, 'the agent has no option lanpuls');
  t.true(problem?.known.includes('lanplus'));
});

test('what is needed and missing is named once, by its new name', (t) => {
  t.deepEqual(told('fence_apc', { ip: '10.0.0.12' }), [
    'the agent needs the option plug',
    'the agent needs the option username',
  ]);
});

test('a value of the wrong type is refused with what is expected', (t) => {
  t.deepEqual(told('fence_ipmilan', { ...ipmi, lanplus: 'maybe' }), [
    'option lanplus: expected true or false, found "maybe"',
  ]);
  t.deepEqual(told('fence_ipmilan', { ...ipmi, ipport: 'x' }), [
    'option ipport: expected a whole number, found "x"',
  ]);
  t.deepEqual(told('fence_ipmilan', { ...ipmi, power_wait: '2s' }), [
    'option power_wait: expected a number of seconds, found "2s"',
  ]);
  t.deepEqual(told('fence_ipmilan', { ...ipmi, privlvl: 'root' }), [
    'option privlvl: expected one of callback, user, operator, administrator, found "root"',
  ]);
});

test('of a secret option the value is not told', (t) => {
  t.deepEqual(told('fence_ipmilan', { ...ipmi, privlvl: 'hunter2' }, ['privlvl']), [
    'option privlvl: expected one of callback, user, operator, administrator',
  ]);
});

test('the program that an agent starts is known with its package', (t) => {
  t.deepEqual(helperPrograms(metadataOf('fence_ipmilan'), ipmi), [
    { program: '/usr/bin/ipmitool', debianPackage: 'ipmitool' },
  ]);
  t.deepEqual(helperPrograms(metadataOf('fence_ipmilan'), { ...ipmi, ipmitool_path: '/opt/ipmitool' }), [
    { program: '/opt/ipmitool', debianPackage: 'ipmitool' },
  ]);
  t.deepEqual(helperPrograms(metadataOf('fence_redfish'), {}), []);
});

test('an agent that cannot switch is refused, and what is no description is not taken for one', (t) => {
  const { parameters } = metadataOf('fence_ipmilan');
  const messages = optionProblems({ parameters, actions: ['on', 'reboot', 'status'] }, ipmi, () => false);
  t.deepEqual(
    messages.map(({ message }) => message),
    ['the agent has no action off'],
  );
  for (const text of ['', 'Traceback (most recent call last):', '<resource-agent name="x"/>']) {
    const description = parseMetadata(text, 'fence_x');
    t.is(description.kind, 'unreadable', text);
    t.true(description.kind === 'unreadable' && description.message.includes('fence_x'));
  }
});

test('secrets that an agent hands to its helper as an argument are known', (t) => {
  const { parameters, actions } = metadataOf('fence_ifmib');
  t.true(parameters.some(({ name, standard }) => name === 'snmp_version' && standard === '2c'));
  const snmp = { parameters, actions };
  const given = { community: 'x', username: 'b', password: 'y', 'snmp-priv-passwd': 'z' };
  t.deepEqual(secretsInArgv(snmp, given), ['community']);
  t.deepEqual(secretsInArgv(snmp, { ...given, snmp_version: '3' }), [
    ...['community', 'password', 'snmp_priv_passwd'],
  ]);
  t.deepEqual(secretsInArgv(snmp, { ip: '10.0.0.12' }), []);
  t.deepEqual(secretsInArgv(metadataOf('fence_ipmilan'), { ...ipmi, hexadecimal_kg: 'DEADBEEF01' }), [
    'hexadecimal_kg',
  ]);
  t.deepEqual(secretsInArgv(metadataOf('fence_ipmilan'), { ...ipmi, hexadecimal_kg: '4142' }), []);
  t.deepEqual(secretsInArgv(metadataOf('fence_apc'), { username: 'b', password: 'y' }), []);
});
