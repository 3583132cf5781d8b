// The configuration as the rest of the program sees it: validated, units in the names, defaults filled in.
// The YAML surface (kebab-case keys, `200ms`, `192.168.1.1/24 dev eth0`) is turned into this by load.ts.

/** One of the two hosts. `address` is its own IPv4 address on the LAN, never the floating one. */
export interface NodeConfig {
  readonly name: string;
  readonly address: string;
}

/** A heartbeat path. `interface` is the kernel's name on both nodes; `port` is UDP. */
export type LinkConfig =
  | { readonly mode: 'broadcast'; readonly interface: string; readonly port: number }
  | { readonly mode: 'multicast'; readonly interface: string; readonly group: string; readonly port: number }
  | {
      readonly mode: 'unicast';
      readonly interface: string;
      /** Address of each node on this link, keyed by node name; defaults to the nodes' LAN addresses. */
      readonly addresses: Readonly<Record<string, string>>;
      readonly port: number;
    };

/** A floating address: `address` without prefix, `interface` that carries it. */
export interface AddressConfig {
  readonly address: string;
  readonly prefix: number;
  readonly family: 4 | 6;
  readonly interface: string;
}

export interface GuestDisk {
  readonly file: string;
  readonly format: 'qcow2' | 'raw';
  /** `auto`: QEMU's image locks; `off`: for storage whose locks outlive a frozen host. */
  readonly locking: 'auto' | 'off';
}

/** How a guest that runs is known to be of use; `timeoutMs`: after that the guests after it start all the same. */
export type Readiness =
  | { readonly kind: 'none' }
  | { readonly kind: 'agent'; readonly timeoutMs: number }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly timeoutMs: number }
  | { readonly kind: 'ping'; readonly address: string; readonly timeoutMs: number };

/** What a planned move does with a guest. */
export type HandoverMode = 'shutdown' | 'save' | 'live';

/** What every guest has, whatever runs it. */
export interface GuestOptions {
  readonly name: string;
  /** Higher ones start first, in waves; equal ones together. */
  readonly priority: number;
  /** Names of guests of the same group that must be ready, or given up, before this one starts. */
  readonly after: readonly string[];
  /** How long the guests after it wait once it is ready, milliseconds. */
  readonly startDelayMs: number;
  readonly readiness: Readiness;
  readonly handover: HandoverMode;
  /** How long an orderly shutdown by ACPI may take before the guest is switched off. */
  readonly shutdownTimeoutMs: number;
  readonly startTimeoutMs: number;
}

/** A libvirt domain, defined with libvirt's own tools. */
export interface LibvirtGuestConfig extends GuestOptions {
  readonly driver: 'libvirt';
  /** How long the guest agent's shutdown may take before ACPI is tried. */
  readonly agentTimeoutMs: number;
}

/** A guest started directly as a QEMU process. */
export interface QemuGuestConfig extends GuestOptions {
  readonly driver: 'qemu';
  readonly memoryMiB: number;
  readonly cpus: number;
  readonly disk: GuestDisk;
  /** Absent: no network card. */
  readonly network?: { readonly bridge: string; readonly mac: string; readonly model: string };
  /** VNC display as QEMU takes it, e.g. `127.0.0.1:1`. Absent: none. */
  readonly vnc?: string;
  /** File that the first serial port is appended to. Absent: none. */
  readonly serial?: string;
  readonly accel: 'auto' | 'kvm' | 'tcg';
}

export type GuestConfig = QemuGuestConfig | LibvirtGuestConfig;

/** A file system that is mounted where its group runs. */
export interface FilesystemConfig {
  readonly device: string;
  readonly mount: string;
  readonly type: string;
  /** As mount(8) takes them, e.g. `noatime`. */
  readonly options: string;
  /** Is it checked (`fsck -p`) before it is mounted? */
  readonly fsck: boolean;
}

/** What moves together. */
export interface GroupConfig {
  readonly name: string;
  readonly preferred: string;
  readonly failback: 'manual' | 'automatic';
  /** How long the preferred node must have been back, without a gap, before an automatic failback. */
  readonly failbackDelayMs: number;
  readonly addresses: readonly AddressConfig[];
  /** Names of DRBD resources. */
  readonly drbd: readonly string[];
  readonly filesystems: readonly FilesystemConfig[];
  readonly guests: readonly GuestConfig[];
  /** Also every libvirt domain whose disks all lie on the group's storage; with these options. null: only those named. */
  readonly allGuests: Omit<LibvirtGuestConfig, 'name'> | null;
}

/** What can switch a node off. */
export interface FenceDeviceConfig {
  readonly name: string;
  /** A fence agent of the distribution, by its name; or a script with the same contract, by its path. */
  readonly kind: 'agent' | 'script';
  readonly program: string;
  /** Nothing secret. */
  readonly options: Readonly<Record<string, string>>;
  /** Outlet by node; empty: the device has one host only, or is a script that knows. */
  readonly plugs: Readonly<Record<string, string>>;
  /** File with further options. */
  readonly secrets: string | null;
}

export interface FencingConfig {
  readonly delayMs: number;
  /** Of one attempt, all levels together. */
  readonly timeoutMs: number;
  readonly devices: readonly FenceDeviceConfig[];
  /** By node: names of devices, level by level. */
  readonly nodes: Readonly<Record<string, readonly (readonly string[])[]>>;
}

export interface HeartbeatConfig {
  readonly keyFile: string;
  readonly keepaliveMs: number;
  readonly warntimeMs: number;
  readonly deadtimeMs: number;
  readonly initdeadMs: number;
  /** At least one. The index of a link in this array is its number on the wire. */
  readonly links: readonly LinkConfig[];
}

/** What resets a host whose daemon does not feed it for `timeoutMs`. */
export interface WatchdogConfig {
  readonly device: string;
  readonly timeoutMs: number;
}

/** What is drilled by itself. */
export interface DrillConfig {
  /** As crontab(5) writes it; node-cron reads it, in the local time of the host. */
  readonly schedule: string;
  readonly kind: 'fence' | 'handover';
  /** A group that has been where it is for less is left alone. */
  readonly settledMs: number;
}

/** What the daemon does by itself, and when: as `DrillConfig` has it; null: it is switched off. */
export interface ScheduleConfig {
  readonly readiness: string | null;
  readonly definitions: string | null;
  readonly verify: string | null;
  readonly summary: string | null;
  readonly prune: string | null;
  /** What is older goes from history and journal. */
  readonly keepDays: number;
}

/** A store beside the two nodes that lends the lease. */
export interface WitnessConfig {
  readonly kind: 'etcd';
  /** Such as `https://192.168.1.9:2379`: an address and a port, never a name. */
  readonly endpoints: readonly string[];
  /** File of the authorities that have signed the endpoints' certificates; null: those of the runtime. */
  readonly caFile: string | null;
  /** What this node shows of itself; null: nothing. */
  readonly clientCertificate: { readonly certificateFile: string; readonly keyFile: string } | null;
  readonly login: { readonly user: string; readonly passwordFile: string } | null;
  readonly ttlMs: number;
  /** What the keys begin with; the cluster's name comes after it. */
  readonly prefix: string;
}

/** How one channel tells something. */
export type NotifyWay =
  | {
      readonly kind: 'smtp';
      readonly to: readonly string[];
      /** null: battito at the name of the host. */
      readonly from: string | null;
      readonly host: string;
      readonly port: number;
      readonly tls: 'starttls' | 'implicit' | 'none';
    }
  | {
      readonly kind: 'sendmail';
      readonly to: readonly string[];
      readonly from: string | null;
      readonly program: string;
    }
  | { readonly kind: 'webhook'; readonly url: string }
  | { readonly kind: 'hook'; readonly program: string };

export interface NotifyChannelConfig {
  readonly name: string;
  readonly way: NotifyWay;
  /** The least that is told on it. */
  readonly severity: 'warning' | 'alarm';
  readonly timeoutMs: number;
  /** File with lines name=value: the login, or headers; null: none. */
  readonly secrets: string | null;
  readonly caFile: string | null;
}

export interface NotifyConfig {
  readonly repeatAfterMs: number;
  readonly collectMs: number;
  readonly channels: readonly NotifyChannelConfig[];
}

/** What is written for node_exporter's textfile collector. */
export interface MetricsConfig {
  readonly textfile: string;
  readonly intervalMs: number;
}

/** The web page. */
export interface WebConfig {
  /** Null: the node's own. */
  readonly address: string | null;
  readonly port: number;
  /** Lower case; besides addresses, localhost and the names of the nodes. */
  readonly names: readonly string[];
  /** Lines name=token; null: nobody has one. */
  readonly tokenFile: string | null;
  /** Lines name:hash, as `htpasswd -B` writes them; null: nobody has a password. */
  readonly htpasswdFile: string | null;
  readonly tls: { readonly certificateFile: string; readonly keyFile: string } | null;
}

export interface Config {
  readonly cluster: string;
  readonly nodes: readonly [NodeConfig, NodeConfig];
  readonly heartbeat: HeartbeatConfig;
  readonly connectivity: { readonly ping: readonly string[] };
  readonly libvirt: { readonly uri: string };
  /** How many guests may start at once; null: by the number of cores. What is kept free of guests, MiB; null: by the host's memory. */
  readonly start: { readonly parallel: number | null; readonly memoryReserveMiB: number | null };
  /** null: no device can switch a node off. */
  readonly fencing: FencingConfig | null;
  readonly groups: readonly GroupConfig[];
  /** null: there is none. */
  readonly witness: WitnessConfig | null;
  /** null: none is used. */
  readonly watchdog: WatchdogConfig | null;
  /** null: nothing is drilled by itself. */
  readonly drill: DrillConfig | null;
  readonly schedule: ScheduleConfig;
  /** null: nobody is told. */
  readonly notify: NotifyConfig | null;
  /** null: no file is written. */
  readonly metrics: MetricsConfig | null;
  /** null: there is no web page. */
  readonly web: WebConfig | null;
  /** Hex SHA-256 over everything above in canonical form; equal on both nodes when their files agree. */
  readonly digest: string;
}
