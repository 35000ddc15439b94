import { messageOf } from "../../src/errors.ts";
import type { Qemu } from "../lab/machine.ts";
import { FAKE_FAULTS } from "./fake-faults.ts";
import { openFake } from "./fake-rig.ts";
import { type Fault, FAULTS } from "./faults.ts";
import { HOST_FAULTS } from "./host-faults.ts";
import { REAL_FAULTS } from "./real-faults.ts";
import { openReal, type RealRig, replugs } from "./real-rig.ts";
import type { Kind, Rig } from "./rig.ts";
import { type Outcome, tryFault } from "./run.ts";

/** Which faults at which steps. `all`: every step on real QEMUs too. */
export interface Course {
  readonly all: boolean;
  readonly wanted: (fault: string, step: string) => boolean;
  readonly note: (outcome: Outcome) => void;
}

/** One fault at one step, on a machine of this kind. */
interface Case {
  readonly fault: Fault;
  readonly step: string;
  readonly kind: Kind;
}

/** A fake is cheap, so each fault gets its own. */
export async function onFake({ wanted, note }: Course): Promise<void> {
  // A fake is in our own process, so it can't be stopped.
  const faults = [...FAULTS, ...FAKE_FAULTS, ...HOST_FAULTS].filter(
    ({ name }) => name !== "QEMU stopped and continued" && name !== "QEMU stopped for good",
  );
  for (const [turn, { fault, step, kind }] of (await possible(faults, wanted)).entries()) {
    await using rig = await openFake(kind);
    note(await tryFault(rig, fault, step, howOf(turn)));
  }
}

/** One machine of a kind serves all faults while it lives. Faults that end it come last. */
export async function onReal(qemu: Qemu, { all, wanted, note }: Course): Promise<void> {
  const few = (fault: Fault, step: string): boolean => all || (fault.onReal ?? fault.steps).includes(step);
  const cases = await possible([...FAULTS, ...HOST_FAULTS, ...REAL_FAULTS], (name, step, fault) => wanted(name, step) && few(fault, step));
  const settled = cases.map((each) =>
    isPlug(each.step) && !replugs(qemu) && each.kind === "usual" ? { ...each, kind: "grow" as const } : each,
  );
  await using machines = new Machines(qemu);
  for (const [turn, { fault, step, kind }] of settled.toSorted((one, other) => orderOf(one) - orderOf(other)).entries()) {
    let outcome = await tryFault(await machines.ready(kind), fault, step, howOf(turn));
    let lost = 0;
    // Under software emulation, QEMU before 10 can hang or die when vCPUs come and go. That is not our bug: say so, and try again.
    for (let why = await machines.whyLost(outcome); why !== null && lost < MOST_LOST; why = await machines.whyLost(outcome)) {
      console.log(`${outcome.machine} was lost at ${fault.name} at ${step}; another one takes its place: ${why}`);
      lost++;
      await machines.leave();
      outcome = await tryFault(await machines.ready(kind), fault, step, howOf(turn));
    }
    note({ ...outcome, lost });
    // A broken machine is not used again.
    if (outcome.result === "broken") await machines.leave();
  }
}

/** How many machines in a row may be lost at one fault. */
const MOST_LOST = 5;

async function possible(faults: readonly Fault[], wanted: (fault: string, step: string, of: Fault) => boolean): Promise<readonly Case[]> {
  const cases: Case[] = [];
  for (const fault of faults) {
    const steps = fault.steps.filter((step) => wanted(fault.name, step, fault));
    const obstacle = steps.length === 0 ? null : ((await fault.obstacle?.()) ?? null);
    if (obstacle !== null) console.log(`skipped: ${fault.name}: ${obstacle}`);
    else cases.push(...steps.map((step) => ({ fault, step, kind: fault.kind ?? "usual" })));
  }
  return cases;
}

function howOf(turn: number): "finish" | "undo" {
  return turn % 2 === 0 ? "finish" : "undo";
}

function isPlug(step: string): boolean {
  return step === "plug" || step === "plugged";
}

/** Sorts by kind of machine. Faults that end the machine come last. */
function orderOf({ fault, kind }: Case): number {
  return (fault.name === "QEMU killed" ? 10 : 0) + (["usual", "grow", "wide", "shrink", "full", "agent"] as const).indexOf(kind);
}

/** How many faults one machine serves. A machine has a limited number of vCPU threads. */
const TURNS: Readonly<Record<Kind, number>> = { usual: 30, grow: 8, wide: 8, shrink: 8, full: 30, agent: 30 };

/** The machine to try faults on. It is replaced when it is gone, used up, or of another kind. */
class Machines implements AsyncDisposable {
  readonly #qemu: Qemu;
  #rig: RealRig | undefined;
  #kind: Kind = "usual";
  #turns = 0;

  constructor(qemu: Qemu) {
    this.#qemu = qemu;
  }

  /** Why the machine itself failed, if its QEMU is one that can fail. Null: the broken promise is ours. */
  async whyLost({ result }: Outcome): Promise<string | null> {
    return result !== "broken" || replugs(this.#qemu) || this.#rig === undefined ? null : this.#rig.whyLost();
  }

  async ready(kind: Kind): Promise<Rig> {
    const turns = replugs(this.#qemu) || kind === "usual" || kind === "full" ? TURNS[kind] : 1;
    const good = this.#kind === kind && this.#turns < turns && (await this.#rig?.look().catch(() => null)) != null;
    if (!good) await this.leave();
    this.#kind = kind;
    this.#turns++;
    return (this.#rig ??= await this.#open(kind));
  }

  /** A busy host can be too slow for the start of a guest. Then this says so, and starts it again. */
  async #open(kind: Kind): Promise<RealRig> {
    for (let left = MOST_LOST; ; left--) {
      try {
        return await openReal(this.#qemu, kind);
      } catch (error) {
        if (left === 0) throw error;
        console.log(`QEMU ${this.#qemu.version} did not start; starting it again: ${messageOf(error).split("\n")[0]}`);
      }
    }
  }

  async leave(): Promise<void> {
    const rig = this.#rig;
    this.#rig = undefined;
    this.#turns = 0;
    await rig?.[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }
}
