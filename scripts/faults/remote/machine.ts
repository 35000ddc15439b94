/// <reference lib="esnext.disposable" />
import { once } from "node:events";
import { mkdir, readdir, readFile, readlink, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { deadlineIn } from "../../../src/deadline.ts";
import { DISK, DISK_ARGS, limitsText } from "../../lab/fake-disks.ts";
import { bootArgs, openConsole } from "../../lab/guest.ts";
import { type Harness, openHarness } from "../../lab/harness.ts";
import type { Host } from "../../lab/hosts.ts";
import { privateFolder, type Qemu } from "../../lab/machine.ts";
import { Proxy } from "../proxy.ts";
import { replugs } from "../real-rig.ts";
import { type Ends, type Look, type Rig } from "../rig.ts";

/** A machine on a host of the rig: what is changed, and what an independent look finds there. */
export interface FarMachine extends AsyncDisposable, Pick<Rig, "name" | "real" | "replugs" | "ends" | "configPath" | "proxy"> {
  readonly host: Host;
  readonly look: () => Promise<Look | null>;
  killQemu(): Promise<void>;
}

/** How often a machine is asked whether something is so by now. */
const PATIENCE = 120_000;

/** Defines a machine on a host by its config's text, and has it started by the words of `start`, with a guest in it. */
export async function openFar(qemu: Qemu, host: Host, start: (host: Host) => Promise<void>): Promise<FarMachine> {
  const folder = await privateFolder("qm-far-");
  const console = await openConsole(folder.path);
  const maxVcpus = replugs(qemu) ? 64 : 4;
  const config = {
    name: "web",
    emulator: qemu.binary,
    memory: { max: "512MiB", current: "512MiB" },
    vcpus: { max: maxVcpus, current: 1 },
    args: ["-nodefaults", "-no-user-config", ...bootArgs({ append: "no_timer_check" }), ...console.args, ...DISK_ARGS],
    monitor: join(folder.path, "harness.sock"),
  };
  await mkdir(join(host.folder, "config"), { recursive: true, mode: 0o700 });
  const configPath = join(host.folder, "config", "web.json");
  await writeFile(configPath, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  await start(host);
  const harness = await dial(join(folder.path, "harness.sock"));
  await console.booted(1, { timeout: PATIENCE });
  await console.next({ timeout: PATIENCE });
  const proxy = await Proxy.before(join(host.folder, "run", "web", "control.sock"));
  const look = lookAt(host, harness);
  const before = await look();
  return {
    name: `QEMU ${qemu.version}`,
    real: true,
    replugs: replugs(qemu),
    ends: endsOf(replugs(qemu), before?.masks["0"] ?? ""),
    configPath,
    proxy,
    host,
    look,
    killQemu: async () => {
      for (const { pid } of await processesOn(host, /qemu-system/)) process.kill(pid, "SIGKILL");
      await until(async () => (await processesOn(host, /qemu-system/)).length === 0, "QEMU is gone");
    },
    [Symbol.asyncDispose]: async () => {
      harness.close();
      await proxy[Symbol.asyncDispose]();
      await console[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

interface Dialled {
  readonly ask: Harness["ask"];
  readonly gone: () => boolean;
  close(): void;
}

/** QEMU's third monitor, with a client that shares no code with the product's. */
async function dial(path: string): Promise<Dialled> {
  const socket = connect(path);
  let isGone = false;
  const exited = once(socket, "close").then(() => {
    isGone = true;
    return { code: null, signal: null, stderr: "its monitor was closed" };
  });
  const { ask } = await openHarness(socket, exited, PATIENCE);
  return { ask, gone: () => isGone, close: () => void socket.destroy() };
}

interface Cpu {
  readonly "cpu-index": number;
  readonly "thread-id": number;
}

function lookAt(host: Host, { ask, gone }: Dialled): () => Promise<Look | null> {
  return async () => {
    if (gone()) return null;
    const [cpus, memory, blocks, period] = (await Promise.all([
      ask("query-cpus-fast"),
      ask("query-balloon"),
      ask("query-block"),
      ask("qom-get", { path: "/machine/peripheral/balloon0", property: "guest-stats-polling-interval" }),
    ])) as [readonly Cpu[], { actual: number }, readonly { qdev?: string; inserted?: Readonly<Record<string, unknown>> }[], number];
    const masks = await Promise.all(cpus.map(async (cpu) => [cpu["cpu-index"], await maskOn(host, cpu["thread-id"])] as const));
    return {
      memory: memory.actual,
      vcpus: cpus.length,
      masks: Object.fromEntries(masks),
      disk: limitsText(blocks.find(({ qdev }) => qdev?.includes(`/${DISK}/`))?.inserted ?? {}),
      period,
      ...{ emulator: "", workers: {}, threads: {}, medium: "none", devices: {}, share: null, device: "absent" },
    };
  };
}

/** A thread's mask, by its number on that host. */
async function maskOn(host: Host, tid: number): Promise<string> {
  const text = await readFile(`/proc/${host.init}/root/proc/${tid}/status`, "utf8").catch(() => "");
  return /^Cpus_allowed_list:\s*(\S+)$/m.exec(text)?.[1] ?? "gone";
}

function endsOf(back: boolean, mask: string): Ends {
  const [base, wanted] = [
    { memory: "512MiB", vcpus: 1, mask },
    { memory: "400MiB", vcpus: back ? 2 : 1, mask: "0" },
  ];
  return { pinned: back ? [0, 1] : [0], base, wanted };
}

/** A process of a host, by its number here. */
export interface FarProcess {
  readonly pid: number;
  readonly command: string;
}

/** The living processes of a host whose command line is of this kind. */
export async function processesOn(host: Host, kind: RegExp): Promise<readonly FarProcess[]> {
  const own = await readlink(`/proc/${host.init}/ns/pid`);
  const found = await Promise.all(
    (await readdir("/proc"))
      .filter((name) => /^\d+$/.test(name))
      .map(async (name): Promise<readonly FarProcess[]> => {
        const [space, command, stat] = await Promise.all([
          readlink(`/proc/${name}/ns/pid`).catch(() => ""),
          readFile(`/proc/${name}/cmdline`, "utf8").catch(() => ""),
          readFile(`/proc/${name}/stat`, "utf8").catch(() => ""),
        ]);
        const words = command.replaceAll("\0", " ").trim();
        return space === own && kind.test(words) && !/\) [ZX] /.test(stat) ? [{ pid: Number(name), command: words }] : [];
      }),
  );
  return found.flat();
}

/** Those that are ours: none may be left when a call is over. */
export async function oursOn(host: Host): Promise<readonly FarProcess[]> {
  return (await processesOn(host, /node|qmpctl|flock|taskset|chrt/)).filter(({ command }) => !/qemu-system|^sshd:|\/sshd /.test(command));
}

/** Looks again until it is so. @throws Error with what was waited for */
export async function until(isSo: () => Promise<boolean>, what: string, patience: number = PATIENCE): Promise<void> {
  const deadline = deadlineIn(patience);
  while (!(await isSo())) {
    if (deadline.left() === 0) throw new Error(`not so after ${patience / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
