import { CommandError, TimeoutError } from "../../qmp/errors.ts";
import type { Session } from "../../qmp/session.ts";
import type { Live } from "../facts/live.ts";
import { eventsOf } from "../machine/event-hints.ts";
import { pollUntil } from "../machine/poll-until.ts";
import { formatVcpus, listVcpus, shellWord } from "../model/format.ts";
import { whenLetGo } from "../model/run-state.ts";
import { GuestRefusals, StayError, stayingAfter } from "./guest-refusals.ts";
import { resetRisk } from "./replug.ts";
import { vcpuSchedStep } from "./sched-step.ts";
import { indices, plugStep, usedUp } from "./slots.ts";
import type { StepKind } from "./step-kind.ts";
import { isOf, type PinStep, type PlugStep, type Step, type StepEnd, type UnplugStep, type Work } from "./step.ts";

/**
 * Unplugging vCPUs: all are asked for at once, then the *state* is watched. DEVICE_DELETED does not come for a vCPU under TCG
 * (QEMU 7.2, 10.0), so events are hints only; ACPI_DEVICE_OST tells when the guest refuses.
 */
export const unplug: StepKind<UnplugStep> = {
  kind: "unplug",
  rank: 3,
  asksGuest: true,
  what: (step) => `unplug vCPU ${leavingOf(step).join(", ")}`,
  sends: (step) => step.slots.map(({ device }) => `device_del {"id":"${device}"}`).join("; "),
  undoing: (step) => (step.noReturn === null ? step.slots.map(({ slot }) => `device_add vCPU ${slot.first}`).join("; ") : undefined),
  noUndo: (step) => step.noReturn ?? undefined,

  begin: async (step, { monitor, deadline, refusals }) => {
    for (const { device, slot } of step.slots) refusals?.expect(device, indices(slot));
    for (const [position, { device }] of step.slots.entries()) {
      // Asking twice is harmless, and one that is gone already is what is wanted.
      // An interrupt waits for the answer: what QEMU has accepted is asked for, and has to be known.
      await monitor
        .ask((session) => session.execute("device_del", { id: device }), { by: deadline })
        .catch((error: unknown) => {
          const from = (first: number): readonly number[] => step.slots.slice(first).flatMap(({ slot }) => [...indices(slot)]);
          if (error instanceof TimeoutError) throw new StayError(error.message, from(position + 1), { cause: error });
          ignoreGone(error, from(position));
        });
    }
  },

  readBack: async (step, work) => {
    const refusals = work.refusals ?? new GuestRefusals();
    const { monitor, deadline: by, signal } = work;
    const { seen } = await pollUntil(
      {
        hints: eventsOf(monitor, ["ACPI_DEVICE_OST", "DEVICE_DELETED", "DEVICE_UNPLUG_GUEST_ERROR"], (event) => refusals.hear(event)),
        look: () => monitor.ask(presentVcpus, { by, signal }),
        // A guest that does not run lets go of nothing: no use in waiting for it.
        done: (present) => left(step, present).every((vcpu) => refusals.has(vcpu)) || !work.live.running,
        onLook: (present) => report(step, present, work),
      },
      { by, signal },
    );
    return end(step, left(step, seen), refusals, work);
  },

  inverse: (step, now, before) => {
    const gone = now.slots.filter((slot) => !slot.plugged && step.slots.some((it) => it.slot.first === slot.first));
    if (gone.length > 0 && step.noReturn !== null) return step.noReturn;
    return gone.flatMap((slot): readonly Step[] => [
      plugStep(slot, now),
      ...indices(slot).flatMap((vcpu) => threadAgain(vcpu, now, before)),
    ]);
  },

  notedAfter: (asked, { step, outcome, cause, back = [] }) => {
    const vcpus = leavingOf(step);
    const others = (asked.unplug ?? []).filter((vcpu) => !vcpus.includes(vcpu));
    const replugged = back.flatMap((each) => (isOf<PlugStep>("plug", each) ? indices(each.slot) : []));
    const known = new Set([...replugged, ...stayingAfter(cause)]);
    const waiting = outcome === "done" || outcome === "undone" ? [] : vcpus.filter((vcpu) => !known.has(vcpu));
    // Plugged back means as many new threads.
    return usedUp({ ...asked, unplug: [...others, ...waiting] }, replugged.length);
  },

  // An unplug that QEMU has accepted, a vCPU that must not be plugged again.
  hasNoWayBack: ({ noReturn }, outcome) => (outcome !== "done" || noReturn !== null) && outcome !== "undone",

  // Said at once: else it is found out the next morning, when the vCPUs are wanted back.
  remarks: (step, outcome, live, name) => {
    const risk = live === null ? null : resetRisk(live);
    const gone = step.noReturn !== null && (outcome === "done" || outcome === "pending");
    return [
      ...(risk === null ? [] : [`${risk}, so a reboot from inside the guest ends it`]),
      ...(gone
        ? [
            `${listVcpus(leavingOf(step))} can't come back while this QEMU runs: ${step.noReturn}; qmpctl restart ${shellWord(name)} is the way`,
          ]
        : []),
    ];
  },

  irrevocable: (step, now, cause) => {
    const staying = stayingAfter(cause);
    const stuck = step.slots.filter(
      ({ slot }) => !staying.has(slot.first) && now.slots.some((it) => it.plugged && it.first === slot.first),
    );
    return stuck.length === 0
      ? null
      : `QEMU has accepted the unplug of vCPU ${stuck.map(({ slot }) => slot.first).join(", ")} and can't take it back: the guest may still do it`;
  },
};

/** A thread that comes back gets the mask and the policy that the one before it had. */
function threadAgain(vcpu: number, now: Live, before: Live): readonly Step[] {
  if (before.pinObstacle !== null) return [];
  const cpus = before.vcpus.find((it) => it.index === vcpu)?.affinity ?? null;
  const pin: PinStep | null = cpus === null ? null : { kind: "pin", vcpu, cpus, before: null, allowSubset: false };
  const policy = before.scheduling?.vcpus.get(vcpu) ?? null;
  const inherits = policy === null || policy === now.scheduling?.main;
  return [...(pin === null ? [] : [pin]), ...(inherits ? [] : [vcpuSchedStep(vcpu, policy, null)])];
}

/** The vCPUs that a step asks the guest to let go of. */
export function leavingOf(step: UnplugStep): readonly number[] {
  return step.slots.flatMap(({ slot }) => [...indices(slot)]);
}

function left(step: UnplugStep, present: ReadonlySet<number>): readonly number[] {
  return leavingOf(step).filter((vcpu) => present.has(vcpu));
}

async function presentVcpus(session: Session): Promise<ReadonlySet<number>> {
  return new Set((await session.execute("query-cpus-fast")).map((cpu) => cpu["cpu-index"]));
}

function report(step: UnplugStep, present: ReadonlySet<number>, { onProgress, deadline }: Work): void {
  onProgress?.({ what: "vCPUs", actual: present.size, wanted: step.to, elapsed: deadline.elapsed(), timeout: deadline.timeout });
}

function end(step: UnplugStep, stuck: readonly number[], refusals: GuestRefusals, work: Work): StepEnd {
  if (stuck.length === 0) return { outcome: "done" };
  const refused = stuck.filter((vcpu) => refusals.has(vcpu));
  if (refused.length > 0) throw refusals.error(refused);
  const why = work.live.running ? "the guest has not let go of it yet" : whenLetGo(work.live.status);
  return {
    outcome: "pending",
    reason: `unplug of vCPU ${stuck.join(", ")} is accepted; ${why} (${formatVcpus(step.from - (leavingOf(step).length - stuck.length))} now)`,
  };
}

/** What QEMU says before the guest has set ACPI up; 5.2 says it always. */
const NOT_READY = /acpi: device unplug request for not supported device type/;

/** `unasked`: the vCPUs that QEMU was not told to let go of when it says no. */
function ignoreGone(error: unknown, unasked: readonly number[]): void {
  if (!(error instanceof CommandError)) throw error;
  if (error.class !== "DeviceNotFound")
    throw new StayError(
      NOT_READY.test(error.message) ? `${error.message}: the guest is still booting, or has no CPU hotplug on this QEMU` : error.message,
      unasked,
      { cause: error },
    );
}
