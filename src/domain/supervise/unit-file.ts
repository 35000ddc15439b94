import { lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "../../digest.ts";
import { unitName } from "./unit-text.ts";

/** Where the unit of a domain is, or would be. */
export interface UnitPlace {
  /** As systemd calls it. */
  readonly name: string;
  readonly path: string;
  /** The link that has it started with the host. */
  readonly link: string;
}

/** What is at the place of a unit of ours. */
export type UnitState =
  | { readonly is: "absent" }
  /** Nobody has changed it since it was made for the config at this path. */
  | { readonly is: "ours"; readonly config: string; readonly text: string }
  | { readonly is: "edited"; readonly config: string }
  /** Somebody else's. */
  | { readonly is: "foreign" };

/** The place of a domain's unit in a folder of units. */
export function unitPlace(folder: string, isSystem: boolean, domain: string): UnitPlace {
  const name = unitName(domain);
  const target = isSystem ? "multi-user" : "default";
  return { name, path: join(folder, name), link: join(folder, `${target}.target.wants`, name) };
}

const MARK = "# made by qmpctl autostart: ";

/** The text of a file of ours: a first line says for which config it was made, and what it is then. */
export function markedText(text: string, config: string): string {
  return `${MARK}${JSON.stringify({ config, sha256: sha256(text) })}\n${text}`;
}

/** What is there. */
export function unitState({ path }: UnitPlace): UnitState {
  const text = textAt(path);
  if (text === undefined) return { is: "absent" };
  const end = text.indexOf("\n");
  const mark = text.startsWith(MARK) ? markIn(text.slice(MARK.length, end)) : undefined;
  if (mark === undefined) return { is: "foreign" };
  return sha256(text.slice(end + 1)) === mark.sha256 ? { is: "ours", config: mark.config, text } : { is: "edited", config: mark.config };
}

/** A link that leads nowhere counts as somebody's, as that of a unit that is masked (/dev/null). */
function textAt(path: string): string | undefined {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function markIn(text: string): { readonly config: string; readonly sha256: string } | undefined {
  try {
    const mark = JSON.parse(text) as { readonly config?: unknown; readonly sha256?: unknown };
    return typeof mark.config === "string" && typeof mark.sha256 === "string" ? { config: mark.config, sha256: mark.sha256 } : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a unit is started with the host, and for this config. */
export function isEnabled(place: UnitPlace, config: string): boolean {
  if (lstatSync(place.link, { throwIfNoEntry: false }) === undefined) return false;
  const state = unitState(place);
  return (state.is === "ours" || state.is === "edited") && state.config === config;
}
