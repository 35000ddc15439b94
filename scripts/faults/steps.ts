import { DEVICE } from "../lab/fake-devices.ts";
import type { Passing, Verdict } from "./proxy.ts";
import type { DiskFault, Rig } from "./rig.ts";

/** Steps of a change that show on the monitor, in order. */
export const MONITOR_STEPS = [
  "connect",
  "read",
  "plug",
  "plugged",
  "attach",
  "attached",
  "throttle",
  "throttled",
  "period",
  "periodic",
  "balloon",
  "ballooned",
  "wait",
  "report",
] as const;
/** Steps that show in the file system, in order. */
export const DISK_STEPS = ["prepare", "journal", "asked", "commit", "committed", "closing"] as const;

export type MonitorStep = (typeof MONITOR_STEPS)[number] | "undo";
export type DiskStep = (typeof DISK_STEPS)[number];

/** What is sent of the wanted period of rig.ts. */
const PERIOD = '"guest-stats-polling-interval","value":17';

interface Seen {
  balloon: boolean;
  waited: boolean;
  period: boolean;
  /** Which device_add was the one of the device that is no vCPU; 0 before it. */
  attach: number;
}

/** Whether a message is at this step. */
function standsAt(step: MonitorStep, { from, command, nth, text }: Passing, seen: Seen): boolean {
  switch (step) {
    case "connect":
      return false;
    case "read":
      return from === "client" && command === "query-cpus-fast" && nth === 1;
    case "plug":
    case "plugged":
      return from === (step === "plug" ? "client" : "qemu") && command === "device_add" && nth === 1;
    case "attach":
      return from === "client" && command === "device_add" && text.includes(DEVICE);
    case "attached":
      return from === "qemu" && command === "device_add" && nth === seen.attach;
    case "throttle":
    case "throttled":
      return from === (step === "throttle" ? "client" : "qemu") && command === "block_set_io_throttle" && nth === 1;
    // To ask the guest what it uses takes that command too, with other values.
    case "period":
      return from === "client" && command === "qom-set" && text.includes(PERIOD);
    case "periodic":
      return from === "qemu" && command === "qom-set" && seen.period;
    case "balloon":
    case "ballooned":
      return from === (step === "balloon" ? "client" : "qemu") && command === "balloon" && nth === 1;
    case "wait":
      return from === "client" && command === "query-balloon" && seen.balloon;
    case "undo":
      return from === "client" && command === "balloon" && nth === 2;
    case "report":
      return from === "client" && command === "query-status" && seen.waited;
  }
}

/** Does something once, when the change reaches this step. The message waits for it. */
export function at(
  rig: Pick<Rig, "proxy">,
  step: MonitorStep,
  act: (passing: Passing | null) => Verdict | Promise<Verdict>,
): { readonly reached: boolean } {
  const state = { reached: false };
  const seen: Seen = { balloon: false, waited: false, period: false, attach: 0 };
  const once = async (passing: Passing | null): Promise<Verdict> => {
    if (state.reached) return undefined;
    state.reached = true;
    return act(passing);
  };
  rig.proxy.arm(
    async (passing) => {
      if (passing.from === "client" && passing.command === "device_add" && passing.text.includes(DEVICE)) seen.attach = passing.nth;
      if (standsAt(step, passing, seen)) return once(passing);
      if (passing.from === "client" && passing.command === "qom-set") seen.period = passing.text.includes(PERIOD);
      if (passing.from === "qemu" && passing.command === "balloon") seen.balloon = true;
      if (seen.balloon && passing.from === "qemu" && passing.command === "query-balloon") seen.waited = true;
      return undefined;
    },
    step === "connect" ? () => once(null) : undefined,
  );
  return state;
}

/** The file system call at this step, where the process is to be killed or the call is to fail. */
export function diskFault(step: DiskStep, act: string): DiskFault {
  const kill = act === "kill";
  const when = kill && step !== "commit" && step !== "closing" ? "after" : "before";
  const calls: Readonly<Record<DiskStep, readonly [call: string, path: string]>> = {
    prepare: ["open", "/\\.web\\.json\\."],
    journal: ["rename", "/journal$"],
    asked: ["rename", "/notes$"],
    commit: ["rename", "/web\\.json$"],
    committed: ["rename", "/web\\.json$"],
    closing: ["rm", "/journal$"],
  };
  const [call, path] = calls[step];
  return { call, path, when, nth: 1, act };
}
