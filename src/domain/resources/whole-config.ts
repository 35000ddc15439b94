import { parseJson, valueOf } from "../../config/json.ts";
import { parseLaunchConfig } from "../../config/launch.ts";
import { readAllocation } from "./allocation.ts";
import { KINDS } from "./kinds.ts";
import type { WantedAllocation } from "./registry.ts";

type Values = Readonly<Record<string, unknown>>;

/** What a file asks for: an allocation, or the allocation of a whole launch config. */
export interface WantedInFile {
  readonly wanted: WantedAllocation;
  /** Of a whole config: the name in it, and all that is in it. */
  readonly config?: { readonly name: string; readonly values: Values };
}

/** The places of a config that a change can set: `memory.current`. */
const PLACES: ReadonlySet<string> = new Set(KINDS.map(({ inFile: { path } }) => path.join(".")));

/**
 * Reads an allocation, or a whole launch config, from the text of a file. Of a config the allocation is taken, as far as a change can set
 * it; `leftOf` names what is not.
 *
 * @throws UsageError where it is no JSON, or has a key twice; ConfigError for a config that is none
 */
export function readWanted(text: string, path: string): WantedInFile {
  const found = readAllocation(text, path) as Values | null;
  if (!isObject(found) || !("emulator" in found)) return { wanted: found as WantedAllocation };
  const { name } = parseLaunchConfig(text, path);
  const wanted: Record<string, Record<string, unknown>> = {};
  for (const [place, value] of leavesOf(found)) {
    const [group = "", key = ""] = place.split(".");
    if (PLACES.has(place)) (wanted[group] ??= {})[key] = value;
  }
  return { wanted: wanted as WantedAllocation, config: { name, values: found } };
}

/**
 * What differs between a whole config and that of the domain it was applied to, and is left as it is there: the places, as `args` and
 * `vcpus.topology`, sorted. `text`: of the domain's config; null where it has none.
 */
export function leftOf(values: Values, text: string | null): readonly string[] {
  const own = new Map(text === null ? [] : leavesOf(valueOf(parseJson(text)) as Values));
  const given = new Map(leavesOf(values).filter(([place]) => place !== "$schema"));
  const places = new Set([...given.keys(), ...own.keys()]);
  return [...places]
    .filter((place) => place !== "$schema" && !(PLACES.has(place) && given.has(place)))
    .filter((place) => JSON.stringify(given.get(place)) !== JSON.stringify(own.get(place)))
    .toSorted();
}

/** The values at a config's first level, and at the second where that is an object. */
function leavesOf(config: Values): readonly (readonly [place: string, value: unknown])[] {
  return Object.entries(config).flatMap(([group, value]): (readonly [string, unknown])[] =>
    isObject(value) ? Object.entries(value).map(([key, each]) => [`${group}.${key}`, each] as const) : [[group, value]],
  );
}

function isObject(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
