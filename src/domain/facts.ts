import { readConfig, type Stored } from "../config/store.ts";
import { messageOf } from "../errors.ts";
import { onlineCpus, presentCpus } from "../host/taskset.ts";
import type { Session } from "../qmp/session.ts";
import { readAsked } from "./facts/notes.ts";
import { type Live, readLive } from "./live.ts";
import { findMachine, type Present } from "./machine/find.ts";
import type { Place } from "./machine/place.ts";
import type { Facts } from "./resource.ts";

/** The config of a domain as it stands in its file; null for a transient one. @throws ConfigError */
export async function readStored(place: Place): Promise<Stored | null> {
  return place.config === null ? null : readConfig(place.config);
}

/** The machine of a domain, when one is there. */
export function findFor(place: Place, stored: Stored | null): Promise<Present | null> {
  return findMachine(place, stored?.config.monitor);
}

/** Facts of a domain whose machine does not run, or does not answer. */
export async function factsWithout(stored: Stored | null, why?: unknown): Promise<Facts> {
  const base = { config: stored?.config ?? null, live: null, asked: {}, ...(await hostFacts()) };
  return why === undefined ? { ...base, state: "stopped" } : { ...base, state: "unreachable", why: messageOf(why) };
}

/** Facts of a domain whose machine answers. */
export async function factsOf(place: Place, stored: Stored | null, session: Session, pid: number | null): Promise<Facts & { readonly live: Live }> {
  const live = await readLive(session, pid);
  const [asked, host] = await Promise.all([readAsked(place.runtime.folder, live.pid), hostFacts()]);
  return { config: stored?.config ?? null, live, asked, state: live.running ? "running" : "paused", ...host };
}

async function hostFacts(): Promise<Pick<Facts, "online" | "present" | "now">> {
  const [online, present] = await Promise.all([onlineCpus(), presentCpus()]);
  return { online, present, now: Date.now() / 1000 };
}
