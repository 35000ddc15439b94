/** What QEMU replies to the commands that this package relies on: with QEMU's own names, in bytes, and open to more members. */

/** An empty reply: the result shows in the state only. */
export type Empty = Readonly<Record<string, unknown>>;

/** qapi/run-state.json. `status`: `running`, `paused`, `prelaunch`, `inmigrate`, `shutdown`, … */
export interface StatusInfo {
  readonly running: boolean;
  readonly status: string;
}

/** qapi/machine.json `CpuInfoFast`. `target` since 2.12; s390x adds `cpu-state`. */
export interface CpuInfo {
  readonly "cpu-index": number;
  readonly "qom-path": string;
  readonly "thread-id": number;
  readonly target: string;
  readonly props?: CpuProperties | undefined;
}

/** qapi/machine.json `CpuInstanceProperties`: the place of a vCPU. Which levels there are depends on the machine. */
export type CpuProperties = Readonly<Record<string, unknown>>;

/** qapi/machine.json `HotpluggableCPU`. `qom-path` is there if something is plugged. */
export interface HotpluggableCpu {
  readonly type: string;
  readonly "vcpus-count": number;
  readonly props: CpuProperties;
  readonly "qom-path"?: string | undefined;
}

/** qapi/machine.json `BalloonInfo`: the memory that is left to the guest, in bytes. */
export interface BalloonInfo {
  readonly actual: number;
}

/** qapi/machine.json `MemoryInfo`, in bytes. */
export interface MemoryInfo {
  readonly "base-memory": number;
  readonly "plugged-memory"?: number | undefined;
}

/** qapi/machine.json `MemoryDeviceInfo`: a tagged union, `data` by `type` (`dimm`, `nvdimm`, `virtio-mem`, …). */
export interface MemoryDevice {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** qapi/migration.json `MigrationInfo`: empty if there never was a migration. */
export interface MigrationInfo {
  readonly status?: string | undefined;
}

/** qapi/acpi.json `ACPIOSTInfo`: the guest's last report about a slot. */
export interface AcpiOstInfo {
  readonly device?: string | undefined;
  readonly slot: string;
  readonly "slot-type": string;
  readonly source: number;
  readonly status: number;
}

/** qapi/qom.json `ObjectPropertyInfo`. `type` of a child reads `child<TYPE>`. */
export interface ObjectProperty {
  readonly name: string;
  readonly type: string;
}

/** qapi/machine.json `NameInfo`: what `-name` gave. */
export interface NameInfo {
  readonly name?: string | undefined;
}

/** qapi/machine.json `KvmInfo`. */
export interface KvmInfo {
  readonly enabled: boolean;
  readonly present: boolean;
}

/** qapi/control.json `CommandInfo`. */
export interface CommandInfo {
  readonly name: string;
}

/** qapi/introspect.json `SchemaInfo`: the wire format, with masked type names. */
export interface SchemaInfo {
  readonly name: string;
  readonly "meta-type": string;
  /** Commands only: whether they may be sent out of band. Absent before 2.12. */
  readonly "allow-oob"?: boolean | undefined;
}

/** qapi/char.json `ChardevInfo`. */
export interface ChardevInfo {
  readonly label: string;
  readonly filename: string;
  readonly "frontend-open": boolean;
}

/** qapi/machine.json `MachineInfo`. */
export interface MachineInfo {
  readonly name: string;
  readonly "cpu-max": number;
  readonly "hotpluggable-cpus": boolean;
  readonly "default-cpu-type"?: string | undefined;
}
