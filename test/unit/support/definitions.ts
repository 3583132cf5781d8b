// Definitions of guests for tests, as libvirt would print them.

import { textDigest } from '../../../daemon/runtime/definition-content.ts';

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
