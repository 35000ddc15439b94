import type { Change, WantedAllocation } from "../../src/domain/resources/registry.ts";
import { setPolicy } from "../../src/host/chrt.ts";
import { parseCpuList } from "../../src/host/cpulist.ts";
import { setAffinity } from "../../src/host/taskset.ts";
import { DEVICE, DEVICE_WORDS, deviceWordsIf } from "../lab/fake-devices.ts";
import type { Call } from "./gate.ts";
import { policyOf } from "./look-threads.ts";
import { MIB } from "./model.ts";
import type { Passing } from "./proxy.ts";
import type { Kind, Look, Rig } from "./rig.ts";
import type { Tids } from "./tids.ts";

/** A point of a change at which something can go wrong: a message to QEMU or to the guest's agent, or a call of the host. */
export interface Point {
  readonly name: string;
  /** Whether a message that is sent is the one. */
  readonly message?: (passing: Passing) => boolean;
  /** The same of one to the agent. */
  readonly agent?: (passing: Passing) => boolean;
  readonly call?: (call: Call, tids: Tids) => boolean;
  /** Whether it goes on when it is refused once, as something is asked for again. */
  readonly insists?: true;
  /** What the guest is asked for here can't be taken back: whether it has done it. */
  readonly isGone?: (look: Look) => boolean;
  /** The machines of real QEMUs have not got it. */
  readonly onlyFake?: true;
}

/** A set of changes of many resources, what the machine has before it, and the points that it has. */
export interface Task {
  readonly name: string;
  readonly kind: Kind;
  readonly scope: "both" | "dynamic";
  /** Makes the machine ready, once. */
  readonly prepare: (rig: Rig) => Promise<unknown>;
  /** What the running machine has by then that its config does not say. */
  readonly odd?: readonly Change[];
  readonly wanted: (rig: Rig) => Promise<WantedAllocation>;
  readonly points: readonly Point[];
  /** Only where an unplugged vCPU can be plugged again. */
  readonly replugs?: true;
}

const sends =
  (command: string, text: string): NonNullable<Point["message"]> =>
  (passing) =>
    passing.command === command && passing.text.includes(text);

const runs =
  (tool: string, whose: (tid: number, tids: Tids) => boolean): NonNullable<Point["call"]> =>
  (call, tids) =>
    call.tool === tool && whose(Number(call.args.at(-1)), tids);

const writes =
  (file: RegExp): NonNullable<Point["call"]> =>
  ({ tool, args }) =>
    tool === "write" && file.test(args[0] ?? "");

const iothread = (id: string) => (tid: number, tids: Tids) => tids.iothreads[id] === tid;
const vcpu = (index: number) => (tid: number, tids: Tids) => tids.vcpus[index] === tid;
const main = (tid: number, tids: Tids): boolean => tids.main === tid;
const vhost = (tid: number, tids: Tids): boolean => tids.vhost === tid;
const worker = (tid: number, tids: Tids): boolean =>
  !main(tid, tids) && !vhost(tid, tids) && ![...Object.values(tids.vcpus), ...Object.values(tids.iothreads)].includes(tid);

/** Gives one worker a mask and a policy of its own, past the product. */
async function oddWorker(rig: Rig): Promise<void> {
  const tids = await rig.tids();
  const [tid] = Object.keys((await rig.look())?.workers ?? {})
    .map(Number)
    .filter((each) => worker(each, tids));
  if (tid === undefined) throw new Error("QEMU has no worker");
  await setAffinity(tid, parseCpuList("1"));
  if ((await policyOf(tid)) !== "idle") await setPolicy(tid, "idle");
}

/** What a share of the CPUs needs. */
async function hasShare(rig: Rig): Promise<boolean> {
  return (await rig.look())?.share != null;
}

const threads: Task = {
  name: "threads",
  kind: "usual",
  scope: "both",
  prepare: oddWorker,
  wanted: async (rig) => ({
    iothreads: { set: { io0: { "poll-max-ns": 5000 } } },
    threads: {
      emulator: "0",
      emulatorSched: "batch",
      iothreads: { io0: "0" },
      iothreadsSched: { io0: "batch" },
      ...(rig.real ? {} : { vhost: "0" }),
    },
    vcpus: { sched: { 0: "batch" } },
    ...((await hasShare(rig)) ? { cpu: { quota: "150%", weight: 300 } } : {}),
  }),
  points: [
    { name: "iothread-set", message: sends("qom-set", '"poll-max-ns"') },
    { name: "iothread-pin", call: runs("taskset", iothread("io0")) },
    { name: "iothread-sched", call: runs("chrt", iothread("io0")) },
    { name: "emulator-pin", call: runs("taskset", main) },
    { name: "emulator-pin, a worker", call: runs("taskset", worker) },
    { name: "emulator-sched", call: runs("chrt", main) },
    { name: "emulator-sched, a worker", call: runs("chrt", worker) },
    { name: "vhost-pin", call: runs("taskset", vhost), onlyFake: true },
    { name: "vcpu-sched", call: runs("chrt", vcpu(0)) },
    { name: "cpu-quota", call: writes(/cpu\.max$|cpu\.cfs_quota_us$/) },
    { name: "cpu-weight", call: writes(/cpu\.weight$|cpu\.shares$/) },
  ],
};

/** What is set of the iothread to come, and waits for it in the config. */
const FOR_IO1: readonly Change[] = [
  { resource: "iothread-pin", iothread: "io1", cpus: "1" },
  { resource: "iothread-sched", iothread: "io1", policy: "idle" },
];

const coming: Task = {
  name: "coming",
  kind: "usual",
  scope: "both",
  prepare: ({ domain }) => domain.change(FOR_IO1, { scope: "static" }),
  wanted: async () => ({
    iothreads: { present: { io1: true } },
    memory: { plugged: { vm0: "128MiB" }, dimms: { dimm1: "128MiB" } },
    devices: { present: { [DEVICE]: DEVICE_WORDS } },
  }),
  points: [
    { name: "iothread add", message: sends("object-add", '"iothread"') },
    { name: "its pin", call: runs("taskset", iothread("io1")) },
    { name: "its policy", call: runs("chrt", iothread("io1")) },
    { name: "DIMM's backend", message: sends("object-add", '"memory-backend-ram"') },
    { name: "DIMM plug", message: sends("device_add", '"pc-dimm"') },
    { name: "attach", message: sends("device_add", `"${DEVICE}"`) },
    { name: "memory-plugged", message: sends("qom-set", '"requested-size"') },
  ],
};

/** The iothread has what its config does not say. */
const OF_IO1: readonly Change[] = [...FOR_IO1, { resource: "iothread-set", iothread: "io1", settings: "poll-max-ns=5000" }];

const leaving: Task = {
  name: "leaving",
  kind: "usual",
  scope: "both",
  prepare: async ({ domain }) => {
    const there: readonly Change[] = [
      { resource: "iothread", iothread: "io1", state: "present" },
      { resource: "dimm", id: "dimm1", size: 128 * MIB, node: 0 },
      { resource: "memory-plugged", id: "vm0", size: 128 * MIB },
      { resource: "device", id: DEVICE, words: deviceWordsIf(true) },
    ];
    await domain.change(there, { scope: "both", timeout: 20_000 });
  },
  odd: OF_IO1,
  wanted: async () => ({
    iothreads: { present: { io1: false } },
    memory: { plugged: { vm0: "0MiB" }, dimms: { dimm1: null } },
    devices: { present: { [DEVICE]: null } },
  }),
  points: [
    { name: "DIMM unplug", message: sends("device_del", '"dimm1"'), isGone: ({ devices }) => devices["dimm dimm1"] === undefined },
    { name: "its backend", message: sends("object-del", '"dimm1-ram"'), insists: true },
    { name: "memory-plugged", message: sends("qom-set", '"requested-size"') },
    { name: "iothread del", message: sends("object-del", '"io1"') },
    { name: "detach", message: sends("device_del", `"${DEVICE}"`), isGone: ({ device }) => device === "absent" },
  ],
};

const chosen: Task = {
  name: "chosen vCPUs",
  kind: "usual",
  scope: "both",
  replugs: true,
  prepare: async ({ domain }) => {
    await domain.change([{ resource: "vcpus", count: 3 }], { scope: "both", timeout: 20_000 });
    const waiting: readonly Change[] = [
      { resource: "vcpu-pin", vcpu: 3, cpus: "0" },
      { resource: "vcpu-sched", vcpu: 3, policy: "batch" },
    ];
    await domain.change(waiting, { scope: "static" });
  },
  odd: [
    { resource: "vcpu-pin", vcpu: 1, cpus: "1" },
    { resource: "vcpu-sched", vcpu: 1, policy: "idle" },
  ],
  wanted: async () => ({ vcpus: { online: "0,2-3" } }),
  points: [
    { name: "vCPU plug", message: sends("device_add", '"core-id"') },
    { name: "its pin", call: runs("taskset", vcpu(3)) },
    { name: "its policy", call: runs("chrt", vcpu(3)) },
    { name: "vCPU unplug", message: ({ command }) => command === "device_del", isGone: ({ masks }) => masks[1] === undefined },
  ],
};

const guest: Task = {
  name: "guest",
  kind: "agent",
  scope: "dynamic",
  prepare: async (rig) => (rig.real ? undefined : rig.domain.change([{ resource: "vcpus", count: 3 }], { scope: "both" })),
  wanted: async () => ({ guest: { vcpus: 1 } }),
  points: [{ name: "guest-vcpus", agent: ({ command }) => command === "guest-set-vcpus" }],
};

/** Every task. Each has a machine of its own. */
export const TASKS: readonly Task[] = [threads, coming, leaving, chosen, guest];
