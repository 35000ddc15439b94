import type { StatePaths } from "../../config/runtime.ts";
import type { Stored } from "../../config/store.ts";
import { forgetEnds } from "../ends/forget.ts";
import type { Identity } from "../machine/identity.ts";
import { outputOf } from "../machine/last-words.ts";
import { type ProcessRecord, writeProcessRecord } from "../machine/process-record.ts";
import type { StartOptions } from "../model/action.ts";
import type { Launched } from "./launch.ts";

/** Options of a start by a process that waits for the machine's end. */
export interface SupervisedStart extends StartOptions {
  /** Told of what was launched, once it is let go. */
  readonly supervise?: ((launched: Pick<Launched, "machine" | "program">) => void) | undefined;
}

/** Writes down which process runs the machine, and how much QEMU had written when it was up. */
export async function noteProcess(
  books: StatePaths,
  stored: Stored,
  { process, known: { folder } }: Identity,
  more: Pick<ProcessRecord, "supervisor"> = {},
): Promise<void> {
  if (process === null) return;
  // Those of the machine before it, which may have ended while nobody looked.
  await forgetEnds(books);
  await writeProcessRecord(books, {
    process,
    how: "started",
    config: stored.path,
    folder,
    since: new Date().toISOString(),
    told: (await outputOf(folder)).length,
    ...more,
  });
}
