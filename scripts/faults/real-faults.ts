import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Fault, Trial, Tried } from "./faults.ts";
import type { Passing } from "./proxy.ts";
import type { RealRig } from "./real-rig.ts";
import { type Look, maskOf } from "./rig.ts";

const MIB = 2 ** 20;

function realOf({ rig }: Trial): RealRig {
  return rig as RealRig;
}

/** Asks QEMU, without the product, until the answer is as wanted. */
async function until(rig: RealRig, wanted: (look: Look) => boolean): Promise<Look> {
  for (;;) {
    const look = await rig.look();
    if (look === null) throw new Error("QEMU is gone");
    if (wanted(look)) return look;
    // Looks again after the next word of the guest.
    await rig.scene.console.next();
  }
}

/** Does something at the first message that matches. */
async function atFirst(
  trial: Trial,
  meant: (passing: Passing) => boolean,
  act: (rig: RealRig, passing: Passing) => Promise<unknown>,
  ...words: readonly string[]
): Promise<Omit<Tried, "allowed">> {
  const rig = realOf(trial);
  let reached = false;
  rig.proxy.arm(async (passing) => {
    if (reached || !meant(passing)) return undefined;
    reached = true;
    await act(rig, passing);
    return undefined;
  });
  const ended = await trial.start({}, ...words).ended;
  rig.proxy.arm(undefined);
  return { ended, reached };
}

/** Another client is faster and takes the third slot. */
const thirdPlug: Fault["run"] = async (trial) => {
  const rig = realOf(trial);
  const before = await rig.look();
  const tried = await atFirst(
    trial,
    ({ from, command, nth }) => from === "client" && command === "device_add" && nth === 3,
    async (_, { text }) => {
      const { arguments: args } = JSON.parse(text) as { arguments: object };
      await rig.scene.ask("device_add", { ...args, id: "theirs" });
    },
  );
  const base = before === null ? null : { ...before, vcpus: before.vcpus + 1 };
  const repair = async (): Promise<void> => {
    await rig.scene.ask("device_del", { id: "theirs" });
    await until(rig, ({ vcpus }) => vcpus === before?.vcpus);
  };
  return { ...tried, allowed: { codes: [1], base }, ...(tried.reached ? { repair } : {}) };
};

/** The reply with the second thread to pin, before that thread is pinned. */
function beforeSecondPin(): (passing: Passing) => boolean {
  let plugging = false;
  let pins = 0;
  return ({ from, command }) => {
    plugging ||= command === "device_add";
    return plugging && from === "qemu" && command === "query-cpus-fast" && ++pins === 2;
  };
}

/** The vCPU of that thread. The first vCPU is not pinned if it has its mask already. */
function secondPinned({ ends: { base, wanted } }: RealRig): number {
  return base.mask === wanted.mask ? 2 : 1;
}

/** Another client unplugs a vCPU after we have read its thread and before we pin it. */
const threadGone: Fault["run"] = async (trial) => {
  const tried = await atFirst(trial, beforeSecondPin(), async (rig) => {
    const vcpu = secondPinned(rig);
    const tid = await rig.threadOf(vcpu);
    await rig.scene.ask("device_del", { id: `vcpu${vcpu}` });
    await until(rig, ({ masks }) => masks[vcpu] === undefined);
    while ((await maskOf(tid)) !== "gone") await rig.scene.console.next();
  });
  return { ...tried, allowed: { codes: [1] } };
};

const CPUSETS = "/sys/fs/cgroup/cpuset";

/** Why a thread can't be put into a cpuset here. Null: it can. */
async function cpusetObstacle(): Promise<string | null> {
  const folder = join(CPUSETS, `qmpctl-${process.pid}`);
  try {
    await mkdir(folder);
    await rmdir(folder);
    return null;
  } catch (error) {
    return `a thread can't be put into a cpuset (of cgroup version 1): ${(error as Error).message}`;
  }
}

/** The kernel lets the second vCPU's thread run on one CPU only. */
const cpuset: Fault["run"] = async (trial) => {
  const folder = join(CPUSETS, `qmpctl-${process.pid}-${trial.rig.pid}`);
  await mkdir(folder, { recursive: true });
  const last = trial.rig.ends.base.mask.split(/[-,]/).at(-1) ?? "";
  await writeFile(join(folder, "cpuset.mems"), "0");
  await writeFile(join(folder, "cpuset.cpus"), last);
  const tried = await atFirst(trial, beforeSecondPin(), async (rig) =>
    writeFile(join(folder, "tasks"), String(await rig.threadOf(secondPinned(rig)))),
  );
  return { ...tried, allowed: { codes: [1] }, repair: () => emptied(folder) };
};

/** Moves what is still in the cpuset back, and removes the cpuset. */
async function emptied(folder: string): Promise<void> {
  const tids = (await readFile(join(folder, "tasks"), "utf8")).trim().split("\n").filter(Boolean);
  for (const tid of tids) await writeFile(join(CPUSETS, "tasks"), tid).catch(() => undefined);
  await rmdir(folder);
}

/** A guest that runs out of memory to give, halfway. */
const halfWay: Fault["run"] = async (trial) => {
  const { scene } = realOf(trial);
  const { memFree } = await scene.console.next();
  // On a loaded host, a guest under emulation writes only a few MiB a second.
  await scene.console.tell(`hold ${Math.floor(memFree / MIB) - 60}`, { timeout: 300_000 });
  const ended = await trial.start({}, "--timeout", "3s").ended;
  const reason = ended.report?.changes[0]?.dynamic.reason ?? "";
  return { ended, allowed: { codes: [5] }, reached: /is at .* on its way/.test(reason), repair: () => scene.console.tell("release") };
};

const refused: Fault["run"] = async (trial) => {
  const { scene } = realOf(trial);
  await scene.console.tell("unplug refuse");
  const ended = await trial.start().ended;
  return {
    ended,
    allowed: { codes: [1] },
    reached: /the guest refused to let go of/.test(ended.stderr),
    repair: () => scene.console.tell("unplug allow"),
  };
};

/** The guest is stopped from the request until the command has ended. */
const pending: Fault["run"] = async (trial) => {
  const rig = realOf(trial);
  const tried = await atFirst(
    trial,
    ({ from, command }) => from === "client" && command === "device_del",
    () => rig.scene.ask("stop"),
    "--timeout",
    "2s",
  );
  const repair = async (): Promise<void> => {
    await rig.scene.ask("cont");
    await until(rig, ({ vcpus }) => vcpus === rig.ends.wanted.vcpus);
  };
  return { ...tried, allowed: { codes: [5] }, repair };
};

/** No event says that a vCPU has left. */
const withoutEvent: Fault["run"] = async (trial) => {
  let reached = false;
  trial.rig.proxy.arm(({ from, command }) => {
    if (from === "client" && command === "device_del") reached = true;
    // A message without a command is an event.
    return from === "qemu" && command === "" && reached ? "drop" : undefined;
  });
  const ended = await trial.start().ended;
  trial.rig.proxy.arm(undefined);
  return { ended, allowed: { codes: [0] }, reached };
};

/** Faults that need a real machine with a guest. */
export const REAL_FAULTS: readonly Fault[] = [
  { name: "third device_add refused", steps: ["plug"], kind: "grow", run: thirdPlug },
  { name: "vCPU gone before its pin", steps: ["pin"], kind: "grow", run: threadGone },
  { name: "taskset fails on the 2nd thread (cpuset)", steps: ["pin"], kind: "grow", run: cpuset, obstacle: cpusetObstacle },
  { name: "mask of the 2nd thread narrowed (cpuset)", steps: ["pin"], kind: "wide", run: cpuset, obstacle: cpusetObstacle },
  { name: "balloon stuck half-way", steps: ["wait"], kind: "full", run: halfWay },
  { name: "unplug refused by the guest", steps: ["unplug"], kind: "shrink", run: refused },
  { name: "unplug pending", steps: ["unplug"], kind: "shrink", run: pending },
  { name: "unplug done without an event", steps: ["unplug"], kind: "shrink", run: withoutEvent },
];
