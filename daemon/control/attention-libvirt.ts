// What of libvirt itself needs a person: one that hangs is told also where it has no guest that could be told of. Pure.

import type { Attention } from './api.ts';
import { item } from './attention-item.ts';

/** Null: no guest is a domain. */
export function attentionOfLibvirt(
  libvirt: { readonly node: string; isSilent(): boolean } | null,
): readonly Attention[] {
  if (libvirt === null || !libvirt.isSilent()) return [];
  const what = `libvirt of ${libvirt.node} is there but does not answer: its guests that run go on, and none can be started there`;
  const next =
    'see what it waits for: systemctl status libvirtd virtqemud; dmesg; then restart it: guests that run are not touched by that';
  return [item('alarm', 'libvirt-silent', what, next)];
}
