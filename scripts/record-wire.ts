/*
 * Records what QEMU's monitors do on the wire, without a guest, to fixtures/qmp/VERSION_ARCH/wire-*.qmp. Each scene is a function below.
 * Usage: npx tsx scripts/record-wire.ts [QEMU-BINARY…]      (default: qemu-system-x86_64)
 */
import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { argv, stdout } from "node:process";
import { promisify } from "node:util";
import { formatTranscript, type Recorder, startRecorder } from "../src/testing/index.ts";
import { type WireClient, wireClient } from "./lab/wire-client.ts";

/** The smallest client that can hold a conversation. */
interface Talk {
  /** Sends a command and waits for its reply. It ignores events. */
  ask(command: string, args?: object, oob?: boolean): Promise<Record<string, unknown>>;
  send(message: object): void;
  next(): Promise<Record<string, unknown>>;
  negotiate(oob?: boolean): Promise<void>;
  hangUp(): Promise<void>;
}

interface Bench {
  readonly folder: string;
  readonly recorder: Recorder;
  talk(monitor?: string): Promise<Talk>;
}

type Scene = (bench: Bench) => Promise<void>;

const scenes: Readonly<Record<string, Scene>> = {
  "wire-basics": async ({ talk }) => {
    const one = await talk();
    await one.ask("query-status");
    await one.ask("qmp_capabilities", { enable: ["none"] });
    await one.negotiate();
    await one.ask("qmp_capabilities");
    await one.ask("query-version");
    await one.ask("query-status");
    await one.ask("query-name", { surplus: 1 });
    await one.ask("no-such-command");
    await one.ask("cont");
    await one.ask("query-status");
    await one.ask("stop");
    await one.ask("query-status");
    await one.ask("object-add", { "qom-type": "rng-random", id: "rng0" });
    await one.ask("object-add", { "qom-type": "rng-random", id: "rng0" });
    await one.ask("qom-get", { path: "/objects/rng0", property: "filename" });
    await one.ask("object-del", { id: "rng0" });
    await one.ask("balloon", { value: 1 });
    await one.ask("query-balloon");
    await one.ask("human-monitor-command", { "command-line": "info status" });
    await one.ask("human-monitor-command", { "command-line": "nosuch" });
    await one.ask("quit");
  },
  "wire-two-monitors": async ({ talk }) => {
    const [one, two] = [await talk("control"), await talk("watch")];
    await one.negotiate(true);
    await two.negotiate();
    const parked = await talk("control");
    await one.ask("cont");
    await two.next();
    await one.ask("stop");
    await two.next();
    await one.hangUp();
    await parked.negotiate();
    await parked.ask("query-status");
    await parked.ask("quit");
  },
  // The config file of this block node is a FIFO, so the command waits until the other end is opened.
  "wire-stale-reply": async ({ talk, folder }) => {
    const fifo = join(folder, "fifo");
    execFileSync("mkfifo", [fifo]);
    const [one, watcher] = [await talk(), await talk("watch")];
    await one.negotiate();
    await watcher.negotiate(true);
    one.send({
      execute: "blockdev-add",
      arguments: { driver: "blkdebug", "node-name": "slow0", config: fifo, image: { driver: "null-co" } },
    });
    // This opens only after QEMU has opened it, so the command is running from here on.
    const other = await open(fifo, "w");
    await watcher.ask("query-yank", undefined, true);
    await one.hangUp();
    const two = await talk();
    await two.next();
    two.send({ execute: "qmp_capabilities" });
    await other.close();
    await two.next();
    await two.next();
    await two.ask("query-status");
    await two.ask("quit");
  },
};

/** A connection may get an event before its greeting (R4). That is rare, so this tries until it happens, and keeps only that try. */
async function recordEarlyEvent(binary: string, file: string): Promise<void> {
  await withQemu(binary, async (folder, provenance) => {
    const storm = await talkTo(join(folder, "control.sock"));
    await storm.negotiate(true);
    let blowing = true;
    const blow = (async () => {
      while (blowing) for (const command of ["cont", "stop"]) await storm.ask(command);
    })();
    for (let n = 0; n < 2000; n += 1) {
      const recorder = await startRecorder({ monitors: [{ name: "control", upstream: `unix:${join(folder, "watch.sock")}` }], provenance });
      const talk = await talkTo(recorder.address.slice(5));
      const early = "event" in (await talk.next());
      if (early) while (!("QMP" in (await talk.next())));
      // The next client gets events early, because this one had negotiated.
      await talk.ask("qmp_capabilities");
      await talk.ask("query-name");
      await talk.hangUp();
      const { entries } = await recorder.finish();
      if (!early) continue;
      await writeFile(file, formatTranscript({ entries }));
      break;
    }
    blowing = false;
    await blow;
    await storm.hangUp();
  });
}

async function talkTo(path: string): Promise<Talk> {
  return new WireTalk(await wireClient(`unix:${path}`));
}

class WireTalk implements Talk {
  readonly #client: WireClient;
  #id = 0;

  constructor(client: WireClient) {
    this.#client = client;
  }

  send(message: object): void {
    this.#id += 1;
    this.#client.send(JSON.stringify({ ...message, id: this.#id }));
  }

  async ask(command: string, args?: object, oob = false): Promise<Record<string, unknown>> {
    this.send({ [oob ? "exec-oob" : "execute"]: command, ...(args === undefined ? {} : { arguments: args }) });
    const id = this.#id;
    for (;;) {
      const message = await this.next();
      if (message["id"] === id) return message;
    }
  }

  next(): Promise<Record<string, unknown>> {
    return this.#client.message();
  }

  async negotiate(oob = false): Promise<void> {
    if (this.#id === 0) await this.next();
    await this.ask("qmp_capabilities", oob ? { enable: ["oob"] } : undefined);
  }

  async hangUp(): Promise<void> {
    this.#client.socket.end();
    await this.#client.ended;
  }
}

async function withQemu(binary: string, use: (folder: string, provenance: Record<string, string>) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "qmp-"));
  const { stdout: version } = await promisify(execFile)(binary, ["--version"]);
  const args = ["-machine", "none", "-display", "none", "-nodefaults", "-S"];
  const monitors = ["control", "watch"].flatMap((it) => ["-qmp", `unix:${join(folder, `${it}.sock`)},server=on,wait=off`]);
  // In the background. This returns when the monitors listen.
  const qemu = spawn(binary, [...args, ...monitors, "-daemonize"], { stdio: ["ignore", "ignore", "inherit", "pipe"] });
  const lifeline = (qemu.stdio[3] as NodeJS.ReadableStream).resume();
  const ended = once(lifeline, "end");
  await once(qemu, "exit");
  const provenance = {
    qemu: /version (.*)/.exec(version)?.[1] ?? "unknown",
    arch: "x86_64",
    command: `qemu-system-x86_64 ${[...args, ...monitors].join(" ").replaceAll(`${folder}/`, "DIR/")}`,
    recorded: `${new Date().toISOString().slice(0, 10)} by scripts/record-wire.ts`,
  };
  await use(folder, provenance);
  if (existsSync(join(folder, "control.sock"))) {
    const talk = await talkTo(join(folder, "control.sock"));
    await talk.negotiate();
    await talk.ask("quit");
    await talk.hangUp();
  }
  await ended;
  await rm(folder, { recursive: true });
}

async function recordScene(binary: string, name: string, scene: Scene, file: string): Promise<void> {
  await withQemu(binary, async (folder, provenance) => {
    const monitors = ["control", "watch"].map((it) => ({ name: it, upstream: `unix:${join(folder, `${it}.sock`)}` }));
    const recorder = await startRecorder({ monitors, write: file, provenance, replace: [[`${folder}/`, "DIR/"]] });
    await scene({ folder, recorder, talk: (monitor = "control") => talkTo((recorder.addresses[monitor] ?? "").slice(5)) });
    await recorder.finish({});
    stdout.write(`${name}: ${file}\n`);
  });
}

async function record(binary: string): Promise<void> {
  const { stdout: version } = await promisify(execFile)(binary, ["--version"]);
  const folder = new URL(`../fixtures/qmp/${/version ([\d.]+)/.exec(version)?.[1] ?? "unknown"}_x86_64/`, import.meta.url).pathname;
  await mkdir(folder, { recursive: true });
  for (const [name, scene] of Object.entries(scenes)) await recordScene(binary, name, scene, join(folder, `${name}.qmp`));
  await recordEarlyEvent(binary, join(folder, "wire-early-event.qmp"));
}

const [, , ...binaries] = argv;
if (binaries.some((it) => it === "--help" || it === "-h")) {
  stdout.write(
    "usage: npx tsx scripts/record-wire.ts [QEMU-BINARY…]\n\nRecords what QEMU's monitors do on the wire, without a guest, to fixtures/qmp/VERSION_x86_64/wire-*.qmp.\n",
  );
} else {
  for (const binary of binaries.length === 0 ? ["qemu-system-x86_64"] : binaries) await record(binary);
}
