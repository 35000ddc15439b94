/// <reference lib="esnext.disposable" />
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Report } from "../../../src/domain/change/change-report.ts";
import { type Host, type Hosts, startHosts } from "../../lab/hosts.ts";
import { privateFolder, type Qemu } from "../../lab/machine.ts";
import { FarGate } from "./gate.ts";
import { type FarMachine, openFar } from "./machine.ts";
import { Wire } from "./wire.ts";

const MAIN = new URL("../../../dist/cli/main.js", import.meta.url).pathname;
const GATE = new URL("far-gate.mjs", import.meta.url).href;

/** How a command of the near end ended, and what it said. `error` is the error that `--json` shows. */
export interface Told {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly report: Report | undefined;
  readonly error: Readonly<Record<string, unknown>> | undefined;
  readonly json: unknown;
}

/** A command of the near end that runs. */
export interface Near {
  readonly process: ChildProcess;
  readonly ended: Promise<Told>;
}

/** One host with a machine, and everything between the command line and them. */
export class Stage implements AsyncDisposable {
  readonly host: Host;
  readonly hosts: Hosts;
  readonly wire: Wire;
  readonly gate: FarGate;
  /** A folder of this side. */
  readonly folder: string;
  machine: FarMachine;
  readonly #qemu: Qemu;
  readonly #own: AsyncDisposable;

  private constructor(qemu: Qemu, own: AsyncDisposable & { readonly path: string }, parts: Pick<Stage, "hosts" | "wire" | "gate">) {
    this.#qemu = qemu;
    this.#own = own;
    this.folder = own.path;
    this.hosts = parts.hosts;
    this.host = parts.hosts.all[0] as Host;
    this.wire = parts.wire;
    this.gate = parts.gate;
    this.machine = undefined as unknown as FarMachine;
  }

  static async open(qemu: Qemu): Promise<Stage> {
    const own = await privateFolder("qm-stage-");
    const gate = await FarGate.open(join(own.path, "gate.sock"));
    const hosts = await startHosts(1, { env: { NODE_OPTIONS: `--import=${GATE}`, QMPCTL_FAR_GATE: gate.path } });
    const stage = new Stage(qemu, own, { hosts, gate, wire: await Wire.before(hosts.ssh, own.path) });
    const { state, host } = stage;
    // A small one, that can be filled.
    await mkdir(join(host.folder, "state"), { recursive: true });
    await host.exec("mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "none", join(host.folder, "state"));
    await writeFile(join(state, "test"), "");
    await rm(join(state, "test"));
    await stage.boot();
    return stage;
  }

  /** Its folder of locks and records, as it is seen from here. */
  get state(): string {
    return `/proc/${this.host.init}/root${this.host.folder}/state`;
  }

  /** A new machine, in the place of one that is gone. */
  async boot(): Promise<void> {
    await this.machine?.[Symbol.asyncDispose]();
    this.machine = await openFar(this.#qemu, this.host, async ({ name }) => {
      const { code, stderr } = await this.begin("-H", name, "start", "web").ended;
      if (code !== 0) throw new Error(`start: ${stderr}`);
    });
  }

  /** Begins a command of the near end, over the wire. */
  begin(...words: readonly string[]): Near {
    const child = spawn(process.execPath, [MAIN, ...words], {
      env: { ...process.env, QMPCTL_SSH: this.wire.ssh, NODE_DISABLE_COMPILE_CACHE: "1" },
      stdio: ["ignore", "pipe", "pipe"],
      // A process group of its own, as a shell makes it on a terminal.
      detached: true,
    });
    return { process: child, ended: endOf(child) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.machine?.[Symbol.asyncDispose]();
    await this.wire[Symbol.asyncDispose]();
    await this.gate[Symbol.asyncDispose]();
    await this.hosts[Symbol.asyncDispose]();
    await this.#own[Symbol.asyncDispose]();
  }
}

async function endOf(child: ChildProcess): Promise<Told> {
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) child[name]?.setEncoding("utf8").on("data", (text: string) => (texts[name] += text));
  const [code] = (await once(child, "close")) as [number | null];
  const json = jsonIn(texts.stdout) as { readonly changes?: unknown; readonly error?: Record<string, unknown> } | undefined;
  return { code, ...texts, json, report: Array.isArray(json?.changes) ? (json as Report) : undefined, error: json?.error };
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
