import type { Session } from "../../qmp/session.ts";
import { hasDriverOf } from "./balloon-target.ts";
import type { LiveMemory } from "./live-memory.ts";
import type { LiveParts } from "./live-parts.ts";
import { virtioMemsIn } from "./memory-devices.ts";

/** Reads whether the guest has drivers for the virtio-mem devices that it is on its way with. @throws the session's errors */
export async function readVirtioMemDrivers(session: Session, live: { readonly memory: LiveMemory }): Promise<LiveParts> {
  const waiting = virtioMemsIn(live.memory.devices).filter(({ size, resizable: { target } }) => size !== target);
  if (waiting.length === 0) return {};
  const found = await Promise.all(waiting.map(async ({ id }) => [id, await hasDriverOf(session, id)] as const));
  return { virtioMemDrivers: new Map(found) };
}
