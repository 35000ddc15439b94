import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../src/errors.ts";
import { checkEnd, checkNext, readBefore } from "./check.ts";
import type { Fault } from "./faults.ts";
import { Command, type Oddity, type Rig, wantedOf } from "./rig.ts";

/** How one fault at one step went. */
export interface Outcome {
  readonly machine: string;
  readonly fault: string;
  readonly step: string;
  /** The task whose step it is; absent for the change of faults.ts. */
  readonly task?: string;
  readonly result: "held" | "broken" | "not reached";
  readonly why?: string;
  /** Machines that were lost because of a bug in QEMU. */
  readonly lost?: number;
}

/** Tries one fault at one step, checks the promises, and brings the domain back to its base. */
export async function tryFault(rig: Rig, fault: Fault, step: string, how: "finish" | "undo"): Promise<Outcome> {
  const about = { machine: rig.name, fault: fault.name, step };
  try {
    const before = await readBefore(rig);
    const wanted = join(rig.runtime, "..", "wanted.json");
    await writeFile(wanted, JSON.stringify(wantedOf(rig)));
    const start = (more: Oddity = {}, ...words: readonly string[]): Command =>
      new Command(rig, ["apply", "web", wanted, "--static", "--dynamic", "--json", "--force", ...words], more);
    const tried = await fault.run({ rig, start }, step);
    await checkEnd(rig, before, tried.ended, tried.reached ? (tried.allowed ?? {}) : {});
    await tried.repair?.();
    await checkNext(rig, before, how, tried.ended.code === null);
    return { ...about, result: tried.reached ? "held" : "not reached" };
  } catch (error) {
    return { ...about, result: "broken", why: messageOf(error) };
  } finally {
    rig.proxy.arm(undefined);
  }
}
