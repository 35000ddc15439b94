import { type Deadline, deadlineIn } from "../../deadline.ts";
import { CommandError } from "../../qmp/errors.ts";
import type { Session } from "../../qmp/session.ts";
import type { AskOptions, Monitor } from "../machine/monitor.ts";
import { pollUntil } from "../machine/poll-until.ts";
import { LEAST } from "../machine/with-deadline.ts";
import { hasDriver, readBalloonTarget } from "./balloon-target.ts";
import { figuresOf } from "./live-memory.ts";
import type { Live } from "./live.ts";

/** How much memory the guest needs, in bytes of what the balloon leaves it: asked for one change, and good for that one only. */
export type GuestNeed =
  | { readonly uses: number; /** It is frozen and could not be asked: this is the most that it can be. */ readonly frozen?: true }
  /** Nobody knows: its driver is not up, it does not answer, or it is frozen and has never said it. */
  | { readonly silent: "no-driver" | "no-answer" | "frozen" };

/** How long a guest has to answer, in milliseconds. An idle one that was asked within the same second takes a second more. */
const PATIENCE = 5000;

/** How often the guest's figures are asked for, in seconds, of a machine that we started. */
export const STATS_INTERVAL = 5;

/**
 * Asks the guest anew what it uses. The figures that QEMU has may be from before the last move of the balloon, or from before the guest's
 * last start, and nothing in them says so: only such
 * as come after the question count, together with the balloon's size around them. What a guest uses is then (balloon's size - available),
 * and stays that while the balloon moves (measured on
 * 5.2, 7.2, 10.0 and 11.1: within 1 MiB); of a balloon that moves meanwhile the larger size is taken. No clock is compared with another.
 *
 * @throws the monitor's errors; the signal's reason
 */
export async function askGuest(monitor: Monitor, { running, status, memory }: Live, { by, signal }: AskOptions): Promise<GuestNeed> {
  const { balloon: path, guest, size } = memory;
  if (path === null) return { silent: "no-driver" };
  const isUp = await monitor.ask(hasDriver, { ...(by === undefined ? {} : { by }), signal });
  if (isUp === false) return { silent: "no-driver" };
  if (!running) {
    // It had at most all of it when it said what was available.
    if (guest !== null) return { uses: Math.max(0, size - guest.available), frozen: true };
    return { silent: isUp === null && (status === "prelaunch" || status === "preconfig") ? "no-driver" : "frozen" };
  }
  const unheard: GuestNeed = { silent: isUp === null && guest === null ? "no-driver" : "no-answer" };
  try {
    return (
      (await hear(monitor, { path, size }, deadlineIn(Math.min(PATIENCE, Math.max(LEAST, by?.left() ?? PATIENCE))), signal)) ?? unheard
    );
  } catch (error) {
    if (error instanceof CommandError) return unheard;
    throw error;
  }
}

async function hear(
  monitor: Monitor,
  { path, size }: { readonly path: string; readonly size: number },
  deadline: Deadline,
  signal: AbortSignal | undefined,
): Promise<GuestNeed | null> {
  const ask = <T>(question: (session: Session) => Promise<T>): Promise<T> => monitor.ask(question, { by: deadline, signal });
  const look = async (session: Session): Promise<{ readonly said: unknown; readonly actual: number }> => {
    // In this order: what is read of the balloon is from after the guest's word, or the balloon moved as little as that word takes.
    const [said, { actual }] = await Promise.all([
      session.execute("qom-get", { path, property: "guest-stats" }),
      session.execute("query-balloon"),
    ]);
    return { said, actual };
  };
  const every = await ask((session) => session.execute("qom-get", { path, property: POLLING }));
  const before = await ask(look);
  const old = wordOf(before.said);
  try {
    await ask((session) => poll(session, path, 1));
    const { seen, done } = await pollUntil(
      { look: () => ask(look), done: ({ said }) => wordOf(said) !== old && figuresOf(said) !== null },
      { by: deadline, signal },
    );
    const figures = figuresOf(seen.said);
    if (!done || figures === null) return null;
    const most =
      before.actual === seen.actual ? await ask((session) => atRest(session, seen.actual, size)) : Math.max(before.actual, seen.actual);
    return { uses: Math.max(0, most - figures.available) };
  } finally {
    // 0 is also what another client leaves for a moment while it asks, and one of ours that was killed then, for good.
    const usual = monitor.target.machine.id !== null && every === 0 ? STATS_INTERVAL : Number(every);
    await monitor
      .ask((session) => session.execute("qom-set", { path, property: POLLING, value: usual }), { by: deadline })
      .catch(() => undefined);
  }
}

/**
 * The most that a balloon which stands still can leave the guest. QEMU's figure is the last that a driver wrote: one that finds nothing to
 * do writes none, so after a guest has rebooted into a balloon
 * that is to be empty, it is that of the boot before, for good (measured on 7.2, 10.0 and 11.1).
 */
async function atRest(session: Session, actual: number, size: number): Promise<number> {
  return actual >= size ? actual : Math.max(actual, (await readBalloonTarget(session, size)) ?? actual);
}

const POLLING = "guest-stats-polling-interval";

/**
 * QEMU asks at once when it begins to ask, and then every so many seconds: a guest that has the same to say twice within a second can't be
 * told from one that is silent.
 */
async function poll(session: Session, path: string, every: number): Promise<void> {
  await Promise.all([0, every].map((value) => session.execute("qom-set", { path, property: POLLING, value })));
}

/** Any difference is a new word: the numbers change only when the guest answers, `last-update` with the second. */
function wordOf(said: unknown): string {
  return JSON.stringify(said, (_key, value: unknown) => (typeof value === "bigint" ? `${value}` : value));
}
