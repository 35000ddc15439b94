import { anything, boolean, list, number, object, optional, record, type Shape, string } from "../shape.ts";
import { complaint, versionInfo } from "./check.ts";
import type { Complaint, VersionInfo } from "./message.ts";
import type * as replies from "./replies.ts";

/** A command without arguments. */
export type NoArguments = Readonly<Record<string, never>>;

/**
 * Commands whose replies are checked on arrival. All other commands are typed by the schemas of the recorded QEMUs (see vocabulary.ts). A
 * command that none of them has can be sent by its name too; its reply is `unknown`. Source: QEMU's qapi/*.json and `query-qmp-schema`.
 */
export interface Commands {
  "query-status": { arguments: NoArguments; returns: replies.StatusInfo };
  "query-cpus-fast": { arguments: NoArguments; returns: readonly replies.CpuInfo[] };
  "query-hotpluggable-cpus": { arguments: NoArguments; returns: readonly replies.HotpluggableCpu[] };
  "query-balloon": { arguments: NoArguments; returns: replies.BalloonInfo };
  /** `value`: the memory that is left to the guest, in bytes. */
  balloon: { arguments: { readonly value: number | bigint }; returns: replies.Empty };
  "query-memory-size-summary": { arguments: NoArguments; returns: replies.MemoryInfo };
  "query-memory-devices": { arguments: NoArguments; returns: readonly replies.MemoryDevice[] };
  "query-migrate": { arguments: NoArguments; returns: replies.MigrationInfo };
  "query-acpi-ospm-status": { arguments: NoArguments; returns: readonly replies.AcpiOstInfo[] };
  device_add: {
    arguments: {
      readonly driver: string;
      readonly id?: string | undefined;
      readonly bus?: string | undefined;
      readonly [option: string]: unknown;
    };
    returns: replies.Empty;
  };
  /** `id`: the device's id or its QOM path. The reply only says that the guest was asked to let go of it, not that it has. */
  device_del: { arguments: { readonly id: string }; returns: replies.Empty };
  "qom-list": { arguments: { readonly path: string }; returns: readonly replies.ObjectProperty[] };
  "qom-get": { arguments: { readonly path: string; readonly property: string }; returns: unknown };
  "qom-set": { arguments: { readonly path: string; readonly property: string; readonly value: unknown }; returns: replies.Empty };
  "query-name": { arguments: NoArguments; returns: replies.NameInfo };
  "query-kvm": { arguments: NoArguments; returns: replies.KvmInfo };
  "query-version": { arguments: NoArguments; returns: VersionInfo };
  "query-commands": { arguments: NoArguments; returns: readonly replies.CommandInfo[] };
  "query-qmp-schema": { arguments: NoArguments; returns: readonly replies.SchemaInfo[] };
  "query-machines": { arguments: NoArguments; returns: readonly replies.MachineInfo[] };
  "query-chardev": { arguments: NoArguments; returns: readonly replies.ChardevInfo[] };
  stop: { arguments: NoArguments; returns: replies.Empty };
  cont: { arguments: NoArguments; returns: replies.Empty };
  system_reset: { arguments: NoArguments; returns: replies.Empty };
  system_powerdown: { arguments: NoArguments; returns: replies.Empty };
  quit: { arguments: NoArguments; returns: replies.Empty };
  /** Errors of the human monitor come back as text, in a reply that counts as a success. */
  "human-monitor-command": { arguments: { readonly "command-line": string; readonly "cpu-index"?: number | undefined }; returns: string };
}

const empty = (): Shape<replies.Empty> => object({});
const open = record(anything);

/** Each check is made when it is first needed: most programs use few of them, and a command line starts faster without. */
const makers: { readonly [Name in keyof Commands]: () => Shape<Commands[Name]["returns"]> } = {
  "query-status": () => object({ running: boolean, status: string }),
  "query-cpus-fast": () =>
    list(object({ "cpu-index": number, "qom-path": string, "thread-id": number, target: string, props: optional(open) })),
  "query-hotpluggable-cpus": () => list(object({ type: string, "vcpus-count": number, props: open, "qom-path": optional(string) })),
  "query-balloon": () => object({ actual: number }),
  balloon: empty,
  "query-memory-size-summary": () => object({ "base-memory": number, "plugged-memory": optional(number) }),
  "query-memory-devices": () => list(object({ type: string, data: open })),
  "query-migrate": () => object({ status: optional(string) }),
  "query-acpi-ospm-status": () =>
    list(object({ device: optional(string), slot: string, "slot-type": string, source: number, status: number })),
  device_add: empty,
  device_del: empty,
  "qom-list": () => list(object({ name: string, type: string })),
  "qom-get": () => anything,
  "qom-set": empty,
  "query-name": () => object({ name: optional(string) }),
  "query-kvm": () => object({ enabled: boolean, present: boolean }),
  "query-version": () => versionInfo,
  "query-commands": () => list(object({ name: string })),
  // 1,500 entries: checking each would take as long as QEMU takes to write them.
  "query-qmp-schema": () => list(anything) as Shape<readonly replies.SchemaInfo[]>,
  "query-machines": () =>
    list(object({ name: string, "cpu-max": number, "hotpluggable-cpus": boolean, "default-cpu-type": optional(string) })),
  "query-chardev": () => list(object({ label: string, filename: string, "frontend-open": boolean })),
  stop: empty,
  cont: empty,
  system_reset: empty,
  system_powerdown: empty,
  quit: empty,
  "human-monitor-command": () => string,
};

const made = new Map<string, Complaint>();

/** The check of a command's reply; undefined for commands that are not listed. */
export function replyCheck(command: string): Complaint | undefined {
  const known = made.get(command);
  if (known !== undefined || !Object.hasOwn(makers, command)) return known;
  const check = complaint(makers[command as keyof Commands]());
  made.set(command, check);
  return check;
}
