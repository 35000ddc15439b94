import { valuesOf } from "./option-values.ts";
import type { Option } from "./options.ts";

/** The UUID that a command line gives its machine, in lower case: by `-uuid`, or in the board's own tables, as Proxmox does. */
export function uuidOf(options: readonly Option[]): string | null {
  const own = options.findLast(({ name }) => name === "uuid")?.value;
  const tables = options
    .filter(({ name }) => name === "smbios")
    .map((option) => valuesOf(option, "file"))
    .findLast((values) => values.get("type") === "1")
    ?.get("uuid");
  return (own ?? tables)?.toLowerCase() ?? null;
}
