import type { Session } from "../../qmp/session.ts";
import { orNull } from "./answer.ts";
import type { LiveReader } from "./live.ts";

/** How often QEMU asks the guest for its figures of memory, in seconds, on a machine that we started, unless its config says otherwise. */
export const STATS_INTERVAL = 5;

/** The balloon's property with that, in seconds of the machine's running time; 0: never. */
const POLLING = "guest-stats-polling-interval";

/** The longest that QEMU takes, in seconds. */
export const LONGEST_PERIOD: number = 2 ** 32 - 1;

/** What it is; null if this balloon has no answer. @throws the session's errors */
export async function periodOf(session: Session, path: string): Promise<number | null> {
  const period = await orNull(session.execute("qom-get", { path, property: POLLING }));
  return period === null ? null : Number(period);
}

/** @throws the session's errors, and QEMU's, if it refuses it */
export async function setPeriod(session: Session, path: string, seconds: number): Promise<void> {
  await session.execute("qom-set", { path, property: POLLING, value: seconds });
}

/** Reads it, if there is a balloon. */
export const readPeriod: LiveReader = async (session, { memory: { balloon } }) => {
  const period = balloon === null ? null : await periodOf(session, balloon);
  return period === null ? {} : { period };
};
