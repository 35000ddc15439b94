import { type Folders, foldersOf } from "../../config/folders.ts";
import { shellWord } from "./format.ts";

/** What a line for cron has to begin with: cron has none of the variables by which this shell says where the folders are. */
export function variablesFor(folders: Folders): string {
  const without = foldersOf({});
  const variables = { QMPCTL_CONFIG_DIR: "config", QMPCTL_RUNTIME_DIR: "runtime", QMPCTL_STATE_DIR: "state" } as const;
  return Object.entries(variables)
    .filter(([, kind]) => folders[kind] !== without[kind])
    .map(([variable, kind]) => `${variable}=${shellWord(folders[kind])} `)
    .join("");
}
