import { formatSize } from "../../config/size.ts";
import { deadlineIn } from "../../deadline.ts";
import { HostError } from "../../errors.ts";
import type { Session } from "../../qmp/session.ts";
import { hasDriverOf } from "../facts/balloon-target.ts";
import { memoryDevicesOf, type VirtioMem, virtioMemsIn } from "../facts/memory-devices.ts";
import { eventsOf } from "../machine/event-hints.ts";
import { pollUntil } from "../machine/poll-until.ts";
import { runStateOf } from "../model/run-state.ts";
import type { StepKind } from "./step-kind.ts";
import type { Step, StepEnd, Work } from "./step.ts";

/** Ask a virtio-mem device for another size, in bytes. */
export interface VirtioMemStep extends Step {
  readonly kind: "virtio-mem";
  readonly id: string;
  readonly target: number;
  /** The target before. */
  readonly before: number;
  /** What it gave when the plan was made. */
  readonly actual: number;
  /** On the way back: what it gave before it was asked. With this it is as before too, though its target was another even then. */
  readonly settled?: number;
}

/**
 * Setting `requested-size`. QEMU answers `{}` and keeps it; only `query-memory-devices` tells what the guest did. A reset of the machine
 * takes away all that the device gave, and the guest's driver plugs it again (measured on 5.2, 7.2, 10.0 and 11.1).
 */
export const requesting: StepKind<VirtioMemStep> = {
  kind: "virtio-mem",
  rank: 2,
  asksGuest: true,
  what: ({ id, target }) => `ask virtio-mem ${id} for ${formatSize(target)}`,
  sends: ({ id, target }) => sending(id, target),
  undoing: ({ id, before }) => sending(id, before),
  begin: async ({ id, target }, { monitor, deadline, signal }) => {
    await monitor.ask((session) => session.execute("qom-set", { path: pathOf(id), property: "requested-size", value: target }), {
      by: deadline,
      signal,
    });
  },
  readBack: wait,
  // A guest that does not run can't follow now, and will.
  goesOn: (now) => !now.running,
  inverse: ({ id, before, actual }, now) => {
    const device = virtioMemsIn(now.memory.devices).find((each) => each.id === id);
    if (device === undefined || device.resizable.target === before) return [];
    return [{ kind: "virtio-mem", id, target: before, before: device.resizable.target, actual: device.size, settled: actual }];
  },
};

/** How long QEMU may take to say whether a driver works the device, in milliseconds. */
const LAST_WORD = 500;

/** The QOM path of a device by its id. One without an id goes by its path. */
export function pathOf(id: string): string {
  return id.startsWith("/") ? id : `/machine/peripheral/${id}`;
}

function sending(id: string, size: number): string {
  return `qom-set {"path":"${pathOf(id)}","property":"requested-size","value":${size}}`;
}

/** One virtio-mem device as it is now; undefined if it is gone. */
async function look(session: Session, { id }: VirtioMemStep, live: Work["live"]): Promise<VirtioMem | undefined> {
  const known = virtioMemsIn(live.memory.devices).find((each) => each.id === id);
  const anonymous = known !== undefined && id.startsWith("/") ? [id] : [];
  return virtioMemsIn(memoryDevicesOf(await session.execute("query-memory-devices"), anonymous)).find((each) => each.id === id);
}

async function wait(step: VirtioMemStep, work: Work): Promise<StepEnd> {
  const { monitor, live, deadline: by, signal } = work;
  const isThere = (size: number): boolean => size === step.target || size === step.settled;
  const { seen } = await pollUntil(
    {
      hints: eventsOf(monitor, ["MEMORY_DEVICE_SIZE_CHANGE"]),
      look: () => monitor.ask((session) => look(session, step, live), { by, signal }),
      // A guest that does not run moves nothing: no use in waiting for it.
      done: (device) => device === undefined || isThere(device.size) || !live.running,
      onLook: (device) =>
        work.onProgress?.({
          what: `virtio-mem ${step.id}`,
          actual: device?.size ?? null,
          wanted: step.target,
          elapsed: by.elapsed(),
          timeout: by.timeout,
        }),
    },
    { by, signal },
  );
  if (seen === undefined) throw new HostError(`virtio-mem ${step.id}: it is gone`);
  if (isThere(seen.size)) return { outcome: "done" };
  if (!live.running) return { outcome: "pending", reason: whenFrozen(step.target, live.status) };
  // The deadline has passed, and what is asked here is only why.
  const isUp = await monitor.ask((session) => hasDriverOf(session, step.id), { by: deadlineIn(LAST_WORD) }).catch(() => null);
  return { outcome: "pending", reason: whyNotThere(seen, isUp) };
}

function whenFrozen(target: number, status: string): string {
  return `the guest ${runStateOf(status).is}; it goes to ${formatSize(target)} when it runs again`;
}

/** Why a device does not give what it was asked for yet. `isUp`: whether its driver in the guest works it, where that is known. */
export function whyNotThere({ size, resizable: { target } }: Pick<VirtioMem, "size" | "resizable">, isUp: boolean | null): string {
  const [now, to] = [formatSize(size), formatSize(target)];
  if (isUp === false)
    return `no driver in the guest works it: the guest has none, or is still booting, and a start or a reset takes away all that it gave`;
  if (size > target)
    return `the guest is at ${now} on its way to ${to}: it gives back only what it can move elsewhere, and may never be able to`;
  if (size === 0) return `the guest has taken nothing of it yet: it may have no driver for it, or be still booting, as after a reset`;
  return `the guest is at ${now} on its way to ${to}`;
}
