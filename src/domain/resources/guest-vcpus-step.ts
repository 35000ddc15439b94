import { type Deadline, deadlineIn } from "../../deadline.ts";
import { guestVcpus, withAgent } from "../facts/guest-agent.ts";
import type { GuestVcpu } from "../facts/guest-half.ts";
import { pollUntil } from "../machine/poll-until.ts";
import { listVcpus } from "../model/format.ts";
import type { StepKind } from "./step-kind.ts";
import type { Step, StepEnd } from "./step.ts";

/** What the guest is to have online: a number of vCPUs, or those. */
type Wanted = { readonly count: number; readonly how: "exactly" | "at-least" } | { readonly ids: readonly number[] };

/** Have the guest bring vCPUs up, or take them offline. Numbers of vCPUs are the guest's own here. */
export interface GuestVcpusStep extends Step {
  readonly kind: "guest-vcpus";
  /** The path of its agent's socket. */
  readonly agent: string;
  readonly wanted: Wanted;
  /** Those that were online before. */
  readonly before: readonly number[];
}

/** How long a guest agent has for one question of a change, in milliseconds. */
const PATIENCE = 5000;

/**
 * Asking the guest's agent. What was plugged a moment ago has to be found by the guest's kernel first, and the guest may bring it up by
 * itself: what it has online is read again and again, and only what is missing is asked for.
 */
export const bringing: StepKind<GuestVcpusStep> = {
  kind: "guest-vcpus",
  rank: 2,
  asksGuest: true,
  what: ({ wanted }) => `have the guest use ${inWords(wanted)}`,
  sends: ({ agent }) => `guest-set-vcpus, to the guest agent at ${agent}`,
  undoing: ({ before }) => `guest-set-vcpus: online as before, ${before.join(", ")}`,

  // What is asked for depends on what the guest has by then, so it is asked while that is read.
  begin: async () => undefined,

  readBack: async ({ agent, wanted }, { deadline, signal }): Promise<StepEnd> => {
    let last: readonly GuestVcpu[] | undefined;
    const look = async (): Promise<readonly GuestVcpu[]> => {
      try {
        last = await ask(agent, wanted, deadline, signal);
      } catch (error) {
        // A question that the deadline cut short says nothing new.
        if (last === undefined || deadline.left() > 0) throw error;
      }
      return last;
    };
    const { seen, done } = await pollUntil(
      { look, done: (vcpus) => missing(wanted, vcpus).length === 0 && isEnough(wanted, vcpus) },
      { by: deadline, signal },
    );
    return done
      ? { outcome: "done" }
      : {
          outcome: "pending",
          reason: `the guest has ${seen.filter(({ online }) => online).length} vCPUs online, wanted: ${inWords(wanted)}`,
        };
  },

  inverse: ({ agent, before }, { guest }) => {
    if (guest === undefined) return "nobody knows where the guest's agent is asked";
    if ("unknown" in guest) return guest.unknown;
    // Those that are gone by now have gone back already.
    const ids = before.filter((id) => guest.vcpus.some((vcpu) => vcpu.id === id));
    const now = guest.vcpus.filter(({ online }) => online).map(({ id }) => id);
    return now.join() === ids.join() ? [] : [{ kind: "guest-vcpus", agent, wanted: { ids }, before: now }];
  },

  remarks: ({ wanted }, outcome) =>
    "how" in wanted && wanted.how === "exactly" && outcome === "done"
      ? ["what the guest uses is its own: it is lost when it reboots, and a vCPU that it does not use still counts for the machine"]
      : [],
};

/** Reads what the guest has, and asks for what is missing. @returns what it has then */
async function ask(path: string, wanted: Wanted, by: Deadline, signal: AbortSignal | undefined): Promise<readonly GuestVcpu[]> {
  const time = deadlineIn(Math.max(1, Math.min(PATIENCE, by.left())));
  return await withAgent(
    path,
    time.timeout,
    async (agent, left) => {
      const before = await guestVcpus(agent, left());
      const vcpus = missing(wanted, before);
      if (vcpus.length === 0) return before;
      await agent.execute("guest-set-vcpus", { vcpus }, left());
      return await guestVcpus(agent, left());
    },
    signal,
  );
}

type Asked = readonly { readonly "logical-id": number; readonly online: boolean }[];

/** What is to be asked of a guest that has these: from the lowest on to be brought up, from the highest on to be taken offline. */
export function missing(wanted: Wanted, vcpus: readonly GuestVcpu[]): Asked {
  const change = (some: readonly GuestVcpu[], online: boolean): Asked => some.map(({ id }) => ({ "logical-id": id, online }));
  const [on, off] = [vcpus.filter(({ online }) => online), vcpus.filter(({ online }) => !online)];
  if ("ids" in wanted) {
    const { ids } = wanted;
    return [
      ...change(
        off.filter(({ id }) => ids.includes(id)),
        true,
      ),
      ...change(
        on.filter(({ id, fixed }) => !ids.includes(id) && !fixed),
        false,
      ),
    ];
  }
  const more = wanted.count - on.length;
  if (more >= 0) return change(off.slice(0, more), true);
  return wanted.how === "exactly"
    ? change(
        on
          .filter(({ fixed }) => !fixed)
          .toReversed()
          .slice(0, -more),
        false,
      )
    : [];
}

/** Whether the guest has as many as are wanted: those that its kernel has not found yet can't be asked for. */
function isEnough(wanted: Wanted, vcpus: readonly GuestVcpu[]): boolean {
  return "ids" in wanted || vcpus.filter(({ online }) => online).length >= wanted.count;
}

function inWords(wanted: Wanted): string {
  if ("ids" in wanted) return listVcpus(wanted.ids);
  return wanted.how === "exactly" ? `${wanted.count} vCPUs` : `all of ${wanted.count} vCPUs`;
}
