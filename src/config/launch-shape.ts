import { anything, list, object, optional, record, type Shape, string, where, whole } from "../shape.ts";
import { isLimits, LIMIT_KEYS, limitsExpected, type LimitsText } from "./disk-limits.ts";
import { ID, IOTHREAD_RULE, isIothreadId } from "./iothread-id.ts";
import { isMachineId, UUID } from "./mark.ts";
import { isName, LENGTH, NAME, NAME_RULE } from "./names.ts";
import { readVcpuList } from "./online-vcpus.ts";
import { POLICY_PATTERN, POLICY_RULE, policyOf } from "./policy.ts";
import { isQuota, MOST_WEIGHT, QUOTA_EXPECTED, QUOTA_PATTERN, WEIGHT_EXPECTED } from "./quota.ts";
import { looksLikeCpuList } from "./rules.ts";
import { isSize, isSizeOrNone, SIZE_PATTERN, sizeMeant } from "./size.ts";
import type { LEVELS } from "./topology.ts";

/** The longest path of a Unix socket on Linux, in bytes: sun_path of unix(7), without its closing NUL. */
const SOCKET_PATH = 107;

const size = where(string, isSize, { pattern: SIZE_PATTERN });
const count = whole(1, 8192);
const level = optional(count);
const cpus = where(string, looksLikeCpuList);
const policy = where(string, (text) => policyOf(text) !== undefined, { pattern: POLICY_PATTERN });
const word = where(string, (text) => !text.includes("\0"));
// Nobody means a path that would move a terminal's cursor, or that the system would cut short.
const isPlain = (text: string): boolean => !/[\x00-\x1f\x7f-\x9f]/.test(text);
// Nor one that ends in QEMU's own options: it is no address, and nobody could connect to it.
const path = where(
  string,
  (text) => isPlain(text) && text.startsWith("/") && !/,(server|wait|abstract|id)\b/.test(text) && Buffer.byteLength(text) <= SOCKET_PATH,
);

/** Something for each of some iothreads, by their ids. */
function byIothread<T>(shape: Shape<T>): Shape<Readonly<Record<string, T>>> {
  return where(record(shape), (values) => Object.keys(values).every(isIothreadId), { propertyNames: { pattern: ID.source } });
}

/** A launch config as it stands in its file: sizes are texts, and what nobody needs is absent. */
export interface LaunchFile {
  readonly name: string;
  readonly id?: string | undefined;
  readonly emulator: string;
  readonly memory: {
    readonly max: string;
    readonly current: string;
    readonly min?: string | undefined;
    readonly period?: number | undefined;
    readonly hotplug?: { readonly slots: number; readonly limit: string } | undefined;
    readonly plugged?: Readonly<Record<string, string>> | undefined;
  };
  readonly vcpus: {
    readonly max: number;
    readonly current: number;
    readonly online?: string | undefined;
    readonly topology?: { readonly [Level in (typeof LEVELS)[number]]?: number | undefined } | undefined;
    readonly pin?: Readonly<Record<string, string>> | undefined;
    readonly sched?: Readonly<Record<string, string>> | undefined;
  };
  readonly threads?:
    | {
        readonly emulator?: string | undefined;
        readonly iothreads?: Readonly<Record<string, string>> | undefined;
        readonly vhost?: string | undefined;
        readonly emulatorSched?: string | undefined;
        readonly iothreadsSched?: Readonly<Record<string, string>> | undefined;
      }
    | undefined;
  readonly disks?: { readonly throttle?: Readonly<Record<string, LimitsText>> | undefined } | undefined;
  readonly cpu?: { readonly quota?: string | undefined; readonly weight?: number | undefined } | undefined;
  readonly args?: readonly string[] | undefined;
  readonly monitor?: string | undefined;
  readonly agent?: string | undefined;
}

/** What a config's file may hold. Keys that it does not name are left alone. */
export const launchConfig: Shape<LaunchFile> = object({
  name: where(string, isName, { pattern: NAME.source, maxLength: LENGTH }),
  id: optional(where(string, isMachineId, { pattern: UUID.source })),
  emulator: where(string, (text) => isPlain(text) && (text.startsWith("/") || /^[^/\s-][^/]*$/.test(text))),
  memory: object({
    max: size,
    current: size,
    min: optional(size),
    period: optional(whole(0, 2 ** 32 - 1)),
    hotplug: optional(object({ slots: whole(0, 256), limit: size })),
    plugged: optional(record(where(string, isSizeOrNone, { pattern: SIZE_PATTERN }))),
  }),
  vcpus: object({
    max: count,
    current: count,
    online: optional(where(string, (text) => readVcpuList(text) !== undefined)),
    topology: optional(
      object({ drawers: level, books: level, sockets: level, dies: level, clusters: level, modules: level, cores: level, threads: level }),
    ),
    pin: optional(record(string)),
    sched: optional(record(policy)),
  }),
  threads: optional(
    object({
      emulator: optional(cpus),
      iothreads: optional(byIothread(cpus)),
      vhost: optional(cpus),
      emulatorSched: optional(policy),
      iothreadsSched: optional(byIothread(policy)),
    }),
  ),
  disks: optional(
    object({
      throttle: optional(
        record(where(record(anything) as Shape<LimitsText>, isLimits, { propertyNames: { enum: [...LIMIT_KEYS, "group"] } })),
      ),
    }),
  ),
  cpu: optional(object({ quota: optional(where(string, isQuota, { pattern: QUOTA_PATTERN })), weight: optional(whole(1, MOST_WEIGHT)) })),
  args: optional(list(word)),
  monitor: optional(path),
  agent: optional(path),
});

const CPUS_EXPECTED = "a Linux CPU list, as 0-3,8 or 0-7,^2";

/** What would be right at each place, for the message. `memory.max` and the like are looked up without their last number. */
const EXPECTED: Readonly<Record<string, string>> = {
  "": "an object with name, emulator, memory, vcpus and args",
  name: NAME_RULE,
  id: "a UUID in lower case, as define makes it, or no such key",
  emulator: 'the name of a program that PATH knows, as "qemu-system-x86_64", or an absolute path',
  memory: 'an object, as { "max": "2GiB", "current": "1GiB" }',
  "memory.period": "whole seconds, from 0 (never)",
  "memory.hotplug": 'an object, as { "slots": 4, "limit": "8GiB" }',
  "memory.plugged": 'an object, as { "vm0": "1GiB" }',
  "memory.hotplug.slots": "a whole number from 0 to 256",
  vcpus: 'an object, as { "max": 4, "current": 2 }',
  "vcpus.online": "a list of vCPUs, as 0,3 or 0-2,5",
  "vcpus.topology": 'an object, as { "sockets": 1, "cores": 4, "threads": 1 }',
  "vcpus.pin": 'an object, as { "0": "0-3" }',
  "vcpus.sched": `an object of policies by the vCPUs' numbers, as { "0": "batch" }: ${POLICY_RULE}`,
  threads: 'an object, as { "emulator": "0-3" }',
  "threads.emulator": CPUS_EXPECTED,
  "threads.iothreads": `an object, as { "io0": "0-3" }; ${IOTHREAD_RULE}`,
  "threads.vhost": CPUS_EXPECTED,
  disks: 'an object, as { "throttle": { "disk0": { "iops": 100 } } }',
  "disks.throttle": 'an object, as { "disk0": { "iops": 100, "bps": "10MiB" } }',
  "threads.emulatorSched": POLICY_RULE,
  "threads.iothreadsSched": `an object, as { "io0": "batch" }; ${IOTHREAD_RULE}`,
  cpu: 'an object, as { "quota": "150%", "weight": 200 }',
  "cpu.quota": QUOTA_EXPECTED,
  "cpu.weight": WEIGHT_EXPECTED,
  args: "a list of texts, one for each word of QEMU's command line",
  monitor: `an absolute path for a Unix socket, ${SOCKET_PATH} bytes at most`,
  agent: `the absolute path of a Unix socket, ${SOCKET_PATH} bytes at most, at which args have QEMU listen for the guest agent`,
};
const SIZE_EXPECTED = "a text with a whole number and its unit, as 300MiB or 2GiB";

/** What would be right at a place, for the message. */
export function expectedAt(path: string, value: unknown): string {
  if (EXPECTED[path] !== undefined) return EXPECTED[path];
  if (path.startsWith("memory.") && /^\d{1,15}$/.test(String(value)))
    return `a unit, as "${String(value)}KiB" (as virsh counts) or "${String(value)}MiB" (as QEMU counts)`;
  if (path.startsWith("memory.")) return sizeMeant(value) ?? SIZE_EXPECTED;
  if (/^(vcpus\.sched|threads\.iothreadsSched)\./.test(path)) return POLICY_RULE;
  if (path.startsWith("threads.iothreads.")) return CPUS_EXPECTED;
  if (path.startsWith("disks.throttle.")) return limitsExpected(value);
  if (path.startsWith("vcpus.pin.")) return "a Linux CPU list as text, as 0-3,8";
  return path.startsWith("args.") ? "a text without a NUL" : "a whole number from 1 to 8192";
}
