/// <reference lib="esnext.disposable" />
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { toCommandLine } from "../../src/config/argv.ts";
import type { LaunchConfig } from "../../src/config/launch.ts";
import { openFolder, runtimePaths, statePaths } from "../../src/config/runtime.ts";
import { readConfig } from "../../src/config/store.ts";
import { Domain } from "../../src/domain/domain.ts";
import { machineIdOf } from "../../src/domain/machine/machine-id.ts";
import { placeOf } from "../../src/domain/machine/place.ts";
import { readPolicy, setPolicy } from "../../src/host/chrt.ts";
import { parseCpuList } from "../../src/host/cpulist.ts";
import { setAffinity } from "../../src/host/taskset.ts";
import { threadsOf } from "../../src/host/threads.ts";
import { type ReplayServer, startReplay } from "../../src/testing/index.ts";
import { ownGroupFor } from "../lab/cpu-group.ts";
import { BALLOON, configOf, GIB, textOf } from "../lab/facts.ts";
import { DEVICE, deviceWordsIf, PORT_ARGS } from "../lab/fake-devices.ts";
import { DISK_ARGS, DRIVE_ARGS } from "../lab/fake-disks.ts";
import { type FakeGuest, startFakeGuest } from "../lab/fake-guest.ts";
import { FakeQemu } from "../lab/fake-qemu.ts";
import { privateFolder } from "../lab/machine.ts";
import { IOTHREAD_ARGS, lookAtThreads, lookAtWorkers } from "./look-threads.ts";
import { shareIn } from "./model-cpu.ts";
import { devicesOf, VIRTIO_MEM_ARGS } from "./model-memory.ts";
import { Proxy } from "./proxy.ts";
import { type Kind, type Look, maskOf, type Rig } from "./rig.ts";
import type { Tids } from "./tids.ts";

/** A domain with a fake QEMU: a process with threads, and a monitor that answers for it. */
export interface FakeRig extends Rig {
  readonly qemu: FakeQemu;
  readonly monitor: ReplayServer;
  readonly guest: FakeGuest;
}

/** A program with more threads than Node's own, as those that read a file stay. One calls itself as a thread of a vhost device. */
const STAND_IN = `const fs = require("node:fs"), { pid } = process;
fs.readFile("/proc/self/stat", () => {
  fs.writeFileSync(\`/proc/self/task/\${fs.readdirSync("/proc/self/task").map(Number).sort((a, b) => a - b)[6]}/comm\`, \`vhost-\${pid}\`);
  console.log("up");
});
process.stdin.resume()`;

function startOf(shrinks: boolean): LaunchConfig {
  return configOf({
    memory: { hotplug: { slots: 4, limit: 16 * GIB } },
    vcpus: { current: shrinks ? 4 : 1 },
    args: [...BALLOON, ...VIRTIO_MEM_ARGS, ...DISK_ARGS, ...DRIVE_ARGS, ...IOTHREAD_ARGS, ...PORT_ARGS],
  });
}

/** Starts a fake with 1 of 2 GiB, no pins, and one of four vCPUs (`shrink`: all four). */
export async function openFake(kind: Kind = "usual"): Promise<FakeRig> {
  const shrinks = kind === "shrink";
  const folder = await privateFolder();
  const options = { configDir: join(folder.path, "etc"), runtimeDir: join(folder.path, "run"), stateDir: join(folder.path, "state") };
  const { config, folders } = await placeOf("web", options);
  if (config === null) throw new Error("web: has no place for a config");
  const configPath = config.path;
  const agentPath = join(folder.path, "agent.sock");
  await mkdir(options.configDir, { mode: 0o700 });
  await writeFile(configPath, textOf({ ...startOf(shrinks), name: "web", agent: agentPath }), { mode: 0o600 });
  const stored = await readConfig(config);
  const id = await machineIdOf(stored);
  const runtime = runtimePaths(folders, config.key);
  const books = statePaths(folders, id).folder;
  // A start makes these too, so a script can take the lock at once.
  for (const each of [runtime.folder, books]) await openFolder(each);
  // The product finds it by its command line, as it finds QEMU. It ends with us. Node takes its own options up to the first other word.
  const [emulator = "", ...words] = toCommandLine(stored.config, runtime, { id, path: configPath });
  const named = ["bash", "--norc", "-c", 'exec -a "$0" "$@"', emulator, process.execPath, "-e", STAND_IN, "stand-in.img"];
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", ...named, ...words], { stdio: ["pipe", "pipe", "inherit"] });
  await once(child.stdout, "data");
  const pid = child.pid ?? 0;
  await writeFile(runtime.pidfile, `${pid}\n`, { mode: 0o600 });
  const threads = (await threadsOf(pid)).slice(1, 5).map(({ tid }) => tid);
  const qemu = new FakeQemu(threads, { name: "web", id });
  const [iothread = 0, vhost = 0, spare = 0] = (await threadsOf(pid)).slice(5, 8).map(({ tid }) => tid);
  qemu.iothreads.set("io0", iothread);
  qemu.iothreads.users.set("scsi0", "io0");
  qemu.iothreads.spare = [spare];
  qemu.iothreads.onAdd = (tid) => inherit(tid, pid);
  qemu.memory.addVirtioMem("vm0", GIB);
  qemu.devices.add({ driver: "pcie-root-port", id: "rp1" });
  qemu.plugged.delete(1);
  if (shrinks) for (const vcpu of [1, 2, 3]) qemu.plugged.set(vcpu, `vcpu${vcpu}`);
  qemu.actual = GIB;
  const mask = await maskOf(pid);
  // A new vCPU has a new thread, which inherits the mask and the policy of the first thread.
  const group = await ownGroupFor(pid);
  // A new vCPU has a new thread, which inherits the mask of the first thread.
  let known = qemu.plugged.size;
  qemu.after("device_del", () => (known = qemu.plugged.size));
  qemu.after("device_add", async () => {
    const grown = qemu.plugged.size > known;
    known = qemu.plugged.size;
    if (!grown) return;
    const last = threads[[...qemu.plugged.keys()].at(-1) ?? 0] ?? 0;
    await inherit(last, pid);
  });
  const guest = await startFakeGuest(qemu, `unix:${agentPath}`);
  const monitor = await startReplay({
    answers: qemu.answers as Record<string, (args: unknown) => unknown>,
    monitors: [
      { name: "control", address: `unix:${runtime.control}` },
      { name: "watch", address: `unix:${runtime.watch}` },
    ],
  });
  const proxy = await Proxy.before(runtime.control);
  const agent = await Proxy.before(agentPath);
  let gone = false;
  const killQemu = async (): Promise<void> => {
    if (gone) return;
    gone = true;
    const ended = once(child, "close");
    child.kill("SIGKILL");
    await ended;
    await monitor.exit();
  };
  const tids = (): Tids => ({
    main: pid,
    vcpus: Object.fromEntries([...qemu.plugged.keys()].map((vcpu) => [vcpu, threads[vcpu] ?? 0])),
    iothreads: Object.fromEntries(qemu.iothreads.tids),
    polling: Object.fromEntries(qemu.iothreads.polling),
    vhost,
  });
  const look = async (): Promise<Look | null> => {
    if (gone) return null;
    const masks = await Promise.all([...qemu.plugged.keys()].map(async (vcpu) => [vcpu, await maskOf(threads[vcpu] ?? 0)] as const));
    return {
      memory: qemu.actual + qemu.memory.dimms,
      vcpus: qemu.plugged.size,
      masks: Object.fromEntries(masks),
      offline: [...guest.offline].filter((vcpu) => qemu.plugged.has(vcpu)).sort(),
      emulator: await maskOf(pid),
      workers: await lookAtWorkers(tids(), [...threads, iothread, spare]),
      threads: await lookAtThreads(tids()),
      disk: qemu.disk.text,
      medium: qemu.disk.medium,
      period: qemu.polling,
      devices: devicesOf(qemu.memory.devices),
      share: await shareIn(group),
      device: deviceWordsIf(qemu.devices.plugged.has(DEVICE)),
    };
  };
  return {
    name: "fake",
    real: false,
    replugs: true,
    ends: shrinks
      ? { pinned: [], base: { memory: "1GiB", vcpus: 4, mask }, wanted: { memory: "1GiB", vcpus: 2, mask } }
      : { pinned: [0, 1, 2], base: { memory: "1GiB", vcpus: 1, mask }, wanted: { memory: "512MiB", vcpus: 4, mask: "0" } },
    limits: { maxMemory: 2048, maxVcpus: 4 },
    configPath,
    runtime: runtime.folder,
    books,
    options,
    domain: await Domain.open("web", options),
    proxy,
    agent,
    pid,
    tids: async () => tids(),
    qemu,
    monitor,
    guest,
    look,
    killQemu,
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      await agent[Symbol.asyncDispose]();
      await guest[Symbol.asyncDispose]();
      await killQemu();
      await group?.[Symbol.asyncDispose]();
      await monitor.close().catch(() => undefined);
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** A new thread has the mask and the policy of the one that started it. */
async function inherit(tid: number, from: number): Promise<void> {
  await setPolicy(tid, readPolicy(from));
  const inherited = await maskOf(from);
  if ((await maskOf(tid)) !== inherited) await setAffinity(tid, parseCpuList(inherited));
}
