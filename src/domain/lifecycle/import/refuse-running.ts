import { uuidOf } from "../../../config/machine-uuid.ts";
import { splitOptions } from "../../../config/options.ts";
import { nameOf } from "../../machine/command-line.ts";
import type { DomainOptions } from "../../machine/place.ts";
import { StateError } from "../../model/errors.ts";
import { titleOf } from "../running/advice.ts";
import { listRunning } from "../running/list-running.ts";
import type { Said } from "./converters.ts";
import type { ImportSource } from "./import-source.ts";

/**
 * Refuses a machine that runs: started here too, two machines would write the same disks. Its owner is asked, and this host's processes are
 * looked at: what was kept in a file has no owner to ask.
 *
 * @throws StateError that says how it is known, and what to do
 */
export async function refuseRunning(
  source: ImportSource,
  words: readonly string[],
  { running }: Said,
  options: Omit<DomainOptions, "timeout">,
): Promise<void> {
  const owner = titleOf(source.from);
  const what = "name" in source ? source.name : "id" in source ? source.id : (nameOf(splitOptions(words.slice(1))) ?? "it");
  const way = `shut it down there first, or --force makes the config all the same`;
  if (running !== null)
    throw new StateError(`${what}: ${owner} says that it is ${running}: two machines would write the same disks; ${way}`, "running");
  const uuid = uuidOf(splitOptions(words.slice(1)));
  const id = "id" in source ? source.id : undefined;
  const found = (await listRunning(options)).find(
    (each) =>
      each.can !== "domain" &&
      ((uuid !== null && each.uuid === uuid) || (id !== undefined && each.keeper === "proxmox" && each.keptAs === id)),
  );
  if (found !== undefined)
    throw new StateError(`${what}: it runs, as process ${found.pid}: two machines would write the same disks; ${way}`, "running");
}
