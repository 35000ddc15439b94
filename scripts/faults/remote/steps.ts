import { at, MONITOR_STEPS, type MonitorStep } from "../steps.ts";
import type { DiskCall } from "./gate.ts";
import type { Stage } from "./stage.ts";
import type { Passing } from "./wire.ts";

/** The steps of a change on another host that show on the wire, before the far end works on it. */
export const WIRE_STEPS = ["connect", "program", "greeting", "call", "served"] as const;
/** Those that show in the file system there, in order; those on the monitor are between `journal` and `commit`. */
export const FAR_STEPS = ["noted", "prepared", "begun", "journal", "commit", "committed", "keep", "kept", "closing", "closed"] as const;

/** All steps, in order. `reply`: it is sent, and has not arrived. */
export type Step = (typeof WIRE_STEPS)[number] | (typeof FAR_STEPS)[number] | `qmp-${MonitorStep}` | "reply";

/** In the order of a change of a machine that has these steps on its monitor. */
export function stepsOf(replugs: boolean): readonly Step[] {
  const qmp = MONITOR_STEPS.filter((step) => (replugs || !step.startsWith("plug")) && !step.startsWith("attach"));
  const inQmp = qmp.map((step): Step => `qmp-${step}`);
  const early: readonly Step[] = ["qmp-connect", "qmp-read"];
  return [
    ...[...WIRE_STEPS, "noted" as const, ...early, "prepared" as const, "begun" as const, "journal" as const],
    ...inQmp.filter((step) => !early.includes(step) && step !== "qmp-report"),
    ...(["commit", "committed", "keep", "kept", "closing", "closed", "reply"] as const),
  ];
}

/** What is known of a change from what passed: the frame that asked for it, with its key. */
export interface Heard {
  reached: boolean;
  call: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Does something once, when the change reaches this step; what is at that step waits for it. `again` is done for what passes on later
 * connections.
 */
export function atStep(
  stage: Stage,
  step: Step,
  act: () => Promise<"drop" | undefined>,
  again: (passing: Passing) => Promise<"drop" | undefined> = async () => undefined,
): Heard {
  const heard: Heard = { reached: false, call: undefined };
  const once = async (): Promise<"drop" | undefined> => {
    if (heard.reached) return undefined;
    heard.reached = true;
    return act();
  };
  stage.wire.arm(async (passing) => {
    if (passing.at === "call" && passing.what === "apply") heard.call ??= passing.frame;
    if (passing.connection > 1) return again(passing);
    const isOfChange = passing.at !== "call" && passing.at !== "reply" ? true : passing.what === "apply";
    return passing.at === step && isOfChange ? once() : undefined;
  });
  let outcomes = 0;
  stage.gate.arm(async (call) => {
    const isOutcome = call.call === "rename" && /\/outcomes\/[\w-]+$/.test(call.path);
    if (isOutcome && call.when === "before") outcomes += 1;
    if (isAt(step, call, isOutcome ? outcomes : 0)) await once();
  });
  if (!step.startsWith("qmp-")) stage.machine.proxy.arm(undefined);
  else at(stage.machine, step.slice(4) as MonitorStep, async () => void (await once()));
  return heard;
}

/** Shows nothing to nobody any more. */
export function disarm({ wire, gate, machine }: Stage): void {
  wire.arm(undefined);
  gate.arm(undefined);
  machine.proxy.arm(undefined);
}

/** `outcome`: how many times the outcome was written before, with this one; 0 for another file. */
function isAt(step: Step, { when, call, path }: DiskCall, outcome: number): boolean {
  const isFile = (name: RegExp): boolean => name.test(path);
  switch (step) {
    case "noted":
      return outcome === 1 && when === "after";
    case "begun":
      return outcome === 2 && when === "after";
    case "keep":
    case "kept":
      return outcome === 3 && when === (step === "keep" ? "before" : "after");
    case "prepared":
      return call === "open" && when === "after" && isFile(/\.web\.json\./);
    case "journal":
      return call === "rename" && when === "after" && isFile(/\/journal$/);
    case "commit":
    case "committed":
      return call === "rename" && when === (step === "commit" ? "before" : "after") && isFile(/\/web\.json$/);
    case "closing":
    case "closed":
      return call === "rm" && when === (step === "closing" ? "before" : "after") && isFile(/\/journal$/);
    default:
      return false;
  }
}
