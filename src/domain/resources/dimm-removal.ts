import { deadlineIn } from "../../deadline.ts";
import { messageOf } from "../../errors.ts";
import { mappedBy } from "../../host/process-memory.ts";
import { CommandError } from "../../qmp/errors.ts";
import type { Session } from "../../qmp/session.ts";
import { pollUntil, type Until } from "../machine/poll-until.ts";
import type { StepKind } from "./step-kind.ts";
import type { Step, StepEnd, Work } from "./step.ts";

/** Remove a backend that nothing uses. */
export interface BackendStep extends Step {
  readonly kind: "dimm-backend";
  readonly memdev: string;
}

/** Removes what a plug that was cut short has left. */
export const removeBackend: StepKind<BackendStep> = {
  kind: "dimm-backend",
  rank: 0,
  asksGuest: false,
  what: ({ memdev }) => `remove backend ${memdev}, which nothing uses`,
  sends: ({ memdev }) => `object-del {"id":"${memdev}"}`,
  undoing: () => undefined,
  noUndo: () => "nothing uses it",
  begin: async ({ memdev }, { monitor, deadline, signal }) =>
    void (await monitor.ask((session) => session.execute("object-del", { id: memdev }), { by: deadline, signal })),
  readBack: async () => ({ outcome: "done" }),
  inverse: () => [],
};

/** How long a backend may be in use after its device has gone, in milliseconds. */
const LET_GO = 2000;

/** The device may keep its backend for a moment after it has gone. */
export async function removeBackendOf({ memdev, size }: { readonly memdev: string; readonly size: number }, work: Work): Promise<StepEnd> {
  const { monitor, deadline: by, signal } = work;
  const remove = async (session: Session): Promise<string | null> => {
    try {
      await session.execute("object-del", { id: memdev });
      return null;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      const objects = await session.execute("qom-list", { path: "/objects" });
      return objects.some(({ name }) => name === memdev) ? messageOf(error) : null;
    }
  };
  const mapped = mappedNow(work);
  const before = await mapped();
  const soon = deadlineIn(Math.min(LET_GO, by.left()));
  const { seen } = await pollUntil(
    { look: () => monitor.ask(remove, { by: soon, signal }), done: (why) => why === null },
    { by: soon, signal },
  );
  if (seen === null && before !== null)
    await untilGivenBack(before - size, mapped, { by: deadlineIn(Math.min(GIVE_BACK, by.left())), signal });
  return seen === null ? { outcome: "done" } : { outcome: "done", reason: `the guest let go of it; its backend ${memdev} stays: ${seen}` };
}

/** How long QEMU may take to give a backend's memory back to the host after it has removed it, in milliseconds. */
const GIVE_BACK = 1000;

/**
 * Waits until a process has no more than `least` bytes mapped. QEMU answers `object-del` before it unmaps the memory (its RCU thread does
 * that, some 0.1 s later on 7.2): what the host holds means something only then. No harm is done where the time is up first.
 */
export async function untilGivenBack(least: number, mapped: () => Promise<number | null>, until: Until): Promise<void> {
  await pollUntil({ look: mapped, done: (now) => now === null || now <= least }, until);
}

/** What QEMU has mapped, where its process is on this host. */
function mappedNow({ monitor, live }: Work): () => Promise<number | null> {
  return async () => (live.host === undefined || monitor.pid === null ? null : mappedBy(monitor.pid));
}
