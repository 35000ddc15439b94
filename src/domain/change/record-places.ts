import { statePaths, type StatePaths } from "../../config/runtime.ts";
import type { Stored } from "../../config/store.ts";
import { machineIdOf } from "../machine/machine-id.ts";
import type { Place } from "../machine/place.ts";

/**
 * Where records are kept: beside the machine's lock, and beside its config if that has another key. A QEMU without a mark has the lock of
 * its process while it runs.
 */
export async function whereRecordsAre(
  { folders }: Pick<Place, "folders">,
  books: StatePaths,
  stored: Stored | null,
): Promise<readonly StatePaths[]> {
  const id = stored === null ? books.key : await machineIdOf(stored);
  return id === books.key ? [books] : [books, statePaths(folders, id)];
}
