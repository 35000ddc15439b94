import { locate } from "../config/locate.ts";
import { domainFolders } from "../domain/machine/place.ts";
import { shellWord } from "../domain/model/format.ts";
import type { Io } from "./verb.ts";

/** The path of a domain's config, quoted for a shell. */
export async function configOf(domain: string | undefined, env: Io["env"]): Promise<string> {
  if (domain === undefined) return "that file";
  return locate(domain, domainFolders({ env })).then(
    ({ path }) => shellWord(path),
    () => "that file",
  );
}
