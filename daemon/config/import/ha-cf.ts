// Reads ha.cf as Heartbeat 2.1 and 3.0 do (parse_config in their heartbeat/config.c): one directive a line, everything
// from a `#` on is a comment, values are separated by blanks or commas, nothing is continued and no variable is expanded.

import { nearest } from '../problem.ts';
import type { Place, Problems, SourceLine } from './source.ts';

export interface Directive {
  readonly name: string;
  readonly values: readonly string[];
  readonly place: Place;
  /** The line without its comment. */
  readonly text: string;
}

const logging = 'the daemon logs to the journal of systemd: journalctl -u battito';
const packets = 'packets are small, of one form, and never sent again: the next one follows';
const pacemaker = 'this was for Pacemaker';
const scheduling = 'the systemd unit gives the daemon its priority and its memory';

/** Directives without an equal, and why. */
const withoutEqual: Readonly<Record<string, string>> = {
  serial: 'there are no serial links; a second network is the second path',
  baud: 'there are no serial links',
  hbaping: 'a fibre channel adapter is not pinged; give an address beyond both nodes',
  hbaping_group: 'a fibre channel adapter is not pinged; give an address beyond both nodes',
  mcast6: 'links are IPv4; broadcast, multicast or unicast on the same interface',
  openais: 'there is no OpenAIS here',
  hopfudge: 'a packet goes from one node to the other, without hops',
  deadping: 'what is pinged is judged by deadtime',
  logfacility: logging,
  logfile: logging,
  debugfile: logging,
  debug: logging,
  use_logd: logging,
  conn_logd_time: logging,
  log_badpack: 'packets that are refused are counted: battito status --json',
  msgfmt: packets,
  compression: packets,
  compression_threshold: packets,
  traditional_compression: packets,
  max_rexmit_delay: packets,
  realtime: scheduling,
  rtprio: scheduling,
  memreserve: scheduling,
  normalpoll: scheduling,
  coredumps: 'coredumpctl keeps them, if systemd-coredump is installed',
  coreroot: 'coredumpctl keeps them, if systemd-coredump is installed',
  use_apphbd: 'systemd watches the daemon (WatchdogSec in its unit)',
  apiauth: 'only root may use the control socket',
  env: 'this was for the programs of respawn',
  autojoin: 'the nodes are the two that are named, no others',
  uuidfrom: 'nodes are known by their names',
  hbgenmethod: 'the number of a start is kept in /var/lib/battito',
  quorum_server: 'a witness does that: see "A witness" in docs/fencing.md',
  log_config_changes: pacemaker,
  log_pengine_inputs: pacemaker,
  config_writes_enabled: pacemaker,
};

const withEqual = [
  'auto_failback bcast cluster crm deadtime initdead keepalive mcast nice_failback node pacemaker ping respawn',
  'ping_group stonith stonith_host ucast udp udpport warntime watchdog',
].flatMap((line) => line.split(' '));

/** The rest of the line is a text of its own. */
const wholeLine = ['respawn', 'apiauth', 'stonith', 'stonith_host', 'env'];

export const whyNoEqual = (name: string): string | undefined =>
  Object.hasOwn(withoutEqual, name) ? withoutEqual[name] : undefined;

export function parseHaCf(lines: readonly SourceLine[], problems: Problems): readonly Directive[] {
  return lines.flatMap(({ place, text: line }): Directive[] => {
    const text = line.replace(/#.*/s, '').trim();
    const [, name, rest = ''] = /^(\S+)\s*(.*)$/s.exec(text) ?? [];
    if (name === undefined) return [];
    if (!withEqual.includes(name) && whyNoEqual(name) === undefined) {
      const near = nearest(name, [...withEqual, ...Object.keys(withoutEqual)]);
      const hint = near === undefined ? '' : `; did you mean "${near}"?`;
      problems.add(place, `"${name}" is no directive of Heartbeat${hint}`);
      return [];
    }
    const values = rest.split(/[,\s]+/).filter((value) => value !== '');
    if (values.length === 0) {
      problems.add(place, `${name} has no value`);
      return [];
    }
    const variable = wholeLine.includes(name) ? undefined : values.find((value) => /\$[{(\w]/.test(value));
    if (variable !== undefined) {
      const message = `Heartbeat does not expand ${variable}, so nobody knows what it stands for; write the value`;
      problems.add(place, message);
      return [];
    }
    return [{ name: name === 'udp' ? 'bcast' : name, values, place, text }];
  });
}
