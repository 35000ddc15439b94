/// <reference lib="esnext.disposable" />
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Exit } from "../../scripts/lab/exit.ts";
import { type Harness, type HarnessEvent, openHarness } from "../../scripts/lab/harness.ts";
import { installed, killDaemon, privateFolder, type Qemu } from "../../scripts/lab/machine.ts";

/** A user who is nobody here: to be another one than ourselves takes root. */
export const NOBODY = 65534;
/** Whether there can be another user. */
export const isRoot: boolean = process.geteuid?.() === 0;

const MAIN: string = new URL("../../dist/cli/main.js", import.meta.url).pathname;
const INJECT: string = new URL("../../scripts/faults/inject.mjs", import.meta.url).href;

/** How a command of the command line ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Who types a command, and where. */
export interface Session {
  /** In place of the host's own environment, PATH included. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly uid?: number;
  readonly cwd?: string;
  /** Makes one call to the file system its last: see scripts/faults/inject.mjs. */
  readonly fault?: {
    readonly call: string;
    readonly path: string;
    readonly when: "before" | "after";
    readonly nth: number;
    readonly act: string;
  };
  /** A program and its words that run the command. */
  readonly under?: readonly string[];
}

/** What a domain of a host has; what is absent is a machine of 64 MiB with one vCPU of two, and no guest. */
export interface Definition {
  readonly id?: string;
  readonly emulator?: string;
  readonly memory?: Readonly<Record<string, unknown>>;
  readonly vcpus?: Readonly<Record<string, unknown>>;
  readonly monitor?: string;
  readonly args?: readonly string[];
  /** In place of the usual folder of configs. */
  readonly folder?: string;
}

/** A QEMU as /proc shows it. */
export interface Running {
  readonly pid: number;
  readonly argv: readonly string[];
}

/** A device as query-pci has it. */
interface PciDevice {
  readonly id: { readonly vendor: number; readonly device: number };
  readonly regions: readonly { readonly bar: number; readonly address: number }[];
}

/** A QEMU that has dialled in: what it is asked and what it says there has nothing to do with the product. */
export interface Peer extends Harness {
  /** All of its events so far, by name. */
  readonly events: readonly string[];
  /** Resolves when it is gone. */
  readonly gone: Promise<void>;
}

/** Opens a host: folders of its own for configs, sockets and locks, the command line on them, and every QEMU that is started in them. */
export async function openHost(qemu?: Qemu): Promise<Host> {
  const folder = await privateFolder("qm-");
  const host = new Host(qemu ?? (await installed()), folder);
  await Promise.all(["config", "run", "state"].map((name) => mkdir(join(folder.path, name), { mode: 0o700 })));
  return host;
}

/**
 * A small world of machines. All that runs in it ends with it: each process by its id, found by this world's folder on its command line.
 */
export class Host implements AsyncDisposable {
  readonly qemu: Qemu;
  readonly folder: string;
  readonly config: string;
  readonly run: string;
  readonly state: string;
  readonly #own: AsyncDisposable;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #peers = new Map<string, Peer[]>();
  readonly #waiting = new Set<() => void>();
  readonly #children: ChildProcess[] = [];

  constructor(qemu: Qemu, folder: { readonly path: string } & AsyncDisposable) {
    this.qemu = qemu;
    this.#own = folder;
    this.folder = folder.path;
    this.config = this.path("config");
    this.run = this.path("run");
    this.state = this.path("state");
  }

  path(...names: readonly string[]): string {
    return join(this.folder, ...names);
  }

  get env(): Readonly<Record<string, string | undefined>> {
    return { PATH: process.env["PATH"], QMPCTL_CONFIG_DIR: this.config, QMPCTL_RUNTIME_DIR: this.run, QMPCTL_STATE_DIR: this.state };
  }

  /** QEMU's own words of a machine: what `args` of its config are, and what somebody types who starts it by hand. */
  async words(name: string): Promise<readonly string[]> {
    const path = this.path(`${name}.h`);
    if (!this.#peers.has(name)) await this.#listen(name, path);
    return [
      "-machine",
      "q35,accel=tcg",
      "-nodefaults",
      "-device",
      "virtio-balloon-pci,id=balloon0",
      "-chardev",
      `socket,id=harness,path=${path}`,
      "-mon",
      "chardev=harness,mode=control",
    ];
  }

  /** Writes a config by hand, without `define`: its path. */
  async write(name: string, definition: Definition = {}): Promise<string> {
    const {
      folder = this.config,
      args = [],
      emulator = this.qemu.binary,
      memory = { max: "64MiB", current: "64MiB" },
      vcpus = { max: 2, current: 1 },
      id,
      monitor,
    } = definition;
    const config = {
      name,
      ...(id === undefined ? {} : { id }),
      emulator,
      memory,
      vcpus,
      args: [...(await this.words(name)), ...args],
      ...(monitor === undefined ? {} : { monitor }),
    };
    const path = join(folder, `${name}.json`);
    await writeFile(path, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
    return path;
  }

  /** Defines a domain as a user does, so that it has an id: its path. */
  async define(name: string, definition: Definition = {}): Promise<string> {
    const folder = this.path("drafts");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await this.ok("define", await this.write(name, { ...definition, folder }));
    return join(this.config, `${name}.json`);
  }

  /** Starts a command of the built command line. */
  start(
    words: readonly string[],
    { env = this.env, uid, cwd = "/", fault, under = [] }: Session = {},
  ): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
    const node = [process.execPath, ...(fault === undefined ? [] : ["--import", INJECT]), mainFor(uid), ...words];
    const [program = "", ...rest] = [...under, ...(uid === undefined ? [] : as(uid)), ...node];
    const child = spawn(program, rest, {
      cwd,
      env: { ...env, ...(fault === undefined ? {} : { QMPCTL_FAULT: JSON.stringify(fault) }) },
      stdio: ["ignore", "pipe", "pipe"],
    });
    return { child, ended: endOf(child) };
  }

  /** Runs a command to its end. */
  cli(words: readonly string[], session: Session = {}): Promise<Ended> {
    return this.start(words, session).ended;
  }

  /** Runs a command that has to work, and gives what it printed. */
  async ok(...words: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.cli(words);
    if (code !== 0) throw new Error(`${words.join(" ")}: ${code}: ${stderr}${stdout}`);
    return stdout;
  }

  /** What `info` says. */
  async info(name: string, session: Session = {}): Promise<any> {
    const { stdout, stderr } = await this.cli(["info", name, "--json"], session);
    const said = stdout === "" ? { error: { message: stderr } } : JSON.parse(stdout);
    return "error" in said ? { state: "none", reason: said.error.message } : said;
  }

  /** Starts any program, which ends with the host; the kernel ends it too when the test runner dies. */
  spawn(
    argv: readonly string[],
    { uid, cwd = this.folder, env = { PATH: process.env["PATH"] } }: Pick<Session, "uid" | "cwd" | "env"> = {},
  ): ChildProcess {
    const [program = "", ...rest] = ["setpriv", "--pdeathsig", "KILL", ...(uid === undefined ? [] : as(uid).slice(1, -1)), "--", ...argv];
    const child = spawn(program, rest, { cwd, env, stdio: ["ignore", "ignore", "ignore"] });
    this.#children.push(child);
    return child;
  }

  /** Starts a QEMU by hand, with the words of a machine and more, and resolves when it has dialled in. */
  async hand(
    name: string,
    more: readonly string[] = [],
    options: { readonly called?: string | null; readonly uid?: number; readonly cwd?: string; readonly binary?: string } = {},
  ): Promise<{ readonly pid: number; readonly peer: Peer }> {
    const { called = name, binary = this.qemu.binary, ...session } = options;
    const words = await this.words(name);
    const before = this.peers(name).length;
    const child = this.spawn(
      [
        binary,
        ...(called === null ? [] : ["-name", `guest=${called},debug-threads=on`]),
        "-m",
        "64",
        "-smp",
        "1,maxcpus=2",
        "-display",
        "none",
        ...words,
        ...more,
      ],
      session,
    );
    await Promise.race([this.dialled(name, before + 1), once(child, "exit").then(() => Promise.reject(new Error("QEMU ended")))]);
    return { pid: child.pid ?? 0, peer: this.peer(name) };
  }

  /** The QEMUs of this host, by the program that the kernel says they run, whoever started them. */
  qemus(): readonly Running[] {
    return processesWith(this.folder).filter(
      ({ pid, argv }) =>
        /qemu-system/.test(programOf(pid)) || (/\/ld-/.test(programOf(pid)) && argv.some((word) => /qemu-system/.test(word))),
    );
  }

  pids(): readonly number[] {
    return this.qemus().map(({ pid }) => pid);
  }

  /** All QEMUs that ever dialled in as this machine. */
  peers(name: string): readonly Peer[] {
    return this.#peers.get(name) ?? [];
  }

  /** The last QEMU that dialled in as this machine. */
  peer(name: string): Peer {
    const peer = this.peers(name).at(-1);
    if (peer === undefined) throw new Error(`no QEMU has dialled in as ${name}`);
    return peer;
  }

  /** Resolves when so many QEMUs have dialled in as this machine, and the last of them answers. */
  async dialled(name: string, count: number): Promise<void> {
    while (this.peers(name).length < count) await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  /** The threads of its vCPUs, and on which CPUs each may run, by the kernel's own word. */
  async masks(name: string): Promise<readonly string[]> {
    const cpus = (await this.peer(name).ask("query-cpus-fast")) as readonly { readonly "thread-id": number }[];
    return cpus.map((cpu) => /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync(`/proc/${cpu["thread-id"]}/status`, "utf8"))?.[1] ?? "");
  }

  /** The target that the balloon device itself has, in bytes, of a machine of this size, once the firmware has placed its registers. */
  async target(name: string, size: number): Promise<number> {
    for (;;) {
      const [{ devices }] = (await this.peer(name).ask("query-pci")) as [{ readonly devices: readonly PciDevice[] }];
      const address =
        devices.find(({ id }) => id.vendor === 0x1af4 && [0x1002, 0x1045].includes(id.device))?.regions.find(({ bar }) => bar === 4)
          ?.address ?? -1;
      const text =
        address > 0
          ? ((await this.peer(name).ask("human-monitor-command", {
              "command-line": `xp /1wx 0x${(address + 0x2000).toString(16)}`,
            })) as string)
          : "";
      const pages = /:\s*0x([0-9a-f]{8})\s*$/.exec(text.trim())?.[1];
      if (pages !== undefined && pages !== "ffffffff") return size - Number.parseInt(pages, 16) * 4096;
    }
  }

  async text(name: string): Promise<string> {
    return readFile(join(this.config, `${name}.json`), "utf8");
  }

  /** The folder of the lock, record and notes of the machine whose config there is: no other one may be there. */
  async books(): Promise<string> {
    const [only, more] = (await readdir(this.state)).filter((each) => /^@[0-9a-f]{8}-/.test(each));
    if (only === undefined || more !== undefined) throw new Error(`not one folder in ${this.state}`);
    return join(this.state, only);
  }

  /** Lets other users reach what is in it; each thing has its own mode. */
  async openToOthers(): Promise<void> {
    await chmod(this.folder, 0o755);
  }

  async #listen(name: string, path: string): Promise<void> {
    const peers: Peer[] = [];
    this.#peers.set(name, peers);
    const server = createServer((socket) => void this.#accept(socket, peers).catch(() => socket.destroy()));
    this.#servers.push(server);
    await once(server.listen(path), "listening");
    // Whoever starts such a machine.
    await chmod(path, 0o777);
  }

  async #accept(socket: Socket, peers: Peer[]): Promise<void> {
    this.#sockets.add(socket);
    const events: string[] = [];
    // Before the harness, so that it has each line first and nobody asks for an event that is not noted yet.
    createInterface({ input: socket })
      .on("line", (line) => {
        const { event } = JSON.parse(line) as Partial<HarnessEvent>;
        if (event !== undefined) events.push(event);
      })
      .on("error", () => undefined);
    // A QEMU that is killed resets the connection: that is an end as any other.
    socket.on("error", () => socket.destroy());
    const exited = new Promise<Exit>((resolve) =>
      socket.once("close", () => resolve({ code: null, signal: null, stderr: "its monitor was closed" })),
    );
    const harness = await openHarness(socket, exited, 15_000);
    peers.push({ ...harness, events, gone: exited.then(() => undefined) });
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    // Also what a command of the product has started, or a wrapper of ours.
    for (let left = processesWith(this.folder); left.length > 0; left = processesWith(this.folder))
      await Promise.all(left.map(({ pid }) => killDaemon(pid)));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))));
    await this.#own[Symbol.asyncDispose]();
  }
}

let readable: string | undefined;

/** The built command line; for another user a copy that he can read, wherever this checkout is. */
export function mainFor(uid: number | undefined): string {
  if (uid === undefined) return MAIN;
  if (readable !== undefined) return readable;
  const folder = mkdtempSync(join(tmpdir(), "qm-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o755);
  const cli = join(folder, "dist", "cli");
  mkdirSync(cli, { recursive: true });
  for (const name of readdirSync(dirname(MAIN)).filter((file) => /\.js(on)?$/.test(file)))
    copyFileSync(join(dirname(MAIN), name), join(cli, name));
  copyFileSync(new URL("../../package.json", import.meta.url).pathname, join(folder, "package.json"));
  return (readable = join(cli, "main.js"));
}

/** The words that run a program as another user. */
export function as(uid: number): readonly string[] {
  return ["setpriv", "--reuid", String(uid), "--regid", String(uid), "--clear-groups", "--"];
}

function processesWith(folder: string): readonly Running[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const pid = Number(name);
      const [stat, text] = [fileOf(pid, "stat"), fileOf(pid, "cmdline")];
      const isThere = pid !== process.pid && text.includes(`${folder}/`) && !/\) [ZX] /.test(stat);
      return isThere ? [{ pid, argv: text.replace(/\0$/, "").split("\0") }] : [];
    });
}

function fileOf(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

function programOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return "";
  }
}

/** Whether a process lives; a zombie does not. */
export function lives(pid: number): boolean {
  const stat = fileOf(pid, "stat");
  return stat !== "" && !/\) [ZX] /.test(stat);
}

async function endOf(child: ChildProcess): Promise<Ended> {
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) child[name]?.setEncoding("utf8").on("data", (text: string) => (texts[name] += text));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...texts };
}
