import type { StatePaths } from "../../config/runtime.ts";
import type { Stored } from "../../config/store.ts";
import { messageOf } from "../../errors.ts";
import { describe, describeAction, interruptedFrom } from "../change/interrupted.ts";
import { unresolved } from "../change/unresolved.ts";
import type { Facts } from "../facts/facts.ts";
import { readBoth } from "../facts/read.ts";
import type { Place } from "../machine/place.ts";
import { ALL_READERS } from "../resources/kinds.ts";

/** What was interrupted, and how both halves stand, in words; null if nothing is left to resolve. `facts` were read without its parts. */
export async function interruption(place: Place, books: StatePaths, facts: Facts, stored: Stored | null): Promise<string | null> {
  const found = await unresolved(place, books, stored, facts).catch(messageOf);
  if (found === null || typeof found === "string") return found;
  if ("action" in found) return describeAction(found);
  const now = facts.live === null ? facts : (await readBoth(place, { readers: ALL_READERS })).facts;
  return describe(await interruptedFrom(place.name, found, now, stored?.text ?? null));
}
