import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { bootHost, type HostVm, type Login } from "../../lab/host-vm.ts";
import { Broken } from "../check.ts";
import { tryEnds } from "./vm-ends.ts";

const MAIN = new URL("../../../dist/cli/main.js", import.meta.url).pathname;

interface Told {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line of this side, on the Debian that is booted, as one of its users. */
class Near {
  readonly #vm: HostVm;
  readonly #user: string;

  constructor(vm: HostVm, user: "root" | "user") {
    this.#vm = vm;
    this.#user = user;
  }

  begin(...words: readonly string[]): { readonly process: ChildProcess; readonly ended: Promise<Told> } {
    const child = spawn(process.execPath, [MAIN, "-H", `${this.#user}@vm`, ...words], {
      env: { ...process.env, QMPCTL_SSH: this.#vm.ssh },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const texts = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) child[name].setEncoding("utf8").on("data", (text: string) => (texts[name] += text));
    return { process: child, ended: once(child, "close").then(([code]) => ({ code: code as number | null, ...texts })) };
  }

  /** Runs a command that has to end with this code. @throws Broken */
  async ok(code: number, ...words: readonly string[]): Promise<string> {
    const told = await this.begin(...words).ended;
    if (told.code !== code) throw new Broken(`${words.join(" ")}: exit ${told.code} instead of ${code}: ${told.stderr}${told.stdout}`);
    return told.stdout + told.stderr;
  }
}

/** A machine without a guest: a change of its memory waits until its time is over. */
const MACHINE = ["qemu-system-x86_64", "-machine", "q35,accel=tcg", "-nodefaults", "-display", "none", "-m", "64M"];
const BALLOON = ["-device", "virtio-balloon-pci,id=balloon0"];
const CHANGE = ["setmem", "web1", "48M", "--both", "--force", "--timeout", "120s"];

/**
 * Tries other hosts' verbs on a real Debian with systemd: sessions that end, and the host itself, in the middle of a change. @throws Broken
 */
export async function tryVm(image: string, say: (line: string) => void): Promise<void> {
  await using vm = await bootHost(image);
  say(`the host was up after ${Math.round(vm.bootTime / 1000)} s`);
  await tryEnds(vm, say);
  for (const user of ["root", "user"] as const) {
    const near = new Near(vm, user);
    await near.ok(0, "define", "--name", "web1", "--", ...MACHINE, ...BALLOON);
    if (user === "user") {
      await using login = await vm.login("root");
      await login.ok("loginctl enable-linger user");
    }
    const started = await near.ok(0, "start", "web1", "--paused");
    const info = await near.ok(0, "info", "web1");
    if (!/paused/.test(info)) throw new Broken(`${user}'s machine did not outlive the connection that started it: ${started}${info}`);
    say(`${user}: started over a connection, and it outlives that`);
    await sessionEnds(vm, user, near, say);
    await hostEnds(vm, user, near, say);
  }
}

/** The session of the far end ends in the middle of a change: with KillUserProcesses=yes, a user's far end ends with it. */
async function sessionEnds(vm: HostVm, user: "root" | "user", near: Near, say: (line: string) => void): Promise<void> {
  await using login = await vm.login("root");
  const change = near.begin(...CHANGE.slice(0, -1), "20s");
  await begun(login);
  // The far side of that connection alone.
  await login.ok("kill -KILL $(ps -o ppid= -p $(pgrep -n -f 'node -e eval'))");
  const { code, stderr } = await change.ended;
  const state = await near.ok(0, "config", "web1");
  const isDone = state.includes("48MiB");
  if (isDone ? code !== 5 : !(code === 4 && /recover web1/.test(stderr)))
    throw new Broken(`${user}: exit ${code}, and the config is ${state}: ${stderr}`);
  say(`${user}: its login killed in the middle: exit ${code}, ${isDone ? "the change went on there" : "interrupted, as is told"}`);
  if (!isDone) await near.ok(0, "recover", "web1", "--forget");
}

/** The host loses its power in the middle of a change. */
async function hostEnds(vm: HostVm, user: "root" | "user", near: Near, say: (line: string) => void): Promise<void> {
  {
    await using login = await vm.login("root");
    // The machine has all of it still, as nobody in it gave anything up.
    await near.ok(0, "setmem", "web1", "64M", "--both", "--force", "--timeout", "1s");
    const change = near.begin(...CHANGE);
    await begun(login);
    await login.ok("sync");
    await vm.reset();
    const { code, stderr } = await change.ended;
    const key = /outcome ([\w-]{36})/.exec(stderr)?.[1];
    say(`${user}: power lost in the middle: exit ${code}: ${stderr.trim()}`);
    if (code !== 4) throw new Broken(`${user}: exit ${code}: ${stderr}`);
    if (key !== undefined) {
      const outcome = await near.begin("outcome", key).ended;
      say(`${user}: after the start: outcome says ${outcome.stdout.trim()}, exit ${outcome.code}`);
      if (![3, 4].includes(outcome.code ?? -1)) throw new Broken(`${user}: outcome: ${outcome.stdout}${outcome.stderr}`);
    }
  }
  say(`${user}: ${(await near.ok(0, "info", "web1")).split("\n").slice(0, 3).join("; ")}`);
}

/** Waits until a change has its record. */
async function begun(login: Login): Promise<void> {
  await login.ok("until ls /run/qmpctl/@*/journal /home/user/.local/state/qmpctl/@*/journal 2>/dev/null | grep -q .; do sleep 0.2; done");
}
