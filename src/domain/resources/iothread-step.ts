import { SETTINGS } from "../../config/iothread-settings.ts";
import { HostError, isErrorCode } from "../../errors.ts";
import { CommandError } from "../../qmp/errors.ts";
import type { Session } from "../../qmp/session.ts";
import { iothreadUses, settingsOf } from "../facts/iothread-use.ts";
import type { LiveIothread } from "../facts/live-thread.ts";
import { pollUntil } from "../machine/poll-until.ts";
import { withDeadline } from "../machine/with-deadline.ts";
import { iothreadPinStep } from "./iothread-pin.ts";
import { iothreadIn } from "./iothread.ts";
import { iothreadSchedStep } from "./sched-step.ts";
import type { StepKind } from "./step-kind.ts";
import type { Step, StepEnd, Work } from "./step.ts";

/** Numbers of settings. */
export type Numbers = Readonly<Partial<Record<string, number>>>;

/** Add an iothread. */
export interface IothreadAddStep extends Step {
  readonly kind: "iothread-add";
  readonly iothread: string;
  readonly settings: Numbers;
}

/** Remove an iothread that nothing uses. */
export interface IothreadDelStep extends Step {
  readonly kind: "iothread-del";
  readonly iothread: string;
  /** As it was. */
  readonly before: Pick<LiveIothread, "settings" | "affinity" | "policy" | "tid">;
}

/** Set something of an iothread. */
export interface IothreadSetStep extends Step {
  readonly kind: "iothread-set";
  readonly iothread: string;
  readonly settings: Numbers;
  /** What it was; null for an iothread that the same plan brings to life. */
  readonly before: Numbers | null;
}

/** `object-add` of an iothread; it counts when `query-iothreads` shows it. */
export const adding: StepKind<IothreadAddStep> = {
  kind: "iothread-add",
  rank: 0,
  asksGuest: false,
  what: ({ iothread }) => `add iothread ${iothread}`,
  sends: (step) => `object-add ${JSON.stringify(wordsOf(step))}`,
  undoing: ({ iothread }) => `object-del {"id":"${iothread}"}`,
  brings: ({ iothread }) => [iothread],
  begin: (step, work) => sendOnce(work, "object-add", (session) => session.execute("object-add", wordsOf(step)), step.iothread, true),
  readBack: ({ iothread }, work) => shown(iothread, true, work),
  inverse: ({ iothread }, now, before, cause) => {
    const found = iothreadIn(now, iothread);
    // QEMU's refusal means that nothing came of it: one of that name is somebody else's.
    if (found === undefined || cause instanceof CommandError || iothreadIn(before, iothread) !== undefined) return [];
    return [delStep(found)];
  },
};

/** `object-del` of an iothread; it counts when `query-iothreads` shows it no more. */
export const removing: StepKind<IothreadDelStep> = {
  kind: "iothread-del",
  rank: 3,
  asksGuest: false,
  what: ({ iothread }) => `remove iothread ${iothread}`,
  sends: ({ iothread }) => `object-del {"id":"${iothread}"}`,
  undoing: ({ iothread, before: { settings } }) => `object-add ${JSON.stringify(wordsOf({ iothread, settings }))}`,
  begin: async ({ iothread }, work) => {
    // A device may have come to use it since the plan was made, and QEMU would not mind.
    const { monitor, deadline: by, signal } = work;
    const users = (await monitor.ask(iothreadUses, { by, signal })).get(iothread) ?? [];
    if (users.length > 0) throw new HostError(`iothread ${iothread}: ${users.join(", ")} has come to use it`);
    await sendOnce(work, "object-del", (session) => session.execute("object-del", { id: iothread }), iothread, false);
  },
  readBack: ({ iothread }, work) => shown(iothread, false, work),
  inverse: ({ iothread, before }, now) => {
    if (iothreadIn(now, iothread) !== undefined) return [];
    const { settings, affinity, policy } = before;
    const add: IothreadAddStep = { kind: "iothread-add", iothread, settings };
    return [
      add,
      ...(affinity === null ? [] : [iothreadPinStep(iothread, affinity, null)]),
      ...(policy === null ? [] : [iothreadSchedStep(iothread, policy)]),
    ];
  },
};

/** `qom-set` of each setting; it counts when `query-iothreads`, or else `qom-get`, shows it. */
export const setting: StepKind<IothreadSetStep> = {
  kind: "iothread-set",
  rank: 1,
  asksGuest: false,
  what: ({ iothread, settings }) => `set ${listed(settings)} of iothread ${iothread}`,
  sends: ({ iothread, settings }) => linesOf(iothread, settings),
  undoing: ({ iothread, before }) => (before === null ? "the iothread is new, and goes away again" : linesOf(iothread, before)),
  begin: async ({ iothread, settings }, { monitor, deadline: by, signal }) => {
    // Each may be sent twice, if the connection breaks.
    await monitor.ask((session) => setAll(session, iothread, settings), { by, signal });
  },
  readBack: async ({ iothread, settings }, { monitor, deadline: by, signal }) => {
    const now = await monitor.ask((session) => settingsNow(session, iothread), { by, signal });
    const wrong = Object.entries(settings).filter(([name, value]) => now[name] !== value);
    if (wrong.length === 0) return { outcome: "done" };
    const [asked, given] = [Object.fromEntries(wrong), Object.fromEntries(wrong.map(([name]) => [name, now[name]]))];
    throw new HostError(`iothread ${iothread}: asked for ${listed(asked)}, QEMU gives ${listed(given)}`);
  },
  inverse: ({ iothread, before, settings }, now) => {
    if (before === null || iothreadIn(now, iothread) === undefined) return [];
    return [{ kind: "iothread-set", iothread, settings: before, before: settings }];
  },
};

/** The step that removes an iothread. */
export function delStep({ id, settings, affinity, policy, tid }: LiveIothread): IothreadDelStep {
  return { kind: "iothread-del", iothread: id, before: { settings, affinity, policy, tid } };
}

function wordsOf({ iothread, settings }: Pick<IothreadAddStep, "iothread" | "settings">): {
  readonly "qom-type": "iothread";
  readonly id: string;
} {
  return { "qom-type": "iothread", id: iothread, ...settings };
}

/** Sends a command that must not be sent twice: after a broken connection only if the state does not show it. */
function sendOnce(work: Work, what: string, send: (session: Session) => Promise<unknown>, id: string, isThere: boolean): Promise<void> {
  const { monitor, deadline: by, signal } = work;
  const once = async (wanted: () => boolean): Promise<void> => {
    try {
      await send(monitor.session);
    } catch (error) {
      if (!isErrorCode(error, "closed") || !wanted()) throw error;
      await monitor.revive(error);
      if ((await has(monitor.session, id)) !== isThere && wanted()) await send(monitor.session);
    }
  };
  return withDeadline(once, what, { by, signal });
}

async function has(session: Session, id: string): Promise<boolean> {
  return (await session.execute("query-iothreads")).some((each) => each.id === id);
}

async function shown(id: string, isThere: boolean, { monitor, deadline: by, signal }: Work): Promise<StepEnd> {
  const look = (): Promise<boolean> => monitor.ask((session) => has(session, id), { by, signal });
  const { done } = await pollUntil({ look, done: (seen) => seen === isThere }, { by, signal });
  return done ? { outcome: "done" } : { outcome: "pending", reason: `QEMU took it, and query-iothreads does not show it yet` };
}

/** A pool's least must never be above its most: what goes up begins with the most, what goes down with the least. */
async function setAll(session: Session, id: string, settings: Numbers): Promise<void> {
  const now = await settingsNow(session, id);
  const grows = (settings["thread-pool-min"] ?? 0) > (now["thread-pool-max"] ?? Number.POSITIVE_INFINITY);
  const names = SETTINGS.filter((name) => settings[name] !== undefined);
  for (const property of grows ? names.toReversed() : names) {
    if (now[property] !== settings[property])
      await session.execute("qom-set", { path: `/objects/${id}`, property, value: settings[property] });
  }
}

async function settingsNow(session: Session, id: string): Promise<Numbers> {
  const said = (await session.execute("query-iothreads")).find((each) => each.id === id);
  if (said === undefined) throw new HostError(`iothread ${id}: there is none any more`);
  return settingsOf(session, said);
}

function listed(settings: Numbers): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");
}

function linesOf(id: string, settings: Numbers): string {
  return Object.entries(settings)
    .map(([property, value]) => `qom-set ${JSON.stringify({ path: `/objects/${id}`, property, value })}`)
    .join("; ");
}
