// Faults in the configuration of an office (`configText` in office.ts), and the place that each is told with.

import { floatingAddress } from './hosts.ts';

export interface BadConfiguration {
  readonly title: string;
  readonly edit: (text: string) => string;
  /** Line, column and key, then a part of the sentence. */
  readonly problems: readonly (readonly [place: string, sentence: string])[];
}

/** Puts another text in the place of one that must be there. */
export const swap = (from: string, to: string) => (text: string) => {
  if (!text.includes(from)) throw new Error(`the sound configuration does not contain ${from}`);
  return text.replace(from, () => to);
};

export const badConfigurations: readonly BadConfiguration[] = [
  {
    title: 'a typo in a key',
    edit: swap('keepalive:', 'keepalve:'),
    problems: [['7:3: heartbeat.keepalve', 'did you mean "keepalive"?']],
  },
  {
    title: 'a key like no other',
    edit: swap('nodes:', 'colour: red\nnodes:'),
    problems: [['2:1: colour', 'unknown key']],
  },
  {
    title: 'a missing section',
    edit: swap('cluster: office\n', ''),
    problems: [['1:1: cluster', 'missing']],
  },
  {
    title: 'a duration without a unit',
    edit: swap('200ms', '200'),
    problems: [['7:14: heartbeat.keepalive', 'expected a duration such as 200ms or 2s, found 200']],
  },
  {
    title: 'a warntime not after keepalive',
    edit: swap('800ms', '200ms'),
    problems: [['8:13: heartbeat.warntime', 'expected at least twice keepalive']],
  },
  {
    title: 'a deadtime before warntime',
    edit: swap('deadtime: 2s', 'deadtime: 500ms'),
    problems: [['9:13: heartbeat.deadtime', 'expected more than warntime']],
  },
  {
    title: 'an initdead before deadtime',
    edit: swap('initdead: 8s', 'initdead: 1s'),
    problems: [['10:13: heartbeat.initdead', 'expected at least deadtime']],
  },
  {
    title: 'only one node',
    edit: swap('  secondary: { address: 192.168.1.3 }\n', ''),
    problems: [['2:1: nodes', 'expected exactly two nodes, found 1']],
  },
  {
    title: 'two nodes with one address',
    edit: swap('192.168.1.3', '192.168.1.2'),
    problems: [['4:25: nodes.secondary.address', 'the same as nodes.primary.address']],
  },
  {
    title: 'a node address that is none',
    edit: swap('192.168.1.3', '192.168.1.300'),
    problems: [['4:25: nodes.secondary.address', 'expected an IPv4 address']],
  },
  {
    title: 'no links',
    edit: swap('\n    - { interface: eth1 }\n    - { interface: eth0, mode: unicast }', ' []'),
    problems: [['11:10: heartbeat.links', 'at least one link']],
  },
  {
    title: 'a port out of range',
    edit: swap('interface: eth1', 'interface: eth1, port: 70000'),
    problems: [['12:32: heartbeat.links[0].port', 'expected a UDP port']],
  },
  {
    title: 'an unknown mode of a link',
    edit: swap('mode: unicast', 'mode: anycast'),
    problems: [['13:32: heartbeat.links[1].mode', 'expected broadcast, multicast or unicast']],
  },
  {
    title: 'a gateway that is a floating address',
    edit: swap('192.168.1.254', floatingAddress),
    problems: [['15:10: connectivity.ping[0]', 'is a floating address']],
  },
  {
    title: 'a preferred node that does not exist',
    edit: swap('preferred: primary', 'preferred: primry'),
    problems: [['18:16: groups.office.preferred', 'did you mean "primary"?']],
  },
  {
    title: 'an unknown kind of failback',
    edit: swap('failback: manual', 'failback: sometimes'),
    problems: [['19:15: groups.office.failback', 'expected manual or automatic']],
  },
  {
    title: 'a floating address without a prefix',
    edit: swap(`${floatingAddress}/24`, floatingAddress),
    problems: [['21:17: groups.office.addresses[0]', 'expected an address such as']],
  },
  {
    title: "a floating address that is a node's own",
    edit: swap(`${floatingAddress}/24`, '192.168.1.2/24'),
    problems: [['21:17: groups.office.addresses[0]', 'own address of node primary']],
  },
  {
    title: 'an unknown driver',
    edit: swap('driver: qemu', 'driver: xen'),
    problems: [['24:17: groups.office.guests[0].driver', 'expected libvirt or qemu, found "xen"']],
  },
  {
    title: 'a size without a unit',
    edit: swap('memory: 16M', 'memory: 16'),
    problems: [['25:17: groups.office.guests[0].memory', 'expected a size']],
  },
  {
    title: 'two guests of one name',
    edit: swap('name: web', 'name: mail'),
    problems: [['31:15: groups.office.guests[1].name', 'the same as']],
  },
  {
    title: 'two guests on one disk',
    edit: swap('web.raw', 'mail.raw'),
    problems: [['35:23: groups.office.guests[1].disk.file', 'the same as']],
  },
  {
    title: "a guest's image in the file system of another group",
    edit: (text) => {
      const place = /file: (\S+)\/mail\.raw/.exec(text)?.[1];
      const files = `files: { preferred: primary, filesystems: [{ device: /dev/drbd0, mount: ${place} }] }`;
      const moved = swap('web.raw', '../web.raw')(text).replaceAll(/^ *serial: .*\n/gm, '');
      return swap('groups:\n', `groups:\n  ${files}\n`)(moved);
    },
    problems: [['28:23: groups.office.guests[0].disk.file', 'the disk of guest mail, is in']],
  },
  {
    title: 'two guests with one MAC address',
    edit: swap('12:34:51', '12:34:50'),
    problems: [['37:38: groups.office.guests[1].network.mac', 'the same as']],
  },
  {
    title: 'a key given twice',
    edit: swap('  deadtime: 2s\n', '  deadtime: 2s\n  deadtime: 3s\n'),
    problems: [['10:3: heartbeat.deadtime', 'given twice; the first is in line 9']],
  },
  {
    title: 'an unclosed bracket',
    edit: swap('[192.168.1.254]', '[192.168.1.254'),
    problems: [['16:1:', 'not valid YAML']],
  },
  {
    title: 'a tab for indentation',
    edit: swap('cluster:', '\tcluster:'),
    problems: [['1:1:', 'not valid YAML: Tabs are not allowed']],
  },
  { title: 'an empty file', edit: () => '', problems: [['1:1:', 'the file is empty']] },
  {
    title: 'several faults at once',
    edit: (text) =>
      swap('2s', 'soon')(swap('preferred: primary', 'preferred: me')(swap('memory:', 'momery:')(text))),
    problems: [
      ['9:13: heartbeat.deadtime', 'expected a duration'],
      ['18:16: groups.office.preferred', 'expected one of the nodes'],
      ['23:9: groups.office.guests[0].memory', 'missing'],
      ['25:9: groups.office.guests[0].momery', 'did you mean "memory"?'],
    ],
  },
];
