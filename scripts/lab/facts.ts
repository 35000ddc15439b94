import type { LaunchConfig } from "../../src/config/launch.ts";
import { plan, type Plan } from "../../src/domain/change/plan.ts";
import type { LiveCpuGroup } from "../../src/domain/facts/cgroup.ts";
import type { LiveDisk, LiveMedium } from "../../src/domain/facts/disk-parts.ts";
import type { Facts, LiveFacts } from "../../src/domain/facts/facts.ts";
import type { LiveIothread } from "../../src/domain/facts/live-thread.ts";
import type { Live, Slot, Vcpu } from "../../src/domain/facts/live.ts";
import type { Dimm, VirtioMem } from "../../src/domain/facts/memory-devices.ts";
import type { Scope } from "../../src/domain/model/change.ts";
import type { Change } from "../../src/domain/resources/registry.ts";

export const MIB: number = 2 ** 20;
export const GIB: number = 2 ** 30;

/** Arguments of a config whose guest can give memory back. */
export const BALLOON: readonly string[] = ["-device", "virtio-balloon-pci,id=balloon0"];

/** Arguments that bring a virtio-mem device `vm0` with 4 GiB behind it. */
export const VIRTIO_MEM: readonly string[] = [
  ...["-object", "memory-backend-ram,id=vm0-ram,size=4G"],
  ...["-device", "virtio-mem-pci,id=vm0,memdev=vm0-ram"],
];

/** A virtio-mem device as it is read, with 4 GiB behind it; it gives its target, if nothing else is said. */
export function virtioMemOf(
  target: number,
  { size = target, id = "vm0" }: { readonly size?: number; readonly id?: string } = {},
): VirtioMem {
  return { type: "virtio-mem", id, size, memdev: `${id}-ram`, node: 0, resizable: { target, most: 4 * GIB, block: 2 * MIB } };
}

/** A DIMM as it is read, on a backend of ours. */
export function dimmOf(size: number, id = "dimm1"): Dimm {
  return { type: "dimm", id, size, memdev: `${id}-ram`, node: 0, slot: 0 };
}

/** What a test wants different of a config; nested objects are merged one level deep. */
export interface ConfigChanges {
  readonly memory?: Partial<LaunchConfig["memory"]>;
  readonly vcpus?: Partial<LaunchConfig["vcpus"]>;
  readonly args?: readonly string[];
}

/** A config with 2 GiB of which the guest has 1, room for 4 vCPUs and 2 of them, and a balloon. */
export function configOf({ memory, vcpus, args }: ConfigChanges = {}): LaunchConfig {
  return {
    name: "web1",
    emulator: "qemu-system-x86_64",
    memory: { max: 2 * GIB, current: GIB, ...memory },
    vcpus: { max: 4, current: 2, pin: {}, ...vcpus },
    args: args ?? BALLOON,
  };
}

/** The text of such a config, as it stands in a file. */
export function textOf(config: LaunchConfig): string {
  const mib = (bytes: number): string => `${bytes / MIB}MiB`;
  const { max, current, min, hotplug, plugged } = config.memory;
  const memory = {
    max: mib(max),
    current: mib(current),
    ...(min === undefined ? {} : { min: mib(min) }),
    ...(hotplug === undefined ? {} : { hotplug: { ...hotplug, limit: mib(hotplug.limit) } }),
    ...(plugged === undefined ? {} : { plugged: Object.fromEntries(Object.entries(plugged).map(([id, size]) => [id, mib(size)])) }),
  };
  return `${JSON.stringify({ ...config, memory }, null, 2)}\n`;
}

/** The slots of a machine: `plugged` of them from the lowest on, each of `size` vCPUs. */
export function slotsOf(total: number, plugged: number, size = 1): readonly Slot[] {
  return Array.from({ length: total / size }, (_, position) =>
    slotOf(position * size, { plugged: position * size < plugged, count: size }),
  );
}

/** One slot; a plugged one has the id that we give, vCPU 0 is QEMU's own. */
export function slotOf(
  first: number,
  { plugged = false, count = 1, ejected = false }: { plugged?: boolean; count?: number; ejected?: boolean } = {},
): Slot {
  const device = !plugged ? null : first === 0 ? "/machine/unattached/device[0]" : `vcpu${first}`;
  return { first, count, type: "max-x86_64-cpu", props: { "core-id": first / count, "thread-id": 0 }, plugged, device, ejected };
}

/** The vCPUs that stand in these slots, each with a thread of its own and all CPUs of the host. */
export function vcpusIn(slots: readonly Slot[], affinity: string | null = "0-3"): readonly Vcpu[] {
  return slots
    .filter((slot) => slot.plugged)
    .flatMap(({ first, count }) => Array.from({ length: count }, (_, offset) => vcpuOf(first + offset, affinity)));
}

export function vcpuOf(index: number, affinity: string | null): Vcpu {
  return { index, tid: 4000 + index, qomPath: `/machine/peripheral/vcpu${index}`, affinity };
}

/** A machine as it runs from `configOf()`: 1 GiB of 2, 2 vCPUs of 4, no iothreads, under KVM, on a host with CPUs 0 to 3. */
export function liveOf(changes: Partial<Live> = {}): Live {
  const slots = changes.slots ?? slotsOf(4, 2);
  const vcpus = changes.vcpus ?? vcpusIn(slots);
  return {
    status: "running",
    running: true,
    version: { major: 10, text: "10.0.0" },
    tcg: false,
    pid: 4000,
    pinObstacle: null,
    memory: { size: 2 * GIB, actual: GIB, balloon: "/machine/peripheral/balloon0", guest: null },
    slots,
    vcpus,
    maxVcpus: slots.reduce((sum, slot) => sum + slot.count, 0),
    ids: new Set(slots.flatMap(({ device, first }) => (device === null || first === 0 ? [] : [device]))),
    migration: null,
    mainAffinity: cpus(0, 1, 2, 3),
    iothreads: [],
    ownThreads: [{ tid: 4000, affinity: "0-3", policy: "other" }],
    scheduling: { vcpus: new Map(vcpus.map(({ index }) => [index, "other"])), main: "other", rights: { highest: 99, leavesIdle: true } },
    cpuGroup: cpuGroupOf(),
    vhost: [{ tid: 4200, affinity: "0-3" }],
    ...changes,
  };
}

/** A disk of a running machine: `disk0`, with 1 MiB, and without limits. */
export function diskOf({ name = "disk0", ...medium }: Partial<LiveMedium> & { readonly name?: string } = {}): LiveDisk {
  const qdev = `/machine/peripheral/${name}/virtio-backend`;
  const limited = Object.keys(medium.limits ?? {}).length > 0;
  const usual = { node: name, file: "/d.raw", format: "raw", size: MIB, readOnly: false, limits: {}, throttleNode: null };
  return {
    ...{ name, names: [name, qdev], qdev, drive: null, removable: false, locked: false, trayOpen: false },
    medium: { ...usual, group: limited ? qdev : null, ...medium },
  };
}

/** A CD drive of a running machine, `cd0`, with that file in it, or with nothing. */
export function driveOf(file: string | null, { name = "cd0", ...changes }: Partial<LiveDisk> = {}): LiveDisk {
  const { medium } = diskOf({ ...(file === null ? {} : { file }), node: "#block001", readOnly: true });
  const drive = { name, names: [name], qdev: name, drive: null, removable: true, locked: false, trayOpen: false };
  return { ...drive, medium: file === null ? null : medium, ...changes };
}

/** A group of systemd's that QEMU has to itself, with no quota and the usual weight. */
export function cpuGroupOf(changes: Partial<LiveCpuGroup> = {}): LiveCpuGroup {
  const path = "/machine.slice/web1.scope";
  return {
    group: { path, folder: `/sys/fs/cgroup${path}`, version: 2 },
    unit: { name: "web1.scope", user: null, isOneshot: false, endsWithUs: false, delegates: false },
    isOwn: true,
    quota: "none",
    weight: 100,
    above: null,
    obstacle: null,
    ...changes,
  };
}

/** An iothread as QEMU makes it: all CPUs, nothing set, nobody uses it. */
export function iothreadOf(id: string, changes: Partial<LiveIothread> = {}): LiveIothread {
  const settings = { "poll-max-ns": 32768, "poll-grow": 0, "poll-shrink": 0, "thread-pool-min": 0, "thread-pool-max": 64 };
  return { id, tid: 4100, affinity: "0-3", policy: "other", settings, weighs: false, users: [], ...changes };
}

export function cpus(...numbers: readonly number[]): ReadonlySet<number> {
  return new Set(numbers);
}

/** Facts of a running domain on a host with CPUs 0 to 3, and a fourth one more that is offline. */
export function factsOf(changes: Partial<Facts> = {}): LiveFacts {
  return runningFacts(changes) as LiveFacts;
}

function runningFacts(changes: Partial<Facts>): Facts {
  return {
    state: "running",
    config: configOf(),
    live: liveOf(),
    asked: {},
    online: cpus(0, 1, 2, 3),
    present: cpus(0, 1, 2, 3, 4),
    ...changes,
  };
}

/** Facts of a domain that does not run. */
export function stoppedFacts(changes: Partial<Facts> = {}): Facts {
  return runningFacts({ state: "stopped", live: null, ...changes });
}

/** A plan from facts: the config stands in its file, which has so many names, as `textOf` writes it. */
export function planOf(changes: Change | readonly Change[], scope: Scope, facts: Facts = factsOf(), force = false, links?: number): Plan {
  const stored =
    facts.config === null ? null : { path: "/etc/qmpctl/web1.json", text: textOf(facts.config), ...(links === undefined ? {} : { links }) };
  return plan({ name: "web1", changes: "resource" in changes ? [changes] : changes, scope, force, facts, stored });
}

/** Only why it is refused. */
export function reasonsOf({ refusals }: Plan): readonly string[] {
  return refusals.map(({ leg, reason }) => `${leg}: ${reason}`);
}

/** The lines of a text that another one has otherwise. */
export function changedLines(before: string, after: string | null): readonly string[] {
  const old = new Set(before.split("\n"));
  return (after ?? "")
    .split("\n")
    .filter((line) => !old.has(line))
    .map((line) => line.trim());
}
