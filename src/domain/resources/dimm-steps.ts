import type { MemoryBackend } from "../../config/memory-backend.ts";
import { formatSize } from "../../config/size.ts";
import { HostError, isErrorCode } from "../../errors.ts";
import { CommandError } from "../../qmp/errors.ts";
import type { Session } from "../../qmp/session.ts";
import { type Dimm, dimmsIn, memoryDevicesOf } from "../facts/memory-devices.ts";
import type { MachineNotes } from "../facts/notes.ts";
import { eventsOf } from "../machine/event-hints.ts";
import type { Monitor } from "../machine/monitor.ts";
import { pollUntil } from "../machine/poll-until.ts";
import { withDeadline } from "../machine/with-deadline.ts";
import { addBackend, backendOf } from "./dimm-backend.ts";
import { removeBackendOf } from "./dimm-removal.ts";
import { whyItStays } from "./dimm-state.ts";
import { GuestRefusals } from "./guest-refusals.ts";
import type { StepKind } from "./step-kind.ts";
import type { Step, StepEnd, Work } from "./step.ts";

/** A DIMM that is plugged, or unplugged. */
interface DimmStep extends Step {
  readonly id: string;
  /** The id of its backend. */
  readonly memdev: string;
  readonly size: number;
  readonly node: number;
  /** What its memory comes from; absent if that is the plain kind. */
  readonly backend?: MemoryBackend;
}

/** Make a backend, and plug a DIMM on it. */
export interface DimmPlugStep extends DimmStep {
  readonly kind: "dimm-plug";
  /** A backend of that id is there, and nothing uses it: it is left from a plug that was cut short. */
  readonly isLeft: boolean;
}

/** Ask the guest to let go of a DIMM, and remove its backend. */
export interface DimmUnplugStep extends DimmStep {
  readonly kind: "dimm-unplug";
  /** Why it can't be plugged back as it was; null where it can. */
  readonly noReturn: string | null;
}

/** The guest refused to let go of a DIMM: it stays. */
class DimmStaysError extends HostError {}

/** `object-add` and `device_add`. If the second is refused, the backend is removed again. */
export const plugDimm: StepKind<DimmPlugStep> = {
  kind: "dimm-plug",
  rank: 0,
  asksGuest: false,
  what: ({ id, size }) => `plug DIMM ${id} of ${formatSize(size)}`,
  sends: (step) => `object-add ${JSON.stringify(backendOf(step))}, device_add ${JSON.stringify(deviceOf(step))}`,
  undoing: ({ id, memdev }) => `device_del {"id":"${id}"}, object-del {"id":"${memdev}"}`,
  begin: (step, { monitor, deadline, signal }) =>
    withDeadline((wanted) => plugIn(step, monitor, wanted), "device_add", { by: deadline, signal }),
  readBack: async ({ id }, { monitor, deadline: by, signal }): Promise<StepEnd> => {
    const { done } = await pollUntil(
      { look: () => monitor.ask((session) => dimmNow(session, id), { by, signal }), done: (dimm) => dimm !== undefined },
      { by, signal },
    );
    return done ? { outcome: "done" } : { outcome: "pending", reason: `QEMU took DIMM ${id} and does not show it yet` };
  },
  inverse: (step, now) => {
    const dimm = dimmsIn(now.memory.devices).find(({ id }) => id === step.id);
    // On another backend it is somebody else's, who plugged it before us.
    if (dimm !== undefined) return dimm.memdev === step.memdev ? [{ ...step, kind: "dimm-unplug", noReturn: null }] : [];
    return now.memoryBackends?.has(step.memdev) === true ? [{ kind: "dimm-backend", memdev: step.memdev }] : [];
  },
  notedAfter: (asked, { step, outcome }) => (outcome === "done" ? withBalloon(asked, step.size) : asked),
  remarks: ({ size }, outcome, live) => {
    const block = 128 * 2 ** 20;
    const isOdd = outcome === "done" && live !== null && size % block !== 0;
    return isOdd
      ? [`Linux on x86 takes plugged memory in blocks of ${formatSize(block)}: of a DIMM of ${formatSize(size)} it may take nothing`]
      : [];
  },
};

/** `device_del`, and `object-del` once the guest has let go: `query-memory-devices` tells, an event is only a hint. */
export const unplugDimm: StepKind<DimmUnplugStep> = {
  kind: "dimm-unplug",
  // Before the balloon, and waited for at once: a balloon that moves meanwhile can make the guest panic.
  rank: 1,
  asksGuest: false,
  what: ({ id, size }) => `unplug DIMM ${id} of ${formatSize(size)}`,
  sends: ({ id, memdev }) => `device_del {"id":"${id}"}, object-del {"id":"${memdev}"}`,
  undoing: (step) => (step.noReturn === null ? plugDimm.sends({ ...step, kind: "dimm-plug", isLeft: false }, NO_FACTS) : undefined),
  noUndo: ({ noReturn }) => noReturn ?? undefined,
  begin: async ({ id }, { monitor, deadline, signal }) => {
    try {
      await monitor.ask((session) => session.execute("device_del", { id }), { by: deadline, signal });
    } catch (error) {
      // It is gone already.
      if (!(error instanceof CommandError)) throw error;
      if (error.class !== "DeviceNotFound") throw new DimmStaysError(`DIMM ${id}: ${error.message}`, {}, { cause: error });
    }
  },
  readBack: waitForGuest,
  inverse: (step, now) => {
    if (dimmsIn(now.memory.devices).some(({ id }) => id === step.id)) return [];
    if (step.noReturn !== null) return step.noReturn;
    return [{ ...step, kind: "dimm-plug", isLeft: now.memoryBackends?.has(step.memdev) === true }];
  },
  irrevocable: ({ id }, now, cause) =>
    cause instanceof DimmStaysError || !dimmsIn(now.memory.devices).some((dimm) => dimm.id === id)
      ? null
      : `QEMU has accepted the unplug of DIMM ${id} and can't take it back: the guest may still do it`,
  hasNoWayBack: ({ noReturn }, outcome) => (outcome !== "done" || noReturn !== null) && outcome !== "undone",
  notedAfter: (asked, { step, outcome, cause }) => {
    const others = (asked.dimms ?? []).filter((id) => id !== step.id);
    const waits = outcome !== "done" && outcome !== "undone" && !(cause instanceof DimmStaysError);
    const now = outcome === "done" ? withBalloon(asked, -step.size) : asked;
    return waits || asked.dimms !== undefined ? { ...now, dimms: waits ? [...others, step.id] : others } : now;
  },
};

/** The balloon holds on to what it took: its target counts DIMMs, and moves with them. */
function withBalloon(asked: MachineNotes, more: number): MachineNotes {
  return asked.balloon === undefined ? asked : { ...asked, balloon: asked.balloon + more };
}

/** `sends` of a DIMM says the same whatever the machine is like. */
const NO_FACTS = undefined as never;

function deviceOf({ id, memdev, node }: DimmStep): { readonly driver: string; readonly id: string } & Readonly<Record<string, unknown>> {
  return { driver: "pc-dimm", id, memdev, ...(node === 0 ? {} : { node }) };
}

async function dimmNow(session: Session, id: string): Promise<Dimm | undefined> {
  return dimmsIn(memoryDevicesOf(await session.execute("query-memory-devices"), [])).find((dimm) => dimm.id === id);
}

async function plugIn(step: DimmPlugStep, monitor: Monitor, wanted: () => boolean): Promise<void> {
  try {
    await addBoth(step, monitor.session, step.isLeft);
  } catch (error) {
    if (!isErrorCode(error, "closed") || !wanted()) throw error;
    await monitor.revive(error);
    // Either may have arrived before the connection broke: what has not is sent again.
    if ((await dimmNow(monitor.session, step.id)) !== undefined || !wanted()) return;
    const objects = await monitor.session.execute("qom-list", { path: "/objects" });
    await addBoth(
      step,
      monitor.session,
      objects.some(({ name }) => name === step.memdev),
    );
  }
}

async function addBoth(step: DimmPlugStep, session: Session, isLeft: boolean): Promise<void> {
  if (isLeft) await session.execute("object-del", { id: step.memdev });
  await addBackend(step, session);
  try {
    await session.execute("device_add", deviceOf(step));
  } catch (error) {
    if (error instanceof CommandError) await session.execute("object-del", { id: step.memdev });
    throw error;
  }
}

async function waitForGuest(step: DimmUnplugStep, work: Work): Promise<StepEnd> {
  const refusals = work.refusals ?? new GuestRefusals();
  const { monitor, live, deadline: by, signal } = work;
  const look = (): Promise<boolean> => monitor.ask(async (session) => (await dimmNow(session, step.id)) === undefined, { by, signal });
  const names = ["ACPI_DEVICE_OST", "DEVICE_DELETED", "DEVICE_UNPLUG_GUEST_ERROR", "MEM_UNPLUG_ERROR"];
  const { seen: isGone } = await pollUntil(
    {
      hints: eventsOf(monitor, names, (event) => refusals.hear(event)),
      look,
      // A guest that does not run lets go of nothing: no use in waiting for it.
      done: (gone) => gone || refusals.ofDimm(step.id) !== undefined || !live.running,
      onLook: (gone) =>
        work.onProgress?.({ what: `DIMM ${step.id}`, actual: gone ? 0 : step.size, wanted: 0, elapsed: by.elapsed(), timeout: by.timeout }),
    },
    { by, signal },
  );
  if (isGone) return removeBackendOf(step, work);
  const why = refusals.ofDimm(step.id);
  if (why !== undefined) throw new DimmStaysError(`unplug: the guest refused to let go of DIMM ${step.id} (${why})`);
  return { outcome: "pending", reason: `unplug of DIMM ${step.id} is accepted; ${whyItStays(step.id, live)}` };
}
