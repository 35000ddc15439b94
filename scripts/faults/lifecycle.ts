import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { messageOf } from "../../src/errors.ts";
import { fractionsFrom } from "../lab/fractions.ts";
import type { Qemu } from "../lab/machine.ts";
import { definedText, type LifecycleRig, openLifecycle } from "./lifecycle-rig.ts";
import type { Course } from "./matrix.ts";
import type { DiskFault } from "./rig.ts";
import type { Outcome } from "./run.ts";

/** An action on a whole machine, the state that it needs, and its words. */
interface Action {
  readonly name: string;
  readonly from: "running" | "stopped" | "undefined";
  words(rig: LifecycleRig, turn: number): readonly string[];
}

/** Every action to kill. */
export const ACTIONS: readonly Action[] = [
  { name: "start", from: "stopped", words: () => ["start", "web"] },
  { name: "restart", from: "running", words: () => ["restart", "web"] },
  { name: "shutdown", from: "running", words: () => ["shutdown", "web"] },
  { name: "destroy", from: "running", words: () => ["destroy", "web"] },
  { name: "define", from: "undefined", words: ({ drafts }) => ["define", drafts[0]] },
  { name: "define --replace", from: "stopped", words: ({ drafts }, turn) => ["define", drafts[turn % 2 === 0 ? 1 : 0], "--replace"] },
  { name: "undefine", from: "stopped", words: () => ["undefine", "web"] },
];

/** How a run of an action ended, and the signal that hit it. Null: it ended before the signal. */
interface Struck {
  readonly code: number | null;
  readonly signal: "SIGKILL" | "SIGINT" | null;
  readonly stderr: string;
}

/** Brings the machine to the state that an action needs. */
async function bring(rig: LifecycleRig, to: Action["from"]): Promise<void> {
  const defined = (await definedText(rig)) !== null;
  if (!defined && to !== "undefined") await must(rig, ["define", rig.drafts[0]]);
  const runs = rig.processes().length > 0;
  if (runs && to !== "running") await must(rig, ["destroy", "web"]);
  if (!runs && to === "running") await must(rig, ["start", "web"]);
  if (defined && to === "undefined") await must(rig, ["undefine", "web"]);
}

async function must(rig: LifecycleRig, words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await rig.command(words).ended;
  if (code !== 0) throw new Error(`qmpctl ${words.join(" ")} ended with ${code}: ${stderr.trim()}`);
  return stdout;
}

/** Checks the promises after any end of an action, without the product. Then the product must resolve what is left, and work on. */
async function check(rig: LifecycleRig, action: Action, struck: Struck, how: "finish" | "undo"): Promise<void> {
  const found = rig.processes();
  if (found.length > 1) throw new Error(`${found.length} QEMUs of one machine: ${found.join(", ")}`);
  const text = await definedText(rig);
  if (text !== null && !rig.texts.includes(text)) throw new Error(`the config is neither the old one nor the new one: ${text}`);
  if (text === null && !["define", "undefine"].includes(action.name)) throw new Error("the config is gone");
  if (text === null && found.length > 0) throw new Error("a QEMU runs, but its config is gone");
  const look = found.length === 0 ? null : await rig.look();
  const info = text === null ? {} : (JSON.parse(await must(rig, ["info", "web", "--json"])) as { state?: string; interrupted?: string });
  if (info.state === "stopped" && rig.processes().length > 0) throw new Error("info says stopped, but it runs");
  const isLeft = look?.status === "prelaunch";
  if (isLeft && info.interrupted === undefined) throw new Error("a paused QEMU is left, and nothing says so");
  if (look?.status === "running" && look.mask !== "0") throw new Error(`it runs without its pin: ${look.mask}`);
  if (struck.signal === "SIGINT" && struck.code === 130 && info.interrupted !== undefined)
    throw new Error(`interrupted, but not undone: ${info.interrupted}`);
  if (struck.signal === "SIGINT" && struck.code === 130 && action.name === "start" && found.length > 0)
    throw new Error("the start was interrupted, but its QEMU is left");
  if (info.interrupted !== undefined) await resolve(rig, how);
  await worksOn(rig);
}

async function resolve(rig: LifecycleRig, how: "finish" | "undo"): Promise<void> {
  const { code, stderr } = await rig.command(["recover", "web", `--${how}`]).ended;
  // The action may have finished meanwhile.
  if (code !== 0 && !/nothing to recover/.test(stderr)) throw new Error(`recover --${how} ended with ${code}: ${stderr.trim()}`);
  const look = rig.processes().length === 0 ? null : await rig.look();
  if (look !== null && look.status === "prelaunch") throw new Error(`recover --${how} left it paused`);
  const info = JSON.parse(await must(rig, ["info", "web", "--json"])) as { interrupted?: string };
  if (info.interrupted !== undefined) throw new Error(`recover --${how} left its record: ${info.interrupted}`);
}

/** The next commands must work and leave no files behind. */
async function worksOn(rig: LifecycleRig): Promise<void> {
  await bring(rig, "running");
  const look = await rig.look();
  if (look?.status !== "running" || look.mask !== "0") throw new Error(`after a start it is ${JSON.stringify(look)}`);
  await bring(rig, "stopped");
  await must(rig, ["define", rig.drafts[0], "--replace"]);
  const left = (await readdir(dirname(rig.config))).filter((name) => name.endsWith(".new"));
  if (left.length > 0) throw new Error(`left beside the config: ${left.join(", ")}`);
}

/** Kills or interrupts actions at random moments. Prints every broken promise. */
export async function lifecycleKills(count: number, seed: number, qemu: Qemu): Promise<readonly Outcome[]> {
  const random = fractionsFrom(seed);
  const outcomes: Outcome[] = [];
  const longest = new Map(ACTIONS.map(({ name }) => [name, 500]));
  await using rig = await openLifecycle(qemu);
  for (let turn = 0; turn < count; turn++) {
    const action = ACTIONS[turn % ACTIONS.length] as Action;
    const signal = random() < 0.5 ? "SIGKILL" : "SIGINT";
    const about = { machine: rig.name, fault: signal, step: action.name };
    try {
      await bring(rig, action.from);
      const begun = performance.now();
      const command = rig.command(action.words(rig, turn));
      await Promise.race([wait(random() * (longest.get(action.name) ?? 500)), command.ended]);
      command.kill(signal);
      const { code, stderr } = await command.ended;
      const reached = code === null || code === 130;
      // The moments depend on the machine's speed: from before the first step to after the last.
      if (!reached) longest.set(action.name, ((longest.get(action.name) ?? 500) + (performance.now() - begun) * 1.1) / 2);
      await check(rig, action, { code, signal, stderr }, random() < 0.5 ? "finish" : "undo");
      outcomes.push({ ...about, result: reached ? "held" : "not reached" });
    } catch (error) {
      outcomes.push({ ...about, result: "broken", why: messageOf(error) });
      console.error(`NOT HELD: ${rig.name}: ${action.name} and ${signal}, number ${turn + 1} of seed ${seed}: ${messageOf(error)}`);
      for (const pid of rig.processes()) process.kill(pid, "SIGKILL");
      await rig.command(["recover", "web", "--forget"]).ended;
    }
  }
  return outcomes;
}

/** More writing calls than any action makes. */
const MOST = 60;
/** The short run tries only one of this many calls. */
const STRIDE = 20;
/**
 * After this many calls in a row without a kill, the action has no more calls. A call that fails by itself (a folder exists) kills nothing.
 */
const MISSES = 4;

/** Kills each action at each of its writing file system calls, one after the other. */
export async function lifecycleSteps(qemu: Qemu, { all, wanted, note }: Course): Promise<void> {
  await using rig = await openLifecycle(qemu);
  for (const [turn, action] of ACTIONS.entries()) {
    for (
      let nth = 1, misses = 0;
      nth <= MOST && misses < MISSES && wanted("killed in the file system", action.name);
      nth += all ? 1 : STRIDE
    ) {
      const about = { machine: rig.name, fault: "killed in the file system", step: `${action.name} ${nth}` };
      const fault: DiskFault = {
        call: "any",
        path: join(rig.folder, "(etc|run|state)/").replaceAll("/", "\\/"),
        when: "after",
        nth,
        act: "kill",
      };
      let reached = false;
      try {
        await bring(rig, action.from);
        const { code, stderr } = await rig.command(action.words(rig, turn), fault).ended;
        reached = code === null;
        await check(rig, action, { code, signal: reached ? "SIGKILL" : null, stderr }, nth % 2 === 0 ? "finish" : "undo");
        if (reached) note({ ...about, result: "held" });
      } catch (error) {
        note({ ...about, result: "broken", why: messageOf(error) });
        for (const pid of rig.processes()) process.kill(pid, "SIGKILL");
        await rig.command(["recover", "web", "--forget"]).ended;
        reached = true;
      }
      misses = reached ? 0 : misses + 1;
    }
  }
}
