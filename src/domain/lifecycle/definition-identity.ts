import { lstat } from "node:fs/promises";
import { listNames } from "../../config/config-folder.ts";
import { editJson } from "../../config/edit.ts";
import type { Mark } from "../../config/mark.ts";
import { readConfig, type Stored } from "../../config/store.ts";
import { randomUuid } from "../../digest.ts";
import { readWords } from "../machine/command-line.ts";
import { findMachine } from "../machine/find.ts";
import { isSameFile, isSamePlace, machineIdOf } from "../machine/machine-id.ts";
import { domainFolders, type DomainOptions, type Place, placeOf } from "../machine/place.ts";
import { StateError } from "../model/errors.ts";
import { defineFrom } from "./board.ts";
import type { Definition } from "./definition.ts";

/**
 * Gives the definition the id of its machine. That is the id of the config that it replaces, because a running machine is still the same;
 * or of the process that it adopts; or its own, if no other config has that; else a new one.
 */
export async function withId(made: Definition, old: Stored | undefined, place: Place): Promise<Definition> {
  await refuseAdopted(made, place);
  const mark = made.process === undefined ? undefined : readWords(made.process.argv).mark;
  const owner =
    mark === undefined ? undefined : ((await ownerOf(mark.id, place, made.config.name)) ?? (await configElsewhere(mark, place)));
  if (owner !== undefined && made.process !== undefined)
    throw new StateError(`process ${made.process.pid}: it is ${owner}, which has a config already`, "running");
  const own = made.config.id;
  const taken = own === undefined ? undefined : await ownerOf(own, place, made.config.name);
  const id = old !== undefined ? await machineIdOf(old) : (mark?.id ?? (taken === undefined ? own : undefined) ?? randomUuid());
  if (id === own) return made;
  const text = withKey(made.text, id);
  return {
    ...made,
    text,
    config: { ...made.config, id },
    notes: taken === undefined ? made.notes : [...made.notes, `its id was that of ${taken}: it has one of its own now`],
  };
}

/** Puts the id behind the name, where a person looks for it; else at the end. */
function withKey(text: string, id: string): string {
  const edited = editJson(text, [{ path: ["id"], value: id }]);
  const [, name, gap] = /^(\s*\{\s*"name"\s*:\s*"(?:[^"\\]|\\.)*",)(\s*)/.exec(text) ?? [];
  const isNew = !/^\s*"id"\s*:/m.test(text);
  return name === undefined || !isNew ? edited : `${name}${gap}"id": ${JSON.stringify(id)},${text.slice(name.length)}`;
}

/** Refuses a QEMU that another config of the folder already runs. */
async function refuseAdopted({ process, config }: Definition, { folders, timeout }: Place): Promise<void> {
  if (process === undefined) return;
  const options = { configDir: folders.config, runtimeDir: folders.runtime, stateDir: folders.state, timeout };
  for (const { stored } of await others(config.name, options)) {
    const { machine } = await findMachine(await placeOf(stored.place.named ? stored.place.name : stored.path, options), stored);
    if (machine?.pid === process.pid)
      throw new StateError(`process ${process.pid}: it is ${stored.config.name}, which has a config already`, "running");
  }
}

/** The config that a machine was started from, if it is still there and is not the one being defined. */
async function configElsewhere({ path }: Mark, { config }: Place): Promise<string | undefined> {
  const isThere = (await lstat(path).catch(() => undefined)) !== undefined;
  return isThere && !(await isSameFile(path, config?.path ?? "")) ? `the machine of ${path}` : undefined;
}

/** The name of the domain in the config folder, other than `except`, that has this id. */
export async function ownerOf(id: string, { folders, timeout }: Place, except: string): Promise<string | undefined> {
  for (const { stored } of await others(except, { configDir: folders.config, timeout }))
    if ((await machineIdOf(stored)) === id) return stored.config.name;
  return undefined;
}

/**
 * Takes care of a monitor that another config has already: the second machine would take the path from the first. A process that listens
 * there is adopted all the same, and has no such monitor from its next start on.
 *
 * @throws StateError when the monitor is another config's
 */
export async function withOwnMonitor(made: Definition, options: DomainOptions): Promise<Definition> {
  const { name, monitor } = made.config;
  if (monitor === undefined) return made;
  const configs = await others(name, options);
  const isShared = await Promise.all(
    configs.map(async ({ stored }) => stored.config.monitor !== undefined && isSamePlace(stored.config.monitor, monitor)),
  );
  const other = configs[isShared.indexOf(true)]?.stored;
  if (other === undefined) return made;
  const why = `its monitor ${monitor} is that of ${other.config.name} already (${other.path})`;
  if (made.process === undefined) throw new StateError(`${name}: ${why}: give it a path of its own, or none`, "settled");
  const without = await defineFrom(made.process.argv, { name, monitor: false, running: true });
  return { ...without, process: made.process, notes: [...without.notes, `${why}: from its next start on it has no monitor there`] };
}

/** The configs of the folder that can be read, except one. */
async function others(except: string, options: DomainOptions): Promise<readonly { readonly stored: Stored }[]> {
  const names = await listNames(domainFolders(options));
  const read = names
    .filter((name) => name !== except)
    .map(async (name) => {
      const { config } = await placeOf(name, options);
      return config === null ? undefined : { stored: await readConfig(config) };
    });
  return (await Promise.allSettled(read)).flatMap((each) => (each.status === "fulfilled" && each.value !== undefined ? [each.value] : []));
}
