import { takeSizes } from "../../config/machine-sizes.ts";
import { parseKeyValues, splitOptions } from "../../config/options.ts";
import { readSize } from "../../config/qemu-values.ts";
import { processAt } from "../../host/processes.ts";
import type { Session } from "../../qmp/session.ts";
import { qemuWords } from "../machine/command-line.ts";
import { orNull } from "./answer.ts";
import type { LiveParts } from "./live-parts.ts";
import type { MemoryRoom } from "./memory-devices.ts";

const OBJECTS = "/objects";

/**
 * Reads the machine's memory backends, by their ids, with their types, and what there is room for. QMP does not show that room, so it is
 * read from QEMU's command line, if its process is on this host. @throws the session's errors
 */
export async function readMemoryRoom(session: Session, { pid }: { readonly pid: number | null }): Promise<LiveParts> {
  const [objects, found] = await Promise.all([
    orNull(session.execute("qom-list", { path: OBJECTS })),
    pid === null ? undefined : processAt(pid),
  ]);
  const backends = (objects ?? []).flatMap(({ name, type }) => {
    const [, kind] = /^child<(memory-backend-.*)>$/.exec(type) ?? [];
    return kind === undefined ? [] : [[name, kind] as const];
  });
  const room = found === undefined ? null : roomIn(qemuWords(found.argv));
  return { memoryBackends: new Map(backends), ...(room === null ? {} : { memoryRoom: room }) };
}

/** What `-m` says; null if it can't be read. */
export function roomIn(words: readonly string[]): MemoryRoom | null {
  const values = new Map<string, string>();
  try {
    for (const option of splitOptions(words)) {
      const said = option.name === "m" ? parseKeyValues(option.value ?? "", "size") : takeSizes(option).memory;
      for (const [key, value] of said) values.set(key, value);
    }
    return { slots: Number(values.get("slots") ?? 0), limit: readSize("-m maxmem", values.get("maxmem") ?? "0", 1) };
  } catch {
    return null;
  }
}
