// Definitions of guests for tests, as libvirt would print them.

import { parseDomain } from '../../../daemon/drivers/libvirt/domain.ts';
import { contentDigest, textDigest } from '../../../daemon/runtime/definitions/content.ts';
import { emptyRecord, withEdit } from '../../../daemon/runtime/definitions/merge.ts';

/** A UUID that depends on the name only. */
export function uuidOf(name: string): string {
  const hex = textDigest(name);
  return [
    [0, 8],
    [8, 12],
    [12, 16],
    [16, 20],
    [20, 32],
  ]
    .map(([from, to]) => hex.slice(from, to))
    .join('-');
}

/** `memory` in MiB tells one version from another. */
export function domain(name: string, memory: number, { uuid = uuidOf(name), more = '' } = {}): string {
  return `<domain type='kvm'>
  <name>${name}</name>
  <uuid>${uuid}</uuid>
  <memory unit='MiB'>${memory}</memory>
  <vcpu placement='static'>2</vcpu>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/srv/guests/${name}.qcow2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <graphics type='vnc' port='-1' autoport='yes' passwd='hunter2'/>${more}
  </devices>
</domain>
`;
}

/** A store that holds these, of the group office. */
export function storeOf(definitions: readonly string[]) {
  const records = definitions.map((xml) => {
    const { name } = parseDomain(xml);
    const content = contentDigest(xml);
    const [node, takenAt] = ['primary', '2026-03-01T03:12:44.081Z'];
    return withEdit(emptyRecord(uuidOf(name)), { name, group: 'office', xml, content, node, takenAt });
  });
  return { records: () => records, inUse: (record: (typeof records)[number]) => record.versions[0] ?? null };
}
