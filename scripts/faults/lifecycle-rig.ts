/// <reference lib="esnext.disposable" />
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { privateFolder, type Qemu } from "../lab/machine.ts";
import { OBEYS_BUTTON } from "./power-button.ts";
import type { DiskFault } from "./rig.ts";
import { maskOf } from "./rig.ts";

/** A domain with only a power button as its guest, and an independent look at it. */
export interface LifecycleRig extends AsyncDisposable {
  readonly name: string;
  readonly folder: string;
  readonly config: string;
  /** The two texts that `define --replace` swaps. */
  readonly texts: readonly [string, string];
  /** The next text to be defined: a file of it. */
  readonly drafts: readonly [string, string];
  /** Starts the command line with this rig's folders. */
  command(words: readonly string[], fault?: DiskFault): LifecycleCommand;
  /** The processes with this machine's mark, from /proc. */
  processes(): readonly number[];
  /** QEMU's state and the mask of vCPU 0, from a monitor of the config's own. Null: no answer. */
  look(): Promise<{ readonly status: string; readonly mask: string } | null>;
}

/** A running command. */
export interface LifecycleCommand {
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
  kill(signal: NodeJS.Signals): void;
}

const MAIN = new URL("../../dist/cli/main.js", import.meta.url).pathname;
const INJECT = new URL("inject.mjs", import.meta.url).href;

/** Two vCPUs, the first pinned to CPU 0, and 48 of 64 MiB, so that a start must apply pins and a balloon target. */
export async function openLifecycle(qemu: Qemu): Promise<LifecycleRig> {
  const folder = await privateFolder();
  const at = (name: string): string => join(folder.path, name);
  await Promise.all(["etc", "run", "state"].map((name) => mkdir(at(name), { mode: 0o700 })));
  await writeFile(at("button.bin"), OBEYS_BUTTON);
  const text = (max: number): string =>
    `${JSON.stringify(
      {
        name: "web",
        emulator: qemu.binary,
        memory: { max: "64MiB", current: "48MiB" },
        vcpus: { max, current: 2, pin: { 0: "0" } },
        monitor: at("own.sock"),
        args: [
          "-machine",
          "q35,accel=tcg",
          "-nodefaults",
          "-no-user-config",
          "-bios",
          at("button.bin"),
          "-device",
          "virtio-balloon-pci,id=balloon0",
        ],
      },
      null,
      2,
    )}\n`;
  const drafts = [at("four.json"), at("six.json")] as const;
  await Promise.all([writeFile(drafts[0], text(4), { mode: 0o600 }), writeFile(drafts[1], text(6), { mode: 0o600 })]);
  const env = { ...process.env, QMPCTL_CONFIG_DIR: at("etc"), QMPCTL_RUNTIME_DIR: at("run"), QMPCTL_STATE_DIR: at("state") };
  const config = at("etc/web.json");
  const processes = (): readonly number[] =>
    readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => commandLineOf(pid).includes(`identity=${config}`));
  return {
    name: `QEMU ${qemu.version}`,
    folder: folder.path,
    config,
    texts: [text(4), text(6)],
    drafts,
    command: (words, fault) => {
      const child = spawn(process.execPath, [...(fault === undefined ? [] : ["--import", INJECT]), MAIN, ...words], {
        env: { ...env, ...(fault === undefined ? {} : { QMPCTL_FAULT: JSON.stringify(fault) }) },
        stdio: ["ignore", "pipe", "pipe"],
      });
      const texts = { stdout: "", stderr: "" };
      for (const stream of ["stdout", "stderr"] as const)
        child[stream].setEncoding("utf8").on("data", (piece: string) => (texts[stream] += piece));
      const ended = once(child, "close").then(([code]) => ({ code: code as number | null, ...texts }));
      return { ended, kill: (signal) => void child.kill(signal) };
    },
    processes,
    look: () => ask(at("own.sock")),
    [Symbol.asyncDispose]: async () => {
      for (const pid of processes()) process.kill(pid, "SIGKILL");
      await folder[Symbol.asyncDispose]();
      if (existsSync(folder.path)) await rm(folder.path, { recursive: true, force: true });
    },
  };
}

function commandLineOf(pid: number): string {
  try {
    const text = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    return /^[ZX]$/.test(/\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1] ?? "X") ? "" : text;
  } catch {
    return "";
  }
}

/** A client that shares no code with the product's. */
async function ask(path: string): Promise<{ readonly status: string; readonly mask: string } | null> {
  const socket = connect(path);
  try {
    const lines = new Lines(socket);
    await lines.next();
    const reply = async (command: string): Promise<any> => {
      socket.write(`${JSON.stringify({ execute: command })}\n`);
      for (;;) {
        const message = await lines.next();
        if ("return" in message || "error" in message) return message.return;
      }
    };
    await reply("qmp_capabilities");
    const { status } = await reply("query-status");
    const cpus = await reply("query-cpus-fast");
    return { status, mask: await maskOf(cpus[0]["thread-id"]) };
  } catch {
    return null;
  } finally {
    socket.destroy();
  }
}

class Lines {
  #text = "";
  #wake: (() => void) | undefined;
  #over = false;

  constructor(socket: NodeJS.ReadableStream) {
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => {
      this.#text += text;
      this.#wake?.();
    });
    for (const event of ["error", "close"])
      socket.on(event, () => {
        this.#over = true;
        this.#wake?.();
      });
  }

  async next(): Promise<any> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return JSON.parse(line);
      }
      if (this.#over) throw new Error("the monitor is closed");
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/** The text of the config without the id that `define` adds. Null: there is no config. */
export async function definedText(rig: LifecycleRig): Promise<string | null> {
  return readFile(rig.config, "utf8").then(
    (text) => text.replace(/\n\s*"id": "[^"]*",/, ""),
    () => null,
  );
}
