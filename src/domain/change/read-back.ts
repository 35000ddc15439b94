import { deadlineIn } from "../../deadline.ts";
import { messageOf } from "../../errors.ts";
import type { ConfigReader } from "../facts/images.ts";
import { type Live, type LiveReader, readLive } from "../facts/live.ts";
import { readStored } from "../machine/lock.ts";
import type { Monitor } from "../machine/monitor.ts";
import type { Place } from "../machine/place.ts";
import { whyStopped } from "../machine/wait-notice.ts";
import { DiedError } from "../model/errors.ts";
import type { Ending } from "./ending.ts";

/** How long QEMU may take to answer the last reading of a change, in milliseconds. */
const LAST_LOOK = 5000;

/** How both halves stand after the work. */
export interface After {
  /** What can't be read any more is null, never what was hoped for. */
  readonly now: Ending["after"];
  /** QEMU is gone: it ended during the change, or right after it. */
  readonly died: DiedError | null;
}

/** What the last reading of a change is told. */
export interface ReadBackOptions {
  /** At most so many milliseconds. */
  readonly timeout: number | undefined;
  /** The error of a monitor that answered nothing during undo: it is not asked again. */
  readonly silent: unknown;
  readonly readers: readonly LiveReader[];
  readonly onConfig: ConfigReader | undefined;
  /** Takes why the live half could not be read. */
  readonly tell: (note: string) => void;
}

/** Reads both halves again. Never throws: what can't be read is told, and null. */
export async function readBack(place: Place, monitor: Monitor | null, options: ReadBackOptions): Promise<After> {
  const [config, { live, died }] = await Promise.all([configNow(place, options.onConfig), liveNow(monitor, options)]);
  return { now: { config, live }, died };
}

async function configNow(place: Place, onConfig: ConfigReader | undefined): Promise<Ending["after"]["config"]> {
  const config = await readStored(place).then(
    (stored) => stored?.config ?? null,
    () => null,
  );
  return config === null || onConfig === undefined ? config : await onConfig(config);
}

async function liveNow(
  monitor: Monitor | null,
  { timeout = LAST_LOOK, silent, readers, tell }: ReadBackOptions,
): Promise<{ readonly live: Live | null; readonly died: DiedError | null }> {
  if (monitor === null) return { live: null, died: null };
  try {
    if (silent !== undefined) throw silent;
    const by = deadlineIn(Math.min(LAST_LOOK, timeout));
    return { live: await monitor.ask((session) => readLive(session, monitor.pid, readers), { by }), died: null };
  } catch (error) {
    tell((await whyStopped(monitor.pid)) ?? messageOf(error));
    return { live: null, died: error instanceof DiedError ? error : null };
  }
}
