import { formatSize } from "../../config/size.ts";
import { HostError } from "../../errors.ts";
import { CommandError } from "../../qmp/errors.ts";
import type { Session } from "../../qmp/session.ts";
import { askGuest } from "../facts/guest-need.ts";
import { memoryNow } from "../facts/live-memory.ts";
import type { Live } from "../facts/live.ts";
import { dimmsIn, memoryDevicesOf } from "../facts/memory-devices.ts";
import { eventsOf } from "../machine/event-hints.ts";
import { pollUntil } from "../machine/poll-until.ts";
import { runStateOf } from "../model/run-state.ts";
import { leastFor } from "./memory-need.ts";
import type { StepKind } from "./step-kind.ts";
import type { BalloonStep, StepEnd, Work } from "./step.ts";

/** Setting the balloon's target. QEMU takes any and answers `{}`; only `actual` tells what the guest did (query-balloon). */
export const balloon: StepKind<BalloonStep> = {
  kind: "balloon",
  rank: 2,
  asksGuest: true,
  what: (step) => `balloon to ${formatSize(step.target)}`,
  sends: (step) => `balloon {"value":${step.target}}`,
  undoing: (step) => `balloon {"value":${step.before}}`,
  begin: async (step, { monitor, deadline, signal }) => {
    const staying =
      step.after === undefined ? [] : await monitor.ask((session) => dimmsLeft(session, step.after), { by: deadline, signal });
    if (staying.length > 0)
      throw new HostError(`DIMM ${staying.join(", ")} is on its way out, and a balloon that moves meanwhile can make the guest panic`);
    await monitor.ask((session) => session.execute("balloon", { value: step.target }), { by: deadline, signal });
  },
  readBack: wait,
  // A guest that does not run can't follow now, and will.
  goesOn: (now) => !now.running,
  hazard: tooLittle,
  notedAfter: (asked, { step, outcome, cause }) => {
    // With a target that QEMU took, which one it had before is no longer in doubt.
    const { balloonOr: _, ...others } = asked;
    return cause instanceof CommandError ? asked : { ...others, balloon: outcome === "undone" ? step.before : step.target };
  },
  // Refused by QEMU, it has changed nothing, and would be refused again.
  // A DIMM that came before it is taken back after it, and counts until then.
  inverse: (step, now, before, cause) => {
    const more = now.memory.size - before.memory.size;
    return cause instanceof CommandError
      ? []
      : [{ kind: "balloon", target: step.before + more, before: step.target, actual: step.actual + more }];
  },
};

async function dimmsLeft(session: Session, ids: readonly string[] = []): Promise<readonly string[]> {
  const there = dimmsIn(memoryDevicesOf(await session.execute("query-memory-devices"), []));
  return ids.filter((id) => there.some((dimm) => dimm.id === id));
}

async function wait(step: BalloonStep, work: Work): Promise<StepEnd> {
  const { monitor, deadline: by, signal } = work;
  const { seen, done } = await pollUntil(
    {
      hints: eventsOf(monitor, ["BALLOON_CHANGE"]),
      look: () => monitor.ask(async (session) => (await session.execute("query-balloon")).actual, { by, signal }),
      // A guest that does not run moves nothing: no use in waiting for it.
      done: (actual) => actual === step.target || !work.live.running,
      onLook: (actual) =>
        work.onProgress?.({
          what: "memory",
          actual,
          wanted: step.target,
          elapsed: work.deadline.elapsed(),
          timeout: work.deadline.timeout,
        }),
    },
    { by, signal },
  );
  if (seen === step.target) return { outcome: "done" };
  return { outcome: "pending", reason: stillAt(step, seen, done ? runStateOf(work.live.status).is : null) };
}

/** `why` it does not run, where it does not. */
function stillAt(step: BalloonStep, actual: number, why: string | null): string {
  if (why !== null) return `the guest ${why}; it goes to ${formatSize(step.target)} when it runs again`;
  if (actual === step.actual)
    return `the guest has not moved from ${formatSize(actual)}: it may have no balloon driver, or be still booting`;
  return `the guest is at ${formatSize(actual)} on its way to ${formatSize(step.target)}`;
}

/** A guest that was given more may use it by now: taking it back must not kill it. One that says nothing goes back to where it lived. */
async function tooLittle({ target }: BalloonStep, now: Live, { monitor, deadline }: Work): Promise<string | null> {
  if (!now.running || target >= memoryNow(now.memory)) return null;
  const need = await askGuest(monitor, now, { by: deadline }).catch(() => null);
  if (need === null || "silent" in need || target >= leastFor(need.uses)) return null;
  return `the guest uses ${formatSize(Math.ceil(need.uses / 2 ** 20) * 2 ** 20)} by now, and ${formatSize(target)}, as before, could kill it`;
}
