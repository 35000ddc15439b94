import { type MemoryBackend, toldBackend } from "../../config/memory-backend.ts";
import type { Session } from "../../qmp/session.ts";
import { orNull } from "./answer.ts";
import type { LiveParts } from "./live-parts.ts";
import type { Live } from "./live.ts";
import { dimmsIn } from "./memory-devices.ts";

/**
 * Reads what each DIMM's memory comes from, with what is set of it, so that a DIMM can be plugged back as it was. QEMU tells that on 5.2 to
 * 11.1. @throws the session's errors
 */
export async function readDimmBackends(session: Session, { memory: { devices } }: Live): Promise<LiveParts> {
  const found = await Promise.all(dimmsIn(devices).map(async ({ memdev }) => [memdev, await backendAt(session, memdev)] as const));
  return { dimmBackends: new Map(found) };
}

async function backendAt(session: Session, id: string): Promise<MemoryBackend | string> {
  const path = `/objects/${id}`;
  const listed = (await orNull(session.execute("qom-list", { path }))) ?? [];
  const told = await Promise.all(
    listed
      .filter(({ name, type }) => name !== "size" && name !== "type" && !name.startsWith("x-") && !type.startsWith("child<"))
      .map(async ({ name }) => [name, await orNull(session.execute("qom-get", { path, property: name }))] as const),
  );
  const type = await orNull(session.execute("qom-get", { path, property: "type" }));
  return toldBackend(typeof type === "string" ? type : "memory-backend-ram", new Map(told.filter(([, value]) => value !== null)));
}
