import { isErrorCode } from "../../errors.ts";
import { CommandError } from "../../qmp/errors.ts";
import type { Session } from "../../qmp/session.ts";
import type { Live, Slot } from "../facts/live.ts";
import { eventsOf } from "../machine/event-hints.ts";
import type { Monitor } from "../machine/monitor.ts";
import { pollUntil } from "../machine/poll-until.ts";
import { withDeadline } from "../machine/with-deadline.ts";
import { indices, usedUp } from "./slots.ts";
import type { StepKind } from "./step-kind.ts";
import type { PlugStep, StepEnd, UnplugStep } from "./step.ts";

/** Plugging a vCPU: `device_add` of the slot's own type and properties, as `query-hotpluggable-cpus` gives them. */
export const plug: StepKind<PlugStep> = {
  kind: "plug",
  rank: 0,
  asksGuest: false,
  what: ({ slot }) => `plug vCPU ${indices(slot).join(", ")}`,
  sends: (step) => `device_add ${JSON.stringify(argumentsOf(step))}`,
  undoing: (step) => `device_del {"id":"${step.id}"}`,

  begin: (step, { monitor, deadline, signal }) =>
    withDeadline((wanted) => plugIn(step, monitor, wanted), "device_add", { by: deadline, signal }),

  readBack: async (step, work): Promise<StepEnd> => {
    const { monitor, deadline: by, signal } = work;
    const look = (): Promise<boolean> => monitor.ask((session) => isPlugged(session, step.slot), { by, signal });
    const { done } = await pollUntil({ hints: eventsOf(monitor, ["ACPI_DEVICE_OST"]), look, done: (plugged) => plugged }, { by, signal });
    return done ? { outcome: "done" } : { outcome: "pending", reason: `QEMU took vCPU ${step.slot.first} and does not show it yet` };
  },

  brings: (step) => indices(step.slot),
  notedAfter: (asked, { step, outcome, cause, back }) =>
    cause instanceof CommandError || (outcome === "undone" && back?.length === 0) ? asked : usedUp(asked, step.slot.count),

  inverse: (step, now) => {
    const slot = now.slots.find((it) => it.first === step.slot.first);
    // By another name it is somebody else's, who plugged it before us.
    return slot?.device === step.id ? [unplugOf([slot], now)] : [];
  },
};

async function plugIn(step: PlugStep, monitor: Monitor, wanted: () => boolean): Promise<void> {
  try {
    await monitor.session.execute("device_add", argumentsOf(step));
  } catch (error) {
    if (!isErrorCode(error, "closed") || !wanted()) throw error;
    await monitor.revive(error);
    // It may have arrived before the connection broke: sent again only when it has not.
    if (!(await isPlugged(monitor.session, step.slot)) && wanted()) await monitor.session.execute("device_add", argumentsOf(step));
  }
}

function argumentsOf({ slot, id }: PlugStep): { readonly driver: string; readonly id: string } & Readonly<Record<string, unknown>> {
  return { driver: slot.type, id, ...slot.props };
}

async function isPlugged(session: Session, slot: Slot): Promise<boolean> {
  const cpus = await session.execute("query-hotpluggable-cpus");
  const same = (props: Readonly<Record<string, unknown>>): boolean =>
    Object.entries(slot.props).every(([key, value]) => props[key] === value);
  return cpus.some((cpu) => same(cpu.props) && cpu["qom-path"] !== undefined);
}

/** The step that empties slots of the machine as it is now. */
function unplugOf(slots: readonly Slot[], now: Live): UnplugStep {
  const leaving = slots.reduce((sum, slot) => sum + slot.count, 0);
  return {
    kind: "unplug",
    slots: slots.flatMap((slot) => (slot.device === null ? [] : [{ slot, device: slot.device }])),
    from: now.vcpus.length,
    to: now.vcpus.length - leaving,
    noReturn: null,
  };
}
