import type { Facts } from "../facts/facts.ts";
import type { Held } from "../machine/lock.ts";
import type { Place } from "../machine/place.ts";
import type { Scope } from "../model/change.ts";
import type { LockedOptions } from "./locked-options.ts";
import type { Plan } from "./plan.ts";

/** What is known of a change when its end is planned. */
export interface TimedWork {
  readonly place: Place;
  readonly held: Held;
  readonly options: LockedOptions;
  readonly scope: Scope;
  readonly facts: Facts;
  readonly plan: Plan;
}
