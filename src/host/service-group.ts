import { mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { pid } from "node:process";
import { messageOf } from "../errors.ts";
import { type Unit, unitOf } from "./cgroup-unit.ts";
import { write } from "./cgroup-write.ts";
import { cpuGroupOf } from "./cgroup.ts";

/** The group below a service's own that its first process goes into: a group with limited ones below it can have no processes itself. */
const RUN_GROUP = "qmpctl-run";

/** Whether this process is in such a group: one for a machine can be made beside it. */
export function isInServiceGroup(): boolean {
  const group = cpuGroupOf("self");
  return !("why" in group) && group.version === 2 && basename(group.path) === RUN_GROUP;
}

/** The service of systemd that this process is in, if it ends with this process. */
export async function ownService(): Promise<Unit | null> {
  const group = cpuGroupOf("self");
  if ("why" in group || !group.path.endsWith(".service")) return null;
  const unit = await unitOf(group);
  return unit?.endsWithUs === true ? unit : null;
}

/**
 * Moves this process into a group of its own below that of its service, if systemd leaves those below it to the service (Delegate=yes): so
 * machines can have groups beside it. Null where it is so, or where there is no such service; else what is in the way.
 */
export async function enterServiceGroup(): Promise<string | null> {
  if (isInServiceGroup()) return null;
  const group = cpuGroupOf("self");
  if ("why" in group || group.version !== 2 || !(await ownService())?.delegates) return null;
  const folder = join(group.folder, RUN_GROUP);
  try {
    await mkdir(folder, { recursive: true });
    await write(join(folder, "cgroup.procs"), String(pid));
    return null;
  } catch (error) {
    return messageOf(error);
  }
}
