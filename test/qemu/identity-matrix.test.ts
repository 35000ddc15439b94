import { type ChildProcess, execFile, fork } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { as, type Ended, type Host, isRoot, mainFor, NOBODY, openHost } from "./host.ts";

// Whose machine it is, in every combination: how it was started x how it is addressed x which session asks x what it asks for. In each cell
// the right machine does it, or its one lock is waited
// for, or it is refused and told why; there is never a second QEMU, and a bystander of another name, of the same emulator and in the same
// folders, is never touched.

/** What is asked. `shows` tells from QEMU itself that it was done; without it, the answer does. */
interface Verb {
  readonly words: (address: string, turn: number) => readonly string[];
  readonly shows?: (view: View, turn: number) => Promise<boolean>;
  /** It writes the live machine's numbers into the config. */
  readonly writes?: boolean;
  /** The event by which QEMU tells that it was done. */
  readonly awaits?: string;
  /** Codes besides 0 with which it was done. */
  readonly codes?: readonly number[];
  /** Refused of a machine that runs, by whatever address. */
  readonly never?: RegExp;
  /** What it asks for is of a config. */
  readonly needsConfig?: boolean;
}

/** QEMU as it is. */
interface View {
  readonly status: () => Promise<string>;
  readonly masks: () => Promise<readonly string[]>;
  readonly events: (...names: readonly string[]) => number;
  readonly told: (event: string, count: number) => Promise<void>;
  readonly text: () => Promise<string>;
}

const VERBS: Readonly<Record<string, Verb>> = {
  info: { words: (address) => ["info", address, "--json"] },
  vcpuinfo: { words: (address) => ["vcpuinfo", address, "--json"] },
  qmp: { words: (address) => ["qmp", address, "query-name"] },
  start: {
    words: (address) => ["start", address],
    never: /it runs already|a transient machine has no config|belongs to user|it runs twice/,
  },
  undefine: { words: (address) => ["undefine", address], never: /it runs|a transient machine has no config|belongs to user/ },
  vcpupin: {
    words: (address, turn) => ["vcpupin", address, "0", String(turn % 2), "--live"],
    shows: async ({ masks }, turn) => (await masks())[0] === String(turn % 2),
  },
  persist: { words: (address) => ["persist", address], needsConfig: true, writes: true },
  "vcpupin, no flags": {
    words: (address, turn) => ["vcpupin", address, "0", String(turn % 2)],
    shows: async ({ masks, text }, turn) => (await masks())[0] === String(turn % 2) && !/"pin": \{\s*"0"/.test(await text()),
  },
  suspend: { words: (address) => ["suspend", address], shows: async ({ status }) => (await status()) === "paused" },
  resume: { words: (address) => ["resume", address], shows: async ({ status }) => (await status()) === "running" },
  reset: { words: (address) => ["reset", address], awaits: "RESET" },
  diff: { words: (address) => ["diff", address, "--json"] },
  revert: { words: (address) => ["revert", address], needsConfig: true, shows: async ({ masks }) => (await masks())[0] === "0-1" },
  recover: { words: (address) => ["recover", address, "--undo"], never: /nothing to recover/ },
};

/**
 * What is asked in the usual session, and in all others: whoever asks is told apart by what is found, locked, changed and refused, not by
 * each verb anew.
 */
const ALL: readonly string[] = Object.keys(VERBS);
const SOME: readonly string[] = ["info", "start", "vcpupin, no flags"];

/** The command line, many times in one process: a session in which much is typed. It is the built program, loaded anew for each command. */
const TYPIST = `
  const { readFileSync } = require("node:fs");
  const { createRequire } = require("node:module");
  const { dirname, join } = require("node:path");
  const { Script } = require("node:vm");
  const folder = dirname(process.argv[1]);
  const main = join(folder, "program.js");
  const bodies = new Map();
  const bodyOf = (path) => {
    if (!bodies.has(path)) bodies.set(path, new Script("(function (process) { return " + readFileSync(path, "utf8") + "\\n})", { filename: path }).runInThisContext());
    return bodies.get(path);
  };
  const exit = process.exit.bind(process);
  process.on("disconnect", () => exit(0));
  process.on("message", (words) => {
    const said = { stdout: "", stderr: "" };
    const sink = (name) => { const stream = new (require("node:events"))(); return Object.assign(stream, { isTTY: false, writableNeedDrain: false, write: (text, done) => { said[name] += text; if (done) setImmediate(done); return true; } }); };
    const world = new Proxy(process, {
      get: (target, key) => {
        if (key === "argv") return ["node", main, ...words];
        if (key === "stdout" || key === "stderr") return (world[key + "_"] ??= sink(key));
        if (key === "stdout_" || key === "stderr_") return sinks[key];
        if (key === "exit") return (code) => process.send({ code, ...said, uid: process.geteuid() });
        if (key === "on") return () => world;
        const value = target[key];
        return typeof value === "function" ? value.bind(target) : value;
      },
      set: (target, key, value) => { if (key === "stdout_" || key === "stderr_") sinks[key] = value; else target[key] = value; return true; },
    });
    const sinks = {};
    const held = new Map();
    const load = (id) => {
      if (!id.startsWith("./")) return createRequire(main)(id);
      if (id.includes("?")) {
        // As the launcher does: it is loaded when something of it is first used.
        let made;
        const module = () => (made ??= load(id.replace("?", ":")));
        return new Proxy({}, {
          get: (_, name) => Reflect.get(module(), name),
          has: (_, name) => Reflect.has(module(), name),
          ownKeys: () => Reflect.ownKeys(module()),
          getOwnPropertyDescriptor: (_, name) => {
            const found = Reflect.getOwnPropertyDescriptor(module(), name);
            return found && { ...found, configurable: true };
          },
        });
      }
      const colon = id.indexOf(":");
      if (colon > 0) return load(id.slice(0, colon))[id.slice(colon + 1)]();
      const known = held.get(id);
      if (known) return known.exports;
      const layer = { exports: {} };
      held.set(id, layer);
      bodyOf(join(folder, id))(world)(layer.exports, load, layer, join(folder, id), folder);
      return layer.exports;
    };
    load("./program.js");
  });
`;

class Typist implements AsyncDisposable {
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #uid: number | undefined;
  #child: ChildProcess;

  constructor(env: Readonly<Record<string, string | undefined>>, uid?: number) {
    this.#env = env;
    this.#uid = uid;
    this.#child = this.#fork();
  }

  #fork(): ChildProcess {
    const [program = process.execPath, ...words] = [...(this.#uid === undefined ? [] : as(this.#uid)), process.execPath];
    return fork(mainFor(this.#uid), [], {
      execPath: program,
      execArgv: [...words, "-e", TYPIST],
      env: this.#env as Record<string, string>,
      cwd: "/",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
  }

  async type(words: readonly string[]): Promise<Ended> {
    const answer = once(this.#child, "message");
    this.#child.send(words);
    const [{ uid, ...ended }] = (await answer) as [Ended & { readonly uid: number }];
    // As root it goes on as the user whose machine it was, for good: the next command is one of root's again.
    if (uid !== (this.#uid ?? process.geteuid?.())) {
      await this[Symbol.asyncDispose]();
      this.#child = this.#fork();
    }
    return ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }
}

const MIB = 2 ** 20;
const TCP: readonly string[] = ["-chardev", "socket,id=tcp0,host=127.0.0.1,port=0,server=on,wait=off", "-mon", "chardev=tcp0,mode=control"];

/** A machine of the matrix, and how it came to run. */
interface Start {
  readonly run: (host: Host) => Promise<void>;
  /** Its Unix monitor; null where it has none that is told apart from its config's. */
  readonly socket: (host: Host) => string | null;
  readonly monitor?: boolean;
  readonly uid?: number;
  /** Nobody but its owner may touch it, and root is told whose it is. */
  readonly others?: boolean;
  /** Its command line shows no monitor that can be reached: by its name it can only be ended. */
  readonly mute?: boolean;
}

const STARTS: Readonly<Record<string, Start>> = {
  "by qmpctl": { run: async (host) => void (await host.ok("start", "web")), socket: (host) => join(host.run, "web", "control.sock") },
  "by qmpctl, with another run-time folder": {
    run: async (host) => void (await host.cli(["start", "web"], { env: { ...host.env, QMPCTL_RUNTIME_DIR: host.path("elsewhere") } })),
    socket: (host) => host.path("elsewhere", "web", "control.sock"),
  },
  "by hand, with the same words": {
    run: async (host) => void (await host.hand("web", [...TCP, "-qmp", `unix:${host.path("own.sock")},server=on,wait=off`])),
    socket: (host) => host.path("own.sock"),
  },
  "by hand, with the config's monitor": {
    run: async (host) =>
      void (await host.hand("web", ["-device", "virtio-rng-pci", ...TCP, "-qmp", `unix:${host.path("web.sock")},server=on,wait=off`])),
    socket: (host) => host.path("web.sock"),
    monitor: true,
  },
  // The kernel chose the port: the command line has none.
  "by hand, with no monitor but on TCP": { run: async (host) => void (await host.hand("web", TCP)), socket: () => null, mute: true },
  "as the version before did it": {
    run: async (host) => {
      const folder = join(host.run, "web");
      await mkdir(folder, { mode: 0o700 });
      const monitors = ["control", "watch"].flatMap((each) => ["-qmp", `unix:${folder}/${each}.sock,server=on,wait=off`]);
      const argv = [
        "-name",
        "guest=web,debug-threads=on",
        "-m",
        "size=64M",
        "-smp",
        "cpus=1,maxcpus=2",
        ...monitors,
        "-pidfile",
        join(folder, "pid"),
        "-D",
        join(folder, "log"),
        "-display",
        "none",
        "-daemonize",
        ...(await host.words("web")),
        ...TCP,
      ];
      await promisify(execFile)(host.qemu.binary, argv);
      await host.dialled("web", 1);
    },
    socket: (host) => join(host.run, "web", "control.sock"),
  },
  "by another user, with our mark": {
    run: async (host) => {
      const { id } = JSON.parse(await host.text("web")) as { readonly id: string };
      await mkdir(host.path("his"));
      await chmod(host.path("his"), 0o777);
      await host.hand(
        "web",
        [
          ...TCP,
          "-object",
          `authz-simple,id=qmpctl-${id},identity=${join(host.config, "web.json")}`,
          "-qmp",
          `unix:${host.path("his", "m.sock")},server=on,wait=off`,
        ],
        { uid: NOBODY },
      );
    },
    socket: (host) => host.path("his", "m.sock"),
    others: true,
  },
};

/** How it is addressed; null where it can't be. The folder of configs is the session's, so that a second one is a way to address it too. */
const ADDRESSES: Readonly<Record<string, (host: Host, start: Start) => Promise<string | null> | string | null>> = {
  "its name": () => "web",
  "its config's path": (host) => join(host.config, "web.json"),
  "its config's path by a symlinked folder": (host) => `${host.path("configs")}//web.json`,
  "its monitor": (host, start) => prefixed(start.socket(host)),
  "its monitor, spelled otherwise": (host, start) => {
    const socket = start.socket(host);
    return socket === null ? null : `unix:${host.path("link")}/./${socket.slice(host.folder.length)}`;
  },
  "its TCP monitor": async (host) => {
    const devices = (await host.peer("web").ask("query-chardev")) as readonly { readonly label: string; readonly filename: string }[];
    return `tcp:localhost:${/:(\d+),server/.exec(devices.find(({ label }) => label === "tcp0")?.filename ?? "")?.[1] ?? ""}`;
  },
};

function prefixed(socket: string | null): string | null {
  return socket === null ? null : `unix:${socket}`;
}

/** Who asks. */
interface Asker {
  readonly env: (host: Host) => Readonly<Record<string, string | undefined>>;
  readonly uid?: number;
}

const SESSIONS: Readonly<Record<string, Asker>> = {
  "the same": { env: (host) => host.env },
  "with another run-time folder": { env: (host) => ({ ...host.env, QMPCTL_RUNTIME_DIR: host.path("third") }) },
  "with a second config folder": { env: (host) => ({ ...host.env, QMPCTL_CONFIG_DIR: host.path("configs") }) },
  "with an empty environment": {
    env: ({ env }) => ({ PATH: "/usr/bin:/bin", QMPCTL_CONFIG_DIR: env["QMPCTL_CONFIG_DIR"], QMPCTL_STATE_DIR: env["QMPCTL_STATE_DIR"] }),
  },
  "of another user": {
    env: (host) => ({ ...host.env, QMPCTL_RUNTIME_DIR: host.path("nobody", "run"), QMPCTL_STATE_DIR: host.path("nobody", "state") }),
    uid: NOBODY,
  },
};

const cells: string[] = [];
const outcomes = { done: 0, refused: 0, waited: 0 };

interface Scene extends AsyncDisposable {
  readonly host: Host;
  readonly start: Start;
  readonly pids: readonly number[];
  readonly typists: ReadonlyMap<string, Typist>;
  readonly addresses: ReadonlyMap<string, string>;
}

async function open(start: Start): Promise<Scene> {
  const host = await openHost();
  try {
    await host.openToOthers();
    await host.define("web", { args: TCP, ...(start.monitor === true ? { monitor: host.path("web.sock") } : {}) });
    await host.define("other", { args: TCP });
    await host.ok("start", "other");
    await start.run(host);
    await host.dialled("web", 1);
    await symlink(host.config, host.path("configs"));
    await symlink(host.folder, host.path("link"));
    await mkdir(host.path("nobody"), { mode: 0o700 });
    if (isRoot) await promisify(execFile)("chown", [`${NOBODY}:${NOBODY}`, host.path("nobody")]);
    const addresses = new Map<string, string>();
    for (const [how, find] of Object.entries(ADDRESSES)) {
      const address = await find(host, start);
      if (address !== null) addresses.set(how, address);
    }
    const typists = new Map(
      Object.entries(SESSIONS)
        .filter(([, { uid }]) => uid === undefined || isRoot)
        .map(([who, { env, uid }]) => [who, new Typist(env(host), uid)]),
    );
    const dispose = async (): Promise<void> => {
      for (const typist of typists.values()) await typist[Symbol.asyncDispose]();
      await host[Symbol.asyncDispose]();
    };
    return { host, start, pids: host.pids(), typists, addresses, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await host[Symbol.asyncDispose]();
    throw error;
  }
}

function viewOf(host: Host, name: string): View {
  const peer = host.peer(name);
  return {
    status: async () => ((await peer.ask("query-status")) as { readonly status: string }).status,
    masks: () => host.masks(name),
    events: (...names) => peer.events.filter((each) => names.includes(each)).length,
    told: async (event, count) => {
      while (peer.events.filter((each) => each === event).length < count) await new Promise((resolve) => setImmediate(resolve));
    },
    text: () => host.text(name),
  };
}

/** What must not change of a machine that was not meant. */
async function stateOf(
  host: Host,
  name: string,
): Promise<{ readonly status: string; readonly masks: readonly string[]; readonly events: number; readonly text: string }> {
  const view = viewOf(host, name);
  return {
    status: await view.status(),
    masks: await view.masks(),
    events: view.events("STOP", "RESUME", "SHUTDOWN", "POWERDOWN"),
    text: await view.text(),
  };
}

/** Why a command may be refused: each says whose the machine is, or what stands in its way. */
const REASONS =
  /without a QMP monitor|belongs to user \d+|is gone: it can only be ended|runs as another user|Permission denied|EACCES|a transient machine has no config|no config|there is no such config|not running|does not run|its monitor|can't be (pinned|looked at)|may not|it runs/;

let turn = 0;

/** One cell. */
async function cell({ host, start, typists }: Scene, who: string, address: string, name: string): Promise<void> {
  const verb = VERBS[name] as Verb;
  const typist = typists.get(who) as Typist;
  const isMute = start.mute === true && !address.startsWith("tcp:");
  const view = viewOf(host, "web");
  const [bystander, before] = [await stateOf(host, "other"), await stateOf(host, "web")];
  const now = ++turn;
  const told = verb.awaits === undefined ? 0 : view.events(verb.awaits);
  const { code, stdout, stderr } = await typist.type(verb.words(address, now));
  const said = `${who} | ${address} | ${name}: ${code}: ${stdout}${stderr}`;
  // A second one would dial in, too; all processes are looked at between the addresses.
  expect([host.peers("web").length, host.peers("other").length], said).toEqual([1, 1]);
  expect(await stateOf(host, "other"), said).toEqual(bystander);
  expect(viewOf(host, "other").events("RESET", "DEVICE_DELETED", "BALLOON_CHANGE"), said).toBe(0);
  const isDone = code === 0 || (code !== null && verb.codes?.includes(code) === true);
  if (verb.never !== undefined) {
    expect([code, stderr], said).toEqual([3, expect.stringMatching(new RegExp(`${verb.never.source}|${REASONS.source}`))]);
    expect(await stateOf(host, "web"), said).toEqual(before);
    outcomes.refused++;
  } else if (isDone) {
    if (verb.awaits !== undefined) await view.told(verb.awaits, told + 1);
    if (verb.writes === true) {
      const { vcpus } = JSON.parse(await host.text("web")) as { readonly vcpus: { readonly pin?: Readonly<Record<string, string>> } };
      expect(vcpus.pin?.["0"] ?? "0-1", said).toBe((await view.masks())[0]);
      await writeFile(join(host.config, "web.json"), before.text);
    }
    if (verb.shows !== undefined) expect(await verb.shows(view, now), said).toBe(true);
    if (name === "info")
      expect(JSON.parse(stdout), said).toMatchObject({
        state: expect.stringMatching(
          start.others === true || who === "of another user"
            ? /running|paused|unreachable|stopped|none/
            : isMute
              ? /unreachable/
              : /running|paused/,
        ) as string,
      });
    if (name === "qmp") expect(JSON.parse(stdout), said).toEqual({ name: "web" });
    outcomes.done++;
  } else {
    expect(stderr, said).toMatch(REASONS);
    expect(stderr, said).not.toMatch(/internal error|\n\s+at /);
    expect(await stateOf(host, "web"), said).toEqual(before);
    // To its own user, and to whoever may, it has to be open.
    const isOurs = start.others !== true && who !== "of another user";
    const mayRefuse = verb.needsConfig === true && /^(unix|tcp):/.test(address);
    expect([isOurs && !isMute && !mayRefuse, said]).toEqual([false, said]);
    outcomes.refused++;
  }
  cells.push(`${who} | ${address} | ${name}`);
}

/** While somebody has its lock, what changes it waits for that, by whatever address. */
async function locked({ host, start, typists, addresses }: Scene): Promise<void> {
  if (start.others === true) return;
  const lockers = (await readdir(host.state)).filter((name) => name.startsWith("@"));
  const holders = lockers.map((name) => {
    const child = execFile("flock", [join(host.state, name, "lock"), "sh", "-c", "echo held; read end"]);
    return { child, held: once(child.stdout ?? child, "data") };
  });
  try {
    await Promise.all(holders.map(({ held }) => held));
    const before = await stateOf(host, "web");
    for (const [who, typist] of typists) {
      if (who === "of another user") continue;
      for (const address of addresses.values()) {
        const { code, stderr } = await typist.type(["vcpupin", address, "0", "0", "--live", "--timeout", "20ms"]);
        expect([code, stderr], `${who} | ${address}`).toEqual([3, expect.stringMatching(/\/lock: locked by /)]);
        outcomes.waited++;
        cells.push(`${who} | ${address} | the lock`);
      }
    }
    expect(await stateOf(host, "web")).toEqual(before);
  } finally {
    for (const { child } of holders) {
      child.stdin?.end();
      await once(child, "exit");
    }
  }
}

/** A live change that the guest answers in its own time: QEMU has the target, by whatever address. */
async function balloons({ host, start, typists, addresses }: Scene): Promise<void> {
  if (start.others === true) return;
  const typist = typists.get("the same") as Typist;
  let size = 40;
  for (const address of addresses.values()) {
    if (start.mute === true && !address.startsWith("tcp:")) continue;
    const { code, stdout, stderr } = await typist.type(["setmem", address, `${++size}M`, "--live", "--force", "--timeout", "2s"]);
    expect([code, await host.target("web", 64 * MIB)], address + stdout + stderr).toEqual([5, size * MIB]);
    cells.push(`the same | ${address} | setmem`);
    outcomes.done++;
  }
  await typist.type(["setmem", addresses.get("its TCP monitor") ?? "", "64M", "--live", "--force"]);
}

/** With every run-time folder gone: it runs, and is not started again; only what reaches it otherwise may change it. */
async function withoutFolders({ host, start, pids, typists, addresses }: Scene): Promise<void> {
  for (const folder of [host.run, host.path("elsewhere"), host.path("own.sock"), host.path("web.sock")])
    await rm(folder, { recursive: true, force: true });
  const before = await host.text("web");
  for (const [who, typist] of typists) {
    for (const how of ["its name", "its config's path", "its config's path by a symlinked folder"]) {
      const address = addresses.get(how) ?? "";
      for (const words of [
        ["info", address, "--json"],
        ["start", address],
        ["undefine", address],
        ["setmem", address, "40M"],
        ["suspend", address],
      ]) {
        const { code, stdout, stderr } = await typist.type(words);
        const said = `${who} | ${words.join(" ")}: ${code}: ${stdout}${stderr}`;
        if (words[0] === "info" && who !== "of another user" && start.others !== true)
          expect(JSON.parse(stdout), said).toMatchObject({
            state: "unreachable",
            reason: expect.stringMatching(/is gone|without a QMP monitor/) as string,
          });
        // There may be another way to it: its TCP monitor.
        if (words[0] !== "info" && code !== 0 && code !== 5) expect([code, stderr], said).toEqual([3, expect.stringMatching(REASONS)]);
        if (words[0] === "start" || words[0] === "undefine") expect(code, said).toBe(3);
        cells.push(`${who} | ${address} | ${words[0] ?? ""}, without folders`);
        outcomes.refused++;
      }
    }
  }
  expect([host.pids(), await host.text("web"), await viewOf(host, "other").status()]).toEqual([pids, before, "running"]);
}

/** Ended by each of its addresses, and started again in the same way. */
async function ended({ host, start, typists, addresses }: Scene): Promise<void> {
  const typist = typists.get("the same") as Typist;
  const other = host
    .pids()
    .filter((pid) => host.qemus().some((each) => each.pid === pid && each.argv.some((word) => word.includes("guest=other"))));
  const found =
    start.others === true || start.mute === true
      ? [...addresses].filter(([how]) => how === "its name")
      : [...addresses].filter(([how]) => !how.includes("TCP"));
  for (const [how, address] of found) {
    const { code, stdout, stderr } = await typist.type(["destroy", address]);
    const said = `destroy ${address}: ${code}: ${stdout}${stderr}`;
    if (start.others === true) expect([code, stderr, host.pids().length], said).toEqual([3, expect.stringMatching(/belongs to user/), 2]);
    else expect([code, host.pids()], said).toEqual([0, other]);
    cells.push(`the same | ${address} | destroy`);
    outcomes[start.others === true ? "refused" : "done"]++;
    if (how === [...found].at(-1)?.[0]) break;
    await rm(join(host.run, "web"), { recursive: true, force: true });
    await rm(host.path("own.sock"), { force: true });
    const count = host.peers("web").length;
    await start.run(host);
    await host.dialled("web", count + 1);
  }
  expect([await viewOf(host, "other").status(), host.peer("other").events.filter((event) => event !== "RESUME")]).toEqual(["running", []]);
}

const KINDS = Object.entries(STARTS).filter(([, { others }]) => isRoot || others !== true);
const WHO = Object.values(SESSIONS).filter(({ uid }) => isRoot || uid === undefined).length;

/** How many cells there are: so many have to have been run. */
const COUNT = KINDS.map(([, start]) => {
  const addresses = Object.keys(ADDRESSES).length - (start.mute === true ? 2 : 0);
  const verbs = addresses * (ALL.length + SOME.length * (WHO - 1));
  const locks = start.others === true ? 0 : addresses * (WHO - (isRoot ? 1 : 0));
  const sizes = start.others === true ? 0 : start.mute === true ? 1 : addresses;
  const ends = start.others === true || start.mute === true ? 1 : addresses - 1;
  return verbs + locks + sizes + ends + WHO * 15;
}).reduce((sum, each) => sum + each, 0);

describe.concurrent("whose machine it is, in every combination", () => {
  test.each(KINDS)(
    "started %s: the right machine does it, or its lock is waited for, or it is refused and told why; no second QEMU, and nobody else's",
    { timeout: 300_000 },
    async (_how, start) => {
      {
        await using scene = await open(start);
        await balloons(scene);
        for (const who of scene.typists.keys()) {
          for (const address of scene.addresses.values()) {
            for (const name of who === "the same" ? ALL : SOME) await cell(scene, who, address, name);
            expect(scene.host.pids(), `${who} | ${address}`).toEqual(scene.pids);
          }
        }
        await locked(scene);
        await ended(scene);
      }
      await using scene = await open(start);
      await withoutFolders(scene);
    },
  );
});

test(`${COUNT} cells: all of them were run`, () => {
  console.log(`${cells.length} cells: ${JSON.stringify(outcomes)}`);
  expect(cells).toHaveLength(COUNT);
});
