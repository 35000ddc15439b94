import { type Deadline, deadlineIn } from "../../deadline.ts";
import { CommandError } from "../../qmp/errors.ts";
import type { Session } from "../../qmp/session.ts";
import type { AskOptions, Monitor } from "../machine/monitor.ts";
import { pollUntil } from "../machine/poll-until.ts";
import { LEAST } from "../machine/with-deadline.ts";
import { periodOf, setPeriod } from "./balloon-period.ts";
import { hasDriver, readBalloonTarget } from "./balloon-target.ts";
import { figuresOf } from "./live-memory.ts";
import type { Live } from "./live.ts";

/** How much memory the guest needs, in bytes of what the balloon leaves it. It is asked for one change, and is valid for that one only. */
export type GuestNeed =
  | { readonly uses: number; /** It is frozen and could not be asked: this is the most that it can be. */ readonly frozen?: true }
  /** It is not known: the driver is not up, the guest does not answer, or it is frozen and has never said it. */
  | { readonly silent: "no-driver" | "no-answer" | "frozen" };

/** How long a guest has to answer, in milliseconds. An idle guest that was asked within the same second takes a second more. */
const ANSWER_TIMEOUT = 5000;

/** How the guest is asked. */
export interface AskGuestOptions extends AskOptions {
  /** How often QEMU is to ask it afterwards, in seconds, if it does not at all before; 0 by default. */
  readonly usual?: number;
}

/**
 * Asks the guest anew what it uses. The figures that QEMU has may be older than the last move of the balloon, or than the guest's last
 * boot, and nothing in them says so. So only figures that arrive after the question count, together with the balloon's size around them.
 * The guest then uses (balloon's size - available), and that stays so while the balloon moves (measured on 5.2, 7.2, 10.0 and 11.1: within
 * 1 MiB). If the balloon moves meanwhile, the larger size is taken. No clock is compared with another.
 *
 * @throws the monitor's errors; the signal's reason
 */
export async function askGuest(monitor: Monitor, { running, status, memory }: Live, options: AskGuestOptions): Promise<GuestNeed> {
  const { by, signal, usual = 0 } = options;
  const { balloon: path, guest, size } = memory;
  if (path === null) return { silent: "no-driver" };
  const isUp = await monitor.ask(hasDriver, { ...(by === undefined ? {} : { by }), signal });
  if (isUp === false) return { silent: "no-driver" };
  if (!running) {
    // It had at most all of its memory when it said what was available.
    if (guest !== null) return { uses: Math.max(0, size - guest.available), frozen: true };
    return { silent: isUp === null && (status === "prelaunch" || status === "preconfig") ? "no-driver" : "frozen" };
  }
  const unheard: GuestNeed = { silent: isUp === null && guest === null ? "no-driver" : "no-answer" };
  try {
    return (
      (await hear(
        monitor,
        { path, size, usual },
        deadlineIn(Math.min(ANSWER_TIMEOUT, Math.max(LEAST, by?.left() ?? ANSWER_TIMEOUT))),
        signal,
      )) ?? unheard
    );
  } catch (error) {
    if (error instanceof CommandError) return unheard;
    throw error;
  }
}

async function hear(
  monitor: Monitor,
  { path, size, usual }: { readonly path: string; readonly size: number; readonly usual: number },
  deadline: Deadline,
  signal: AbortSignal | undefined,
): Promise<GuestNeed | null> {
  const ask = <T>(question: (session: Session) => Promise<T>): Promise<T> => monitor.ask(question, { by: deadline, signal });
  const look = async (session: Session): Promise<{ readonly said: unknown; readonly actual: number }> => {
    // In this order: the balloon's size is read after the guest's figures, or moved only as little as that takes.
    const [said, { actual }] = await Promise.all([
      session.execute("qom-get", { path, property: "guest-stats" }),
      session.execute("query-balloon"),
    ]);
    return { said, actual };
  };
  const every = await ask((session) => periodOf(session, path));
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
    // 0 is also what another client leaves for a moment while it asks, or what a command of ours left that was killed then.
    await monitor
      .ask((session) => setPeriod(session, path, every === 0 ? usual : (every ?? usual)), { by: deadline })
      .catch(() => undefined);
  }
}

/**
 * The most that a balloon which stands still can leave the guest. QEMU's figure is the last one that a driver wrote, and a driver with
 * nothing to do writes none. So after a guest has rebooted into a balloon that is to be empty, the figure stays that of the boot before
 * (measured on 7.2, 10.0 and 11.1).
 */
async function atRest(session: Session, actual: number, size: number): Promise<number> {
  return actual >= size ? actual : Math.max(actual, (await readBalloonTarget(session, size)) ?? actual);
}

/**
 * QEMU asks at once when polling is switched on, and then at the given interval. A guest that says the same twice within a second can't be
 * told from a silent one.
 */
async function poll(session: Session, path: string, every: number): Promise<void> {
  await Promise.all([0, every].map((value) => setPeriod(session, path, value)));
}

/** Any difference is a new answer: the numbers change only when the guest answers, and `last-update` with each second. */
function wordOf(said: unknown): string {
  return JSON.stringify(said, (_key, value: unknown) => (typeof value === "bigint" ? `${value}` : value));
}
