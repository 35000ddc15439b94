import { z } from "zod/v3";
import { type Check, complaint, versionInfo } from "./check.ts";
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

const empty = (): Check<replies.Empty> => z.object({}).passthrough();
const open = z.record(z.unknown());

/** Each check is made when it is first needed: most programs use few of them, and a command line starts faster without. */
const makers: { readonly [Name in keyof Commands]: () => Check<Commands[Name]["returns"]> } = {
  "query-status": () => z.object({ running: z.boolean(), status: z.string() }).passthrough(),
  "query-cpus-fast": () =>
    z.array(
      z
        .object({ "cpu-index": z.number(), "qom-path": z.string(), "thread-id": z.number(), target: z.string(), props: open.optional() })
        .passthrough(),
    ),
  "query-hotpluggable-cpus": () =>
    z.array(z.object({ type: z.string(), "vcpus-count": z.number(), props: open, "qom-path": z.string().optional() }).passthrough()),
  "query-balloon": () => z.object({ actual: z.number() }).passthrough(),
  balloon: empty,
  "query-memory-size-summary": () => z.object({ "base-memory": z.number(), "plugged-memory": z.number().optional() }).passthrough(),
  "query-memory-devices": () => z.array(z.object({ type: z.string(), data: open }).passthrough()),
  "query-migrate": () => z.object({ status: z.string().optional() }).passthrough(),
  "query-acpi-ospm-status": () =>
    z.array(
      z
        .object({ device: z.string().optional(), slot: z.string(), "slot-type": z.string(), source: z.number(), status: z.number() })
        .passthrough(),
    ),
  device_add: empty,
  device_del: empty,
  "qom-list": () => z.array(z.object({ name: z.string(), type: z.string() }).passthrough()),
  "qom-get": () => z.unknown(),
  "qom-set": empty,
  "query-name": () => z.object({ name: z.string().optional() }).passthrough(),
  "query-kvm": () => z.object({ enabled: z.boolean(), present: z.boolean() }).passthrough(),
  "query-version": () => versionInfo,
  "query-commands": () => z.array(z.object({ name: z.string() }).passthrough()),
  // 1,500 entries: checking each would take as long as QEMU takes to write them.
  "query-qmp-schema": () => z.custom<readonly replies.SchemaInfo[]>(Array.isArray, "expected array"),
  "query-machines": () =>
    z.array(
      z
        .object({ name: z.string(), "cpu-max": z.number(), "hotpluggable-cpus": z.boolean(), "default-cpu-type": z.string().optional() })
        .passthrough(),
    ),
  "query-chardev": () => z.array(z.object({ label: z.string(), filename: z.string(), "frontend-open": z.boolean() }).passthrough()),
  stop: empty,
  cont: empty,
  system_reset: empty,
  system_powerdown: empty,
  quit: empty,
  "human-monitor-command": () => z.string(),
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
