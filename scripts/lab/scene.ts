/// <reference lib="esnext.disposable" />
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { watch } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { connect as dial, type Socket } from "node:net";
import { join } from "node:path";
import { Domain } from "../../src/domain/domain.ts";
import type { DomainOptions } from "../../src/domain/machine/place.ts";
import type { StartOptions, StartReport } from "../../src/domain/model/action.ts";
import type { Exit } from "./exit.ts";
import { bootArgs, chooseModernCpuHotplug, type GuestConsole, type GuestOptions, openConsole } from "./guest.ts";
import { type Harness, openHarness } from "./harness.ts";
import { killDaemon, privateFolder, type Qemu } from "./machine.ts";

export const MIB: number = 2 ** 20;

/** The domain of a scene. Default: the standard guest with 512 MiB and one vCPU of four. */
export interface SceneOptions {
  readonly name?: string;
  readonly memory?: Readonly<Record<string, unknown>>;
  readonly vcpus?: Readonly<Record<string, unknown>>;
  readonly guest?: GuestOptions;
  /** More arguments for QEMU. */
  readonly args?: readonly string[];
  /** QEMU logs each command, for `heard`. Then its stderr does not say why it ends. */
  readonly listen?: boolean;
}

/** The result of a run of the command line. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Defines a domain in its own folders, without a start. If its QEMU runs, it ends with the scene. */
export async function openScene(qemu: Qemu, options: SceneOptions = {}): Promise<Scene> {
  const folder = await privateFolder();
  const console = await openConsole(folder.path);
  const name = options.name ?? "web";
  const config = {
    name,
    emulator: qemu.binary,
    memory: options.memory ?? { max: "512MiB", current: "512MiB" },
    vcpus: options.vcpus ?? { max: 4, current: 1 },
    args: [
      ...["-nodefaults", "-no-user-config", ...bootArgs(options.guest), ...console.args, ...(options.args ?? [])],
      ...(options.listen === true ? ["-D", join(folder.path, "trace"), "-trace", "handle_qmp_command"] : []),
    ],
    monitor: join(folder.path, "harness.sock"),
  };
  await mkdir(join(folder.path, "config"), { mode: 0o700 });
  await writeFile(join(folder.path, "config", `${name}.json`), `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  const options_: DomainOptions = {
    configDir: join(folder.path, "config"),
    runtimeDir: join(folder.path, "run"),
    stateDir: join(folder.path, "state"),
  };
  return new Scene(qemu, folder, console, await Domain.open(name, options_), options_);
}

/** A domain on a real QEMU, and ways to ask that QEMU without the product. */
export class Scene implements AsyncDisposable {
  readonly domain: Domain;
  readonly options: DomainOptions;
  readonly folder: string;
  readonly console: GuestConsole;
  readonly #qemu: Qemu;
  readonly #own: AsyncDisposable;
  #harness: Promise<Harness> | undefined;
  #socket: Socket | undefined;

  constructor(
    qemu: Qemu,
    folder: { readonly path: string } & AsyncDisposable,
    console: GuestConsole,
    domain: Domain,
    options: DomainOptions,
  ) {
    this.#qemu = qemu;
    this.#own = folder;
    this.folder = folder.path;
    this.console = console;
    this.domain = domain;
    this.options = options;
  }

  get #runtime(): string {
    return join(this.folder, "run", this.domain.name);
  }

  /** Starts the domain and waits for its guest, unless it stays paused. QEMU 5.2 gets help with CPU hotplug. */
  async start(options: StartOptions = {}): Promise<StartReport> {
    const report = await this.domain.start(options);
    await this.harness();
    if (options.paused !== true) await this.booted();
    return report;
  }

  /** Waits until the guest of the QEMU that connected last is up. */
  async booted(): Promise<void> {
    await this.console.booted(this.console.boots);
    await this.console.next();
    if (this.#qemu.major < 6) await chooseModernCpuHotplug(this.ask);
  }

  /**
   * QEMU's third monitor, with a client that shares no code with the product's. One connection for each start, so that `seen` misses no
   * event.
   */
  harness(): Promise<Harness> {
    this.#harness ??= this.#dial();
    return this.#harness;
  }

  async #dial(): Promise<Harness> {
    const socket = dial(join(this.folder, "harness.sock"));
    const exited = once(socket, "close").then((): Exit => {
      this.#harness = undefined;
      return { code: null, signal: null, stderr: "its monitor was closed" };
    });
    this.#socket = socket;
    return openHarness(socket, exited, 15_000);
  }

  /** Asks QEMU on that monitor. */
  readonly ask: Harness["ask"] = async (command, args) => (await this.harness()).ask(command, args);

  /** The indices of the vCPUs that QEMU has. */
  async vcpus(): Promise<readonly number[]> {
    const cpus = (await this.ask("query-cpus-fast")) as readonly { readonly "cpu-index": number }[];
    return cpus.map((cpu) => cpu["cpu-index"]).sort();
  }

  /** The mask of a vCPU's thread, from the kernel. */
  async mask(vcpu: number): Promise<string | undefined> {
    const cpus = (await this.ask("query-cpus-fast")) as readonly { readonly "cpu-index": number; readonly "thread-id": number }[];
    const tid = cpus.find((cpu) => cpu["cpu-index"] === vcpu)?.["thread-id"];
    return maskOf(tid ?? 0);
  }

  /** The config in its file. */
  async config(): Promise<any> {
    return JSON.parse(await readFile(this.domain.configPath ?? "", "utf8"));
  }

  /** Edits the config file, as a person with an editor would, without the product. */
  async edit(change: (config: any) => void): Promise<void> {
    const config = await this.config();
    change(config);
    await writeFile(this.domain.configPath ?? "", `${JSON.stringify(config, null, 2)}\n`);
  }

  /** The pid of QEMU from its own pidfile, without the product. */
  async pid(): Promise<number> {
    return Number(await readFile(join(this.#runtime, "pid"), "utf8"));
  }

  /** Kills QEMU and resolves when it is gone. */
  async kill(): Promise<void> {
    await killDaemon(join(this.#runtime, "pid"));
  }

  /** Every command that QEMU got on any monitor, from its own log (`listen`). */
  async commands(): Promise<readonly string[]> {
    const text = await readFile(join(this.folder, "trace"), "utf8").catch(() => "");
    return [...text.matchAll(/"execute": ?"([\w-]+)"/g)].map((found) => found[1] ?? "");
  }

  /** Resolves when QEMU has got the command. */
  async heard(command: string): Promise<void> {
    // This comes before the look, so that no command is missed.
    using changes = watching(join(this.folder, "trace"));
    while (!(await this.commands()).includes(command)) await changes.next();
  }

  /** Starts the built command line with this scene's folders. */
  cli(...words: readonly string[]): Cli {
    const { configDir = "", runtimeDir = "", stateDir = "" } = this.options;
    return new Cli(words, { QMPCTL_CONFIG_DIR: configDir, QMPCTL_RUNTIME_DIR: runtimeDir, QMPCTL_STATE_DIR: stateDir });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket?.destroy();
    await this.kill();
    await this.console[Symbol.asyncDispose]();
    await this.#own[Symbol.asyncDispose]();
  }
}

/** A running command of the built command line. */
export class Cli implements PromiseLike<Ended> {
  readonly process: ChildProcess;
  readonly #end: Promise<Ended>;

  constructor(words: readonly string[], folders: Readonly<Record<string, string>>) {
    const main = new URL("../../dist/cli/main.js", import.meta.url).pathname;
    this.process = spawn(process.execPath, [main, ...words], { env: { ...process.env, ...folders }, stdio: ["ignore", "pipe", "pipe"] });
    this.#end = endOf(this.process);
  }

  then: PromiseLike<Ended>["then"] = (resolved, rejected) => this.#end.then(resolved, rejected);
}

/** The mask of a thread. */
export async function maskOf(tid: number): Promise<string | undefined> {
  return /^Cpus_allowed_list:\s*(\S+)$/m.exec(await readFile(`/proc/${tid}/status`, "utf8").catch(() => ""))?.[1];
}

async function endOf(child: ChildProcess): Promise<Ended> {
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) child[name]?.setEncoding("utf8").on("data", (text: string) => (texts[name] += text));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...texts };
}

function watching(path: string): Disposable & { next(): Promise<void> } {
  const watcher = watch(path);
  let seen = false;
  let wake: (() => void) | undefined;
  watcher.on("change", () => {
    seen = true;
    wake?.();
  });
  return {
    next: async () => {
      if (!seen) await new Promise<void>((resolve) => (wake = resolve));
      seen = false;
    },
    [Symbol.dispose]: () => watcher.close(),
  };
}

/** Whether two sizes are the same, except for what a kernel keeps for itself. That varies a little from boot to boot. */
export function near(one: number, other: number): boolean {
  return Math.abs(one - other) < 4 * MIB;
}
