import { statePaths } from "../../config/runtime.ts";
import type { Stored } from "../../config/store.ts";
import { messageOf } from "../../errors.ts";
import { onlineCpus, presentCpus } from "../../host/taskset.ts";
import type { Session } from "../../qmp/session.ts";
import type { Identity } from "../machine/identity.ts";
import type { Place } from "../machine/place.ts";
import { domainStateOf } from "../model/run-state.ts";
import { readBalloonTarget } from "./balloon-target.ts";
import type { Facts } from "./facts.ts";
import { type Live, readLive } from "./live.ts";
import { type Asked, readNotes } from "./notes.ts";

/** Facts of a domain whose machine does not run, or does not answer. */
export async function factsWithout(stored: Stored | null, why?: unknown): Promise<Facts> {
  const base = { config: stored?.config ?? null, live: null, asked: {}, ...(await hostFacts()) };
  return why === undefined ? { ...base, state: "stopped" } : { ...base, state: "unreachable", why: messageOf(why) };
}

/** Facts of a domain whose machine answers. `session` is one that its identity has checked. */
export async function factsOf(
  place: Place,
  stored: Stored | null,
  session: Session,
  machine: Identity,
): Promise<Facts & { readonly live: Live }> {
  const live = await readLive(session, machine.pid);
  const [noted, host] = await Promise.all([
    readNotes(statePaths(place.folders, machine.known.key), machine.process, live, machine.known.folder),
    hostFacts(),
  ]);
  const asked = await confirmed(noted, live, session);
  return { config: stored?.config ?? null, live, asked, state: domainStateOf(live.status), ...host };
}

/** A target that the guest has not reached is read from the device: the one that was noted may be void, or have never been set. */
async function confirmed(noted: Asked, { memory: { actual, size } }: Live, session: Session): Promise<Asked> {
  const { balloonOr, ...sure } = noted;
  const isDone = balloonOr === undefined && (sure.balloon === undefined || sure.balloon === actual);
  const target = isDone || actual === null ? null : await readBalloonTarget(session, size);
  return target === null ? noted : { ...sure, balloon: target };
}

async function hostFacts(): Promise<Pick<Facts, "online" | "present">> {
  const [online, present] = await Promise.all([onlineCpus(), presentCpus()]);
  return { online, present };
}
