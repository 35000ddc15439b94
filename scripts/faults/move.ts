import type { Scope } from "../../src/domain/model/change.ts";
import type { Change, Resource } from "../../src/domain/resources/registry.ts";
import { DEVICE, deviceWordsIf } from "../lab/fake-devices.ts";
import { DISK, DISK_SIZE, DRIVE, MEDIUM } from "../lab/fake-disks.ts";
import { fractionsFrom } from "../lab/fractions.ts";
import { MIB } from "./model.ts";

/** What goes wrong at a QEMU command: QEMU refuses it, the connection breaks, we are interrupted, the config is edited, QEMU is killed. */
export interface Mishap {
  readonly kind: "refuse" | "break" | "interrupt" | "edit" | "kill";
  readonly command:
    | "balloon"
    | "device_add"
    | "device_del"
    | "object-add"
    | "object-del"
    | "qom-set"
    | "query-cpus-fast"
    | "block_set_io_throttle"
    | "blockdev-change-medium"
    | "blockdev-open-tray";
}

/** One step of a sequence. */
export interface Move {
  readonly changes: readonly Change[];
  readonly scope: Scope;
  readonly mishap: Mishap | null;
  /** The guest is paused meanwhile. Only for fakes: a real guest could not do its part. */
  readonly paused: boolean;
}

/** Policies that starve nobody. */
const POLICIES = ["other", "batch", "idle"];

/** The values that moves choose from. */
export interface Choices {
  readonly sizes: readonly number[];
  readonly maxSizes: readonly number[];
  readonly plugged: readonly number[];
  readonly dimms: readonly number[];
  readonly counts: readonly number[];
  readonly maxCounts: readonly number[];
  /** Lists of vCPUs to be plugged and unplugged by number. */
  readonly online: readonly string[];
  /** How many vCPUs the guest is to use; none where it has no agent. */
  readonly guest: readonly number[];
  readonly masks: readonly string[];
  /** Whether the last move may kill QEMU. Set it if a new QEMU is cheap. */
  readonly kills: boolean;
}

/** Makes a sequence from a seed. */
export function movesOf(seed: number, length: number, choices: Choices): readonly Move[] {
  const random = fractionsFrom(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  // One for each resource in the registry. A new resource without a move does not compile.
  const makers: { readonly [R in Resource]: () => Change & { readonly resource: R } } = {
    memory: () => ({ resource: "memory", size: pick(choices.sizes) * MIB }),
    "vcpus-online": () => chosen(pick(choices.online), pick([true, false])),
    vcpus: () => ({ resource: "vcpus", count: pick(choices.counts) }),
    "vcpu-pin": () => ({ resource: "vcpu-pin", vcpu: pick([0, 1, 2]), cpus: pick(choices.masks) }),
    "memory-period": () => ({ resource: "memory-period", seconds: pick([0, 1, 5, 30]) }),
    "emulator-pin": () => ({ resource: "emulator-pin", cpus: pick(choices.masks) }),
    "iothread-pin": () => ({ resource: "iothread-pin", iothread: pick(["io0", "io0", "io1"]), cpus: pick(choices.masks) }),
    "vhost-pin": () => ({ resource: "vhost-pin", cpus: pick(choices.masks) }),
    "disk-throttle": () => ({ resource: "disk-throttle", disk: DISK, limits: pick(["none", "iops=100", "bps=1048576"]) }),
    // The disk of the rigs can't grow: a test of its own does that, as nothing takes it back.
    "disk-size": () => ({ resource: "disk-size", disk: DISK, size: pick([DISK_SIZE, DISK_SIZE, DISK_SIZE / 2]) }),
    "disk-medium": () => ({ resource: "disk-medium", disk: DRIVE, medium: pick(["none", MEDIUM]) }),
    iothread: () => ({ resource: "iothread", iothread: pick(["io1", "io1", "io1", "io0"]), state: pick(["present", "absent"]) }),
    "iothread-set": () => ({
      resource: "iothread-set",
      iothread: pick(["io0", "io1"]),
      settings: pick(["poll-max-ns=0", "poll-max-ns=5000"]),
    }),
    "vcpu-sched": () => ({ resource: "vcpu-sched", vcpu: pick([0, 1, 2]), policy: pick(POLICIES) }),
    "emulator-sched": () => ({ resource: "emulator-sched", policy: pick(POLICIES) }),
    "iothread-sched": () => ({ resource: "iothread-sched", iothread: pick(["io0", "io0", "io1"]), policy: pick(POLICIES) }),
    // In the model it has its room by itself: see model-memory.ts.
    dimm: () => ({ resource: "dimm", id: pick(["dimm1", "dimm2"]), size: pick(choices.dimms) * MIB, node: 0 }),
    "memory-plugged": () => ({ resource: "memory-plugged", id: pick(["vm0", "vm0", "vm0", "vm1"]), size: pick(choices.plugged) * MIB }),
    "cpu-quota": () => ({ resource: "cpu-quota", quota: pick(["50%", "150%", "none"]) }),
    "cpu-weight": () => ({ resource: "cpu-weight", weight: pick([50, 100, 300]) }),
    "guest-vcpus": () => ({ resource: "guest-vcpus", count: pick(choices.guest), how: "exactly" }),
    device: () => ({ resource: "device", id: DEVICE, words: deviceWordsIf(random() < 0.5) }),
    "max-memory": () => ({ resource: "max-memory", size: pick(choices.maxSizes) * MIB }),
    "max-vcpus": () => ({ resource: "max-vcpus", count: pick(choices.maxCounts) }),
  };
  return Array.from({ length }, (_, position) => {
    // The maxima are only for the next start, and not every host has a share to give, so these are rarer.
    const made = Object.entries(makers)
      .filter(([resource]) => random() < (/^(max|cpu|guest)-/.test(resource) ? 0.1 : 0.45))
      .filter(([resource]) => resource !== "guest-vcpus" || choices.guest.length > 0)
      .map(([, make]) => make());
    const changes = withoutClashes(made);
    const scope = pick<Scope>(["current", "static", "dynamic", "both", "both"]);
    const wanted = changes.length > 0 ? changes : [makers.memory()];
    const mishaps: readonly Mishap["kind"][] = [
      "refuse",
      "break",
      "interrupt",
      "edit",
      ...(choices.kills && position === length - 1 ? (["kill"] as const) : []),
    ];
    const mishap = random() < 0.4 ? mishapAt(pick(mishaps), wanted, pick) : null;
    return { changes: wanted, scope, mishap, paused: random() < 0.2 };
  });
}

/** These say the same thing in several ways, and a set has one of them: how many vCPUs there are, which, how many the guest uses. */
function withoutClashes(made: readonly Change[]): readonly Change[] {
  const ways: readonly Resource[] = ["vcpus", "vcpus-online", "guest-vcpus"];
  const [first] = ways.filter((way) => made.some(({ resource }) => resource === way));
  return made.filter(({ resource }) => resource === first || !ways.includes(resource));
}

function chosen(vcpus: string, on: boolean): Change & { readonly resource: "vcpus-online" } {
  return { resource: "vcpus-online", vcpus, online: on ? vcpus : "none" };
}

/** The commands that a change may send. */
const SENT: { readonly [R in Resource]?: readonly Mishap["command"][] } = {
  memory: ["balloon"],
  vcpus: ["device_add", "device_del"],
  "vcpus-online": ["device_add", "device_del"],
  dimm: ["object-add", "device_add", "device_del", "object-del"],
  "memory-plugged": ["qom-set"],
  "memory-period": ["qom-set"],
  "disk-throttle": ["block_set_io_throttle"],
  "disk-medium": ["blockdev-change-medium", "blockdev-open-tray"],
  device: ["device_add", "device_del"],
  iothread: ["object-add", "object-del"],
  "iothread-set": ["qom-set"],
};

/** These are asked for by a command that the guest's own word is asked by too. */
const ASKING: ReadonlySet<string> = new Set(["memory-plugged", "memory-period", "iothread-set"]);

/** A mishap at a command that these changes may send, or at the first query, before anything is touched. */
function mishapAt(kind: Mishap["kind"], changes: readonly Change[], pick: <T>(items: readonly T[]) => T): Mishap {
  // A backend that QEMU keeps is asked for again, and the change succeeds. The guest is asked by qom-set what it uses, before the balloon
  // is moved.
  const asks = changes.some(({ resource }) => resource === "memory");
  const isAskedAgain = kind === "refuse" && changes.some(({ resource }) => resource === "dimm");
  const sent = changes.flatMap(({ resource }): readonly Mishap["command"][] =>
    asks && ASKING.has(resource) ? [] : (SENT[resource] ?? []).filter((command) => !isAskedAgain || command !== "object-del"),
  );
  const asked: readonly Mishap["command"][] = kind === "break" || kind === "edit" ? ["query-cpus-fast"] : [];
  return { kind, command: pick([...sent, ...asked, ...(sent.length + asked.length > 0 ? [] : (["balloon"] as const))]) };
}
