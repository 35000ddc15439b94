import { isDeepStrictEqual } from "node:util";
import { type LaunchConfig, parseLaunchConfig } from "../config/launch.ts";
import { plan } from "../domain/change/plan.ts";
import type { DefineSource } from "../domain/lifecycle/define.ts";
import { defineDomain, type Draft, draftDomain } from "../domain/lifecycle/define.ts";
import type { Refusal } from "../domain/model/change.ts";
import { kindOf } from "../domain/resources/registry.ts";
import { QmpctlError } from "../errors.ts";
import { onlineCpus, presentCpus } from "../host/taskset.ts";
import type { Done } from "./account.ts";
import { difference } from "./differences.ts";
import type { Surroundings } from "./surroundings.ts";
import type { Wanted } from "./wanted.ts";

/** A definition, and what the allocation makes of its config. */
interface Meant {
  readonly draft: Draft;
  /** The config's text with the allocation in it. */
  readonly text: string;
  readonly refusals: readonly Refusal[];
}

/**
 * Defines the domain if it is not there, or if what is there is to be replaced and says something else. Null: it stays as it is.
 *
 * @throws as `defineDomain` does; QmpctlError `refused` when its allocation speaks against it
 */
export async function define(wanted: Wanted, source: DefineSource, exists: boolean, around: Surroundings): Promise<Done | null> {
  if (exists && !wanted.replace) return null;
  const { name } = wanted;
  const meant = await meantBy(wanted, source, around);
  const { draft, text } = meant;
  if (draft.old !== undefined && isSame(draft.old.config, parseLaunchConfig(text, draft.config.path))) return null;
  const words = exists ? "its config was replaced" : "defined";
  const differences = around.diff ? [difference(draft.config.path, draft.old?.text ?? "", text)] : [];
  // Else it would be defined, and then be refused what it is to have.
  if (meant.refusals.length > 0) throw refusal(name, meant.refusals);
  if (around.check) return { action: "define", changed: true, words, notes: draft.made.notes, differences };
  around.begins();
  // With its allocation: it is never there without it.
  const { notes } = await defineDomain({ text, file: draft.config.path }, { env: around.env, name, replace: wanted.replace });
  return { action: "define", changed: true, words, notes: [...draft.made.notes, ...notes], differences };
}

async function meantBy({ name, changes, force }: Wanted, source: DefineSource, { env }: Surroundings): Promise<Meant> {
  const draft = await draftDomain(source, { env, name });
  const { made, config } = draft;
  // Its disks are read when the change is made; their sizes are in no config.
  const own = changes.filter((change) => kindOf(change).isImage !== true);
  const [online, present] = await Promise.all([onlineCpus(), presentCpus()]);
  const facts = { state: "stopped", config: made.config, live: null, asked: {}, online, present } as const;
  const planned = plan({ name, changes: own, scope: "static", force, facts, stored: { path: config.path, text: made.text } });
  return { draft, text: planned.text ?? made.text, refusals: planned.refusals };
}

function refusal(name: string, refusals: readonly Refusal[]): QmpctlError {
  const reasons = refusals.map(({ reason, instead }) => `${reason}${instead === undefined ? "" : `; instead: ${instead}`}`);
  return new QmpctlError("refused", `${name}: refused, nothing was touched: ${reasons.join("; ")}`);
}

/** Whether two configs say the same. Whose the machine is, is no part of what they say. */
function isSame({ id: _, ...one }: LaunchConfig, { id: _other, ...other }: LaunchConfig): boolean {
  return isDeepStrictEqual(one, other);
}
