import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Allowed } from "./check.ts";
import type { FakeRig } from "./fake-rig.ts";
import type { Fault, Trial, Tried } from "./faults.ts";

const run = promisify(execFile);

function fakeOf({ rig }: Trial): FakeRig {
  return rig as FakeRig;
}

/** A machine that misbehaves from the start. Before the next command it behaves again. */
function misbehaving(prepare: (rig: FakeRig) => (() => unknown) | void, allowed: Allowed, ...words: readonly string[]): Fault["run"] {
  return async (trial): Promise<Tried> => {
    const rig = fakeOf(trial);
    const repair = prepare(rig);
    const ended = await trial.start({}, ...words).ended;
    return { ended, allowed, reached: true, ...(repair === undefined ? {} : { repair: async () => repair() }) };
  };
}

/** A command of QEMU's that answers otherwise until it is repaired. */
function answering(rig: FakeRig, command: string, otherwise: (args: any, usual: (args: any) => unknown) => unknown): () => void {
  const usual = rig.qemu.answers[command] as (args: any) => unknown;
  rig.qemu.answers[command] = ((args: any) => otherwise(args, usual)) as (args: never) => unknown;
  return () => void (rig.qemu.answers[command] = usual as (args: never) => unknown);
}

const thirdPlug: Fault["run"] = misbehaving((rig) => {
  const usual = rig.qemu.answers["device_add"];
  rig.qemu.refuses("device_add", "no room for it", (args: { id: string }) => args.id === "vcpu3");
  return () => void (rig.qemu.answers["device_add"] = usual as (args: never) => unknown);
}, { codes: [1] });

/** A balloon that stops on its way down, and moves on when it is asked again. */
const halfWay: Fault["run"] = misbehaving((rig) => {
  const repair = answering(rig, "balloon", ({ value }: { value: number }) => void (rig.qemu.actual = (rig.qemu.actual + value) / 2));
  return () => (repair(), undefined);
}, { codes: [5] }, "--timeout", "500ms");

const threadGone: Fault["run"] = misbehaving((rig) => {
  let asked = 0;
  const repair = answering(rig, "query-cpus-fast", (args, usual) => {
    // Read for the facts, and asked once more just before it is touched: gone in between.
    const cpus = usual(args) as readonly { readonly "cpu-index": number }[];
    return ++asked === 2 ? cpus.filter((cpu) => cpu["cpu-index"] !== 0) : cpus;
  });
  return repair;
}, { codes: [1] });

/** A taskset of our own in front of the host's: a shell script that is told which of its calls this is. */
function taskset(script: string, allowed: Allowed): Fault["run"] {
  return async (trial) => {
    const folder = join(trial.rig.runtime, "..", "bin");
    await mkdir(folder);
    const count = join(folder, "count");
    await writeFile(count, "");
    await writeFile(join(folder, "taskset"), `#!/bin/sh\necho >>${count}; n=$(wc -l <${count})\n${script}\nPATH=\${PATH#*:}; exec taskset "$@"\n`);
    await chmod(join(folder, "taskset"), 0o755);
    const ended = await trial.start({ path: folder }).ended;
    return { ended, allowed, reached: (await readFile(count, "utf8")).length > 0 };
  };
}

/** A guest that is to let go of vCPUs, and does what this says instead. */
function shrinking(answer: (rig: FakeRig, id: string) => unknown, allowed: Allowed, after: (rig: FakeRig) => unknown = () => undefined): Fault["run"] {
  return misbehaving((rig) => {
    const repair = answering(rig, "device_del", ({ id }: { id: string }) => answer(rig, id));
    return () => (repair(), after(rig));
  }, allowed, "--timeout", "700ms");
}

/** It refuses vCPU 3, and gives the others. */
const refused = shrinking((rig, id) => {
  if (id !== "vcpu3") rig.qemu.letGo(id);
  else rig.monitor.emit("ACPI_DEVICE_OST", { info: { device: id, slot: "3", "slot-type": "CPU", source: 3, status: 1 } });
}, { codes: [1] });

const fullDisk: Fault["run"] = async (trial) => {
  const folder = dirname(trial.rig.configPath);
  const name = trial.rig.configPath.slice(folder.length + 1);
  const text = await readFile(trial.rig.configPath);
  await run("mount", ["-t", "tmpfs", "-o", "size=64k,mode=700", "none", folder]);
  await writeFile(join(folder, name), text, { mode: 0o600 });
  await writeFile(join(folder, "ballast"), Buffer.alloc(1 << 20)).catch(() => undefined);
  const ended = await trial.start().ended;
  return { ended, allowed: { codes: [1] }, reached: true, repair: () => run("umount", [folder]) };
};

const readOnly: Fault["run"] = async (trial) => {
  const folder = dirname(trial.rig.configPath);
  await run("mount", ["--bind", folder, folder]);
  await run("mount", ["-o", "remount,bind,ro", folder]);
  const ended = await trial.start().ended;
  return { ended, allowed: { codes: [1] }, reached: true, repair: () => run("umount", [folder]) };
};

const heldByLiving: Fault["run"] = async (trial) => {
  const holder = spawn("flock", [join(trial.rig.runtime, "lock"), "sh", "-c", "echo held; read -r _"], { stdio: ["pipe", "pipe", "inherit"] });
  await once(holder.stdout, "data");
  const ended = await trial.start({}, "--timeout", "300ms").ended;
  const said = ended.stderr.includes(`locked by process ${holder.pid} `);
  holder.stdin.end("\n");
  await once(holder, "close");
  return { ended, allowed: { codes: said ? [3] : [] }, reached: true };
};

const heldByDead: Fault["run"] = async (trial) => {
  const holder = spawn("flock", ["-o", join(trial.rig.runtime, "lock"), "sh", "-c", "echo held; read -r _"], { stdio: ["pipe", "pipe", "inherit"] });
  await once(holder.stdout, "data");
  const ended = once(holder, "close");
  holder.kill("SIGKILL");
  holder.stdin.end();
  await ended;
  return { ended: await trial.start().ended, allowed: { codes: [0] }, reached: true };
};

const runtimeGone: Fault["run"] = async (trial) => {
  const away = `${trial.rig.runtime}.away`;
  let done = false;
  trial.rig.proxy.arm(async ({ from, command }) => {
    if (from === "client" && command === "balloon" && !done) {
      done = true;
      await rename(trial.rig.runtime, away);
    }
    return undefined;
  });
  const ended = await trial.start().ended;
  const repair = async (): Promise<void> => {
    await rm(trial.rig.runtime, { recursive: true, force: true });
    await rename(away, trial.rig.runtime);
    await rm(join(trial.rig.runtime, "journal"), { force: true });
  };
  return { ended, allowed: { codes: [0, 1] }, reached: done, repair };
};

/** Faults that a fake can have at will. */
export const FAKE_FAULTS: readonly Fault[] = [
  { name: "third device_add refused", steps: ["plug"], run: thirdPlug },
  { name: "balloon stuck half-way", steps: ["wait"], run: halfWay },
  { name: "vCPU gone before its pin", steps: ["pin"], run: threadGone },
  { name: "taskset fails on the 2nd of 3 threads", steps: ["pin"], run: taskset('[ "$n" = 2 ] && { echo "taskset: failed to set affinity: No such process" >&2; exit 1; }', { codes: [1] }) },
  { name: "taskset kills its caller", steps: ["pin"], run: taskset('[ "$n" = 2 ] && kill -KILL $PPID', { codes: [null] }) },
  { name: "taskset does nothing (mask narrowed)", steps: ["pin"], run: taskset('[ "$n" = 2 ] && exit 0', { codes: [1] }) },
  { name: "unplug refused by the guest", steps: ["unplug"], shrinks: true, run: refused },
  { name: "unplug pending", steps: ["unplug"], shrinks: true, run: shrinking(() => undefined, { codes: [5] }, (rig) => ["vcpu2", "vcpu3"].forEach((id) => rig.qemu.letGo(id))) },
  { name: "unplug done without an event", steps: ["unplug"], shrinks: true, run: shrinking((rig, id) => void setTimeout(() => rig.qemu.letGo(id), 100), { codes: [0] }) },
  { name: "lock held by the living", steps: ["lock"], run: heldByLiving },
  { name: "lock held by the dead", steps: ["lock"], run: heldByDead },
  { name: "run-time folder gone", steps: ["balloon"], run: runtimeGone },
];

/** Faults that take a file system of their own: only where one can be mounted, and where it can't, that is said. */
export async function mountFaults(): Promise<readonly Fault[]> {
  const folder = await mkdtemp(join(tmpdir(), "qmpctl-mount-"));
  try {
    await run("mount", ["-t", "tmpfs", "-o", "size=64k", "none", folder]);
    await run("umount", [folder]);
    return [{ name: "disk full (tmpfs)", steps: ["prepare"], run: fullDisk }, { name: "read-only (mount)", steps: ["prepare"], run: readOnly }];
  } catch (error) {
    console.log(`left out, as nothing can be mounted here: disk full (tmpfs), read-only (mount): ${(error as Error).message.trim().split("\n").at(-1)}`);
    return [];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
