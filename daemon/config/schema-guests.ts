// The YAML surface of a group's guests: `all`, a name, or a mapping with options. One mapping for both drivers, so that
// a key of the other driver is named as such: what goes with what is in guest-rules.ts.

import * as z from 'zod';
import { parseReadiness, readinessExpected, readinessForms, readinessPattern } from './readiness.ts';
import {
  absolutePath,
  duration,
  expectedName,
  explained,
  interfaceName,
  mapping,
  nameText,
  parsed,
  text,
  wholeNumber,
} from './schema-parts.ts';
import { macPattern, namePattern, parseMac, parseSizeMiB, sizePattern } from './values.ts';

/** When the file does not give them. */
export const defaultReadinessTimeout = '60s';
export const defaultAgentTimeout = '20s';
export const defaultStartTimeouts = { libvirt: '60s', qemu: '30s' } as const;

/** In the place of a guest's name: every libvirt domain on the storage of the group. */
export const allWord = 'all';

const disk = z.union(
  [
    absolutePath.describe('Path of the image; its format follows from the extension.'),
    mapping({
      file: absolutePath.describe('Path of the image or block device.'),
      format: z
        .enum(['qcow2', 'raw'], { error: 'qcow2 or raw' })
        .optional()
        .describe('Format of the image. Default: qcow2 for .qcow2, else raw.'),
      locking: z
        .enum(['auto', 'off'], { error: 'auto or off' })
        .default('auto')
        .describe("QEMU's image locks; off for storage whose locks outlive a frozen host."),
    }),
  ],
  { error: 'an absolute path, or a mapping with the keys file, format, locking' },
);

const network = mapping({
  bridge: interfaceName.describe('Bridge that the guest is plugged into, the same on both nodes.'),
  mac: parsed('a MAC address of one card such as 52:54:00:12:34:56', macPattern, parseMac).describe(
    "The card's address, the same wherever the guest runs.",
  ),
  model: text('a QEMU network device such as virtio-net-pci', /^[A-Za-z0-9][A-Za-z0-9._-]*$/)
    .default('virtio-net-pci')
    .describe('Card that QEMU emulates.'),
});

const options = {
  name: nameText(expectedName, namePattern).describe(
    'Name of the guest, unique in the cluster; of a libvirt domain the name that virsh list --all shows.',
  ),
  driver: z
    .enum(['libvirt', 'qemu'], { error: 'libvirt or qemu' })
    .optional()
    .describe(
      'libvirt: a domain that is defined in libvirt; qemu: the daemon runs QEMU itself. Default: libvirt; with a disk it has to be given.',
    ),
  priority: wholeNumber('a whole number from -1000 to 1000', -1000, 1000)
    .default(0)
    .describe(
      'Guests start in waves, from the highest priority to the lowest, from -1000 to 1000; those with the same one start together.',
    ),
  after: z
    .array(nameText('the name of a guest', namePattern), { error: 'a list of guests such as [dns]' })
    .default([])
    .describe(
      'Guests of the same group that have to be ready, or given up, before this one starts. Default: none.',
    ),
  'start-delay': duration()
    .prefault('0s')
    .describe('How long the guests after this one wait once it is ready.'),
  readiness: explained(readinessForms, readinessPattern, readinessExpected)
    .transform((value) => parseReadiness(value) ?? ({ kind: 'none' } as const))
    .prefault('none')
    .describe(
      'How it is known that the guest is of use, so that the guests after it start: none (it runs), agent (its guest agent answers; only for driver libvirt), tcp HOST:PORT (a connection is taken, such as tcp 192.168.1.10:25, or "tcp [fd00::10]:25" in quotes), ping ADDRESS.',
    ),
  'readiness-timeout': duration(1000)
    .optional()
    .describe(
      `After this time the guests after it start all the same; at least 1s, only with readiness. Default: ${defaultReadinessTimeout}.`,
    ),
  handover: z
    .enum(['shutdown', 'save', 'live'], { error: 'shutdown, save or live' })
    .default('shutdown')
    .describe(
      'What a handover does with the guest. shutdown: it boots again on the other node; save: its memory is saved on a file system of the group and restored there; live: it goes there while it runs, where it has DRBD devices of its own, else as save; where that fails, as shutdown. save and live are only for driver libvirt.',
    ),
  'agent-timeout': duration()
    .optional()
    .describe(
      `How long a shutdown by the guest agent may take before ACPI is tried; only for driver libvirt. Default: ${defaultAgentTimeout}.`,
    ),
  'shutdown-timeout': duration()
    .prefault('60s')
    .describe('How long an orderly shutdown by ACPI may take before the guest is switched off.'),
  'start-timeout': duration(1000)
    .optional()
    .describe(
      `How long a start may take; at least 1s. Default: ${defaultStartTimeouts.libvirt} for driver libvirt, ${defaultStartTimeouts.qemu} for qemu.`,
    ),
};

/** A libvirt domain has these in its own definition. */
const machine = {
  memory: parsed('a size such as 64M or 1G', sizePattern, parseSizeMiB)
    .optional()
    .describe('Memory, such as 64M or 1G. Only for driver qemu, which needs it.'),
  cpus: wholeNumber('a whole number from 1 to 255', 1, 255)
    .optional()
    .describe('Number of virtual CPUs; only for driver qemu. Default: 1.'),
  disk: disk
    .optional()
    .describe(
      'The image that the guest boots from, reachable on both nodes. Only for driver qemu, which needs it.',
    ),
  network: network.optional().describe('Network card; only for driver qemu. Default: none.'),
  vnc: text('a VNC display such as 127.0.0.1:1', /^[0-9A-Za-z.:[\]-]*:[0-9]{1,5}$/)
    .optional()
    .describe('VNC display as QEMU takes it, such as 127.0.0.1:1; only for driver qemu. Default: none.'),
  serial: absolutePath
    .optional()
    .describe('File that the first serial port is appended to; only for driver qemu. Default: none.'),
  accel: z
    .enum(['auto', 'kvm', 'tcg'], { error: 'auto, kvm or tcg' })
    .optional()
    .describe('auto: KVM where there is one, else emulation; only for driver qemu. Default: auto.'),
};

/** Keys that only driver qemu takes. */
export const machineKeys: readonly string[] = Object.keys(machine);

const guest = mapping({ ...options, ...machine });

export type GuestFile = z.output<typeof guest>;

/** A guest, or `all`, of which nothing but the name is said. */
const byDefault = (name: string): GuestFile => guest.parse({ name });

const expectedItem = `${allWord}, the name of a libvirt domain (letters, digits, dots, dashes and underscores, at most 31) or a mapping with the key name`;

/** Their output: mappings with every default; the word `all` as a guest of that name. */
export const guests = z.union(
  [
    z
      .enum([allWord], { error: allWord })
      .transform((word) => [byDefault(word)])
      .describe('Every libvirt domain on the storage of the group.'),
    z.array(
      z.union(
        [
          nameText(expectedItem, namePattern)
            .transform(byDefault)
            .describe('A libvirt domain with the options that are the default, or the word all.'),
          guest,
        ],
        {
          error: ({ input }) =>
            typeof input === 'number' || typeof input === 'boolean'
              ? 'the name of a guest, in quotes'
              : expectedItem,
        },
      ),
      { error: `${allWord}, or a list of guests` },
    ),
  ],
  { error: `${allWord}, or a list of guests` },
);
